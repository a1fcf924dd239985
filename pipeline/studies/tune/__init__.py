"""``d2ace tune``: search a method's settings with Ray Tune, and say what was found."""

from typing import TYPE_CHECKING

from ...common.lazy import on_first_use

if TYPE_CHECKING:
    from .execution import resume_sweep, tune
    from .summary import describe
    from .sweep import Sweep
    from .table import SweepFolder

__all__ = ["Sweep", "SweepFolder", "describe", "resume_sweep", "tune"]

__getattr__ = on_first_use(
    __name__,
    {
        "tune": "execution",
        "resume_sweep": "execution",
        "describe": "summary",
        "Sweep": "sweep",
        "SweepFolder": "table",
    },
)
