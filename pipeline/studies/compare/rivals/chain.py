"""A chain of logistic regressions, each of which sees the labels before it.

Source: Read, Pfahringer, Holmes and Frank, Classifier chains for multi-label classification, 2009; the ensemble of
several chains is left out.
"""

from typing import Any

import numpy as np

from .logistic import Logistic


class ClassifierChain(Logistic):
    """scikit-learn's classifier chain over logistic regressions, in a random order of the labels.

    Args:
        seed: of the order and the solver.
        strength: C, inverse of the L2 penalty.
    """

    _model: Any

    def fit(self, features: np.ndarray, labels: np.ndarray) -> None:
        """Fit the chain over the labels that vary on the training rows; others keep their share of them."""
        from sklearn.multioutput import ClassifierChain as Chain

        self._shares = labels.mean(axis=0)
        self._vary = np.flatnonzero((self._shares > 0) & (self._shares < 1))
        if len(self._vary):
            chain = Chain(self.classifier(), order="random", random_state=self.seed)
            self._model = chain.fit(features, labels[:, self._vary])

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the chain's probabilities; each link sees the decisions before it."""
        found = np.tile(self._shares.astype(np.float32), (len(features), 1))
        if len(self._vary):
            found[:, self._vary] = self._model.predict_proba(features)
        return found
