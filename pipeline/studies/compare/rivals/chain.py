"""A chain of logistic regressions, each of which sees the labels before it.

Source: Read, Pfahringer, Holmes and Frank, Classifier chains for multi-label classification, 2009; the ensemble of
several chains is left out.
"""

from typing import Any, ClassVar

import numpy as np

from .api import Family, Rival, geometric, positive
from .logistic import binary


class ClassifierChain(Rival):
    """scikit-learn's classifier chain over logistic regressions, in a random order of the labels.

    Args:
        seed: of the order and the solver.
        strength: C, inverse of the L2 penalty.
    """

    family: ClassVar[Family] = "linear"
    _model: Any

    def __init__(self, *, seed: int, strength: float = 1.0) -> None:
        super().__init__(seed=seed)
        self._strength = positive("strength", strength)

    @classmethod
    def grid(cls, size: int) -> dict[str, tuple[float, ...]]:
        """Return strengths from 1e-4 to 10."""
        return {"strength": geometric(1e-4, 10.0, size)}

    def fit(self, features: np.ndarray, labels: np.ndarray) -> None:
        """Fit the chain over the labels that vary on the training rows; others keep their share of them."""
        from sklearn.multioutput import ClassifierChain as Chain

        self._shares = labels.mean(axis=0)
        self._vary = np.flatnonzero((self._shares > 0) & (self._shares < 1))
        if len(self._vary):
            chain = Chain(binary(self._strength, self.seed), order="random", random_state=self.seed)
            self._model = chain.fit(features, labels[:, self._vary])

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the chain's probabilities; each link sees the decisions before it."""
        found = np.tile(self._shares.astype(np.float32), (len(features), 1))
        if len(self._vary):
            found[:, self._vary] = self._model.predict_proba(features)
        return found
