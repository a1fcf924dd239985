"""A binary classifier for each label by itself."""

from abc import abstractmethod
from typing import Any

import numpy as np

from .api import Rival


class PerLabel(Rival):
    """One binary classifier a label; a label that is constant on the training rows keeps its share of them."""

    _models: list[Any]

    @abstractmethod
    def classifier(self) -> Any:
        """Return a classifier of scikit-learn, not fitted."""

    def fit(self, features: np.ndarray, labels: np.ndarray) -> None:
        """Fit every label by itself."""
        shares = labels.mean(axis=0)
        self._models = [
            self.classifier().fit(features, label) if 0 < share < 1 else float(share)
            for label, share in zip(labels.T, shares, strict=True)
        ]

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return each classifier's probability of 1, or the constant."""
        columns = [
            np.full(len(features), model) if isinstance(model, float) else model.predict_proba(features)[:, 1]
            for model in self._models
        ]
        return np.stack(columns, axis=1).astype(np.float32)
