"""The labels of the nearest training rows."""

from typing import Any, ClassVar

import numpy as np

from .api import Family, Rival, count, geometric


class NearestNeighbours(Rival):
    """The share of a row's nearest training rows that have a label, nearer ones counting more.

    Args:
        seed: of no account.
        neighbours: K; no more than there are training rows.
    """

    family: ClassVar[Family] = "plain"
    _model: Any

    def __init__(self, *, seed: int, neighbours: float = 10) -> None:
        super().__init__(seed=seed)
        self._neighbours = count("neighbours", neighbours)

    @classmethod
    def grid(cls, size: int) -> dict[str, tuple[float, ...]]:
        """Return numbers of neighbours from 3 to 100."""
        return {"neighbours": tuple(dict.fromkeys(float(round(k)) for k in geometric(3, 100, size)))}

    def fit(self, features: np.ndarray, labels: np.ndarray) -> None:
        """Keep the rows; a mean of 0 and 1 weighted by nearness is the share of them."""
        from sklearn.neighbors import KNeighborsRegressor

        model = KNeighborsRegressor(min(self._neighbours, len(features)), weights="distance")
        self._model = model.fit(features, labels.astype(np.float32))

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return the shares."""
        found: np.ndarray = self._model.predict(features)
        return found.reshape(len(features), -1).astype(np.float32)
