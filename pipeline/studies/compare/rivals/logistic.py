"""Logistic regression, one for each label, and what all rivals of its kind share."""

from typing import Any, ClassVar

from .api import Family, Rival, geometric, positive
from .per_label import PerLabel

_ITERATIONS = 1000
"""Where the solver stops at the latest; on bibtex, scaled, it takes about 30."""


class Logistic(Rival):
    """A rival made of scikit-learn's logistic regressions with an L2 penalty.

    Args:
        seed: of whatever is random.
        strength: C, inverse of the penalty.
    """

    family: ClassVar[Family] = "linear"

    def __init__(self, *, seed: int, strength: float = 1.0) -> None:
        super().__init__(seed=seed)
        self._strength = positive("strength", strength)

    @classmethod
    def grid(cls, size: int) -> dict[str, tuple[float, ...]]:
        """Return strengths from 1e-4 to 10."""
        return {"strength": geometric(1e-4, 10.0, size)}

    def classifier(self) -> Any:
        """Return the classifier of one label, not fitted.

        Its solver is L-BFGS, which leaves the intercept without a penalty; liblinear has one on it, and takes thirty
        times as long on bibtex.
        """
        from sklearn.linear_model import LogisticRegression as Binary

        return Binary(C=self._strength, max_iter=_ITERATIONS)


class LogisticRegression(Logistic, PerLabel):
    """One-vs-rest logistic regression.

    Args:
        seed: taken like that of every rival; nothing here is random.
        strength: C, inverse of the L2 penalty.
    """
