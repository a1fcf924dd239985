"""Everything that runs on Ray: data, models, the selection actor, training, evaluation and prediction."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .evaluation import evaluate
    from .prediction import predict
    from .train import fit

__all__ = ["evaluate", "fit", "predict"]

_HOMES = {"fit": "train", "evaluate": "evaluation", "predict": "prediction"}


def __getattr__(name: str) -> Any:
    """Import a verb on first use, so that ``import d2ace.pipeline`` stays cheap."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
