"""Everything that runs on Ray: data, models, the selection actor, training, evaluation and prediction."""

from typing import TYPE_CHECKING

from .common.lazy import on_first_use
from .common.moved import find_moved_modules

if TYPE_CHECKING:
    from .results.evaluation import evaluate
    from .results.notebook import Run
    from .results.prediction import predict
    from .training.driver import fit

__all__ = ["Run", "evaluate", "fit", "predict"]

__getattr__ = on_first_use(
    __name__,
    {
        "Run": "results.notebook",
        "evaluate": "results.evaluation",
        "fit": "training.driver",
        "predict": "results.prediction",
    },
)
find_moved_modules(__name__)
