"""Logistic regression, one for each label."""

from typing import Any, ClassVar

from .api import Family, geometric, positive
from .per_label import PerLabel


def binary(strength: float, seed: int) -> Any:
    """Return scikit-learn's logistic regression with an L2 penalty, by a Newton method that suits wide tables.

    Args:
        strength: C, inverse of the penalty.
        seed: of the solver.
    """
    from sklearn.linear_model import LogisticRegression as Binary

    return Binary(C=strength, solver="liblinear", random_state=seed)


class LogisticRegression(PerLabel):
    """One-vs-rest logistic regression.

    Args:
        seed: of the solver.
        strength: C, inverse of the L2 penalty.
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
        """Return the classifier of one label."""
        return binary(self._strength, self.seed)
