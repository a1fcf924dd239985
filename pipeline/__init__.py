"""Everything that runs on Ray: data, models, the selection actor, training, evaluation and prediction."""

from typing import TYPE_CHECKING

from .lazy import on_first_use

if TYPE_CHECKING:
    from .evaluation import evaluate
    from .prediction import predict
    from .train import fit

__all__ = ["evaluate", "fit", "predict"]

__getattr__ = on_first_use(__name__, {"fit": "train", "evaluate": "evaluation", "predict": "prediction"})
