"""Gradient boosting of histogram trees, one ensemble for each label."""

from typing import Any, ClassVar

from .api import Family, count, geometric, positive
from .per_label import PerLabel


class GradientBoosting(PerLabel):
    """scikit-learn's histogram gradient boosting; minutes where there are hundreds of labels.

    Args:
        seed: of the bins.
        rate: learning rate.
        trees: of each label.
    """

    family: ClassVar[Family] = "plain"

    def __init__(self, *, seed: int, rate: float = 0.1, trees: float = 100) -> None:
        super().__init__(seed=seed)
        self._rate, self._trees = positive("rate", rate), count("trees", trees)

    @classmethod
    def grid(cls, size: int) -> dict[str, tuple[float, ...]]:
        """Return learning rates from 0.01 to 0.3."""
        return {"rate": geometric(0.01, 0.3, size)}

    def classifier(self) -> Any:
        """Return the classifier of one label."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(
            learning_rate=self._rate, max_iter=self._trees, early_stopping=False, random_state=self.seed
        )
