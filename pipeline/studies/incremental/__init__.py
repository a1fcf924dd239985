"""``d2ace incremental``: classes that arrive in tasks, one after the other."""

from typing import TYPE_CHECKING

from ...common.lazy import on_first_use

if TYPE_CHECKING:
    from .execution import incremental
    from .outcome import Outcome
    from .sequence import TaskSequence
    from .table import describe

__all__ = ["Outcome", "TaskSequence", "describe", "incremental"]

# A description needs neither Ray nor the networks.
__getattr__ = on_first_use(
    __name__,
    {"Outcome": "outcome", "TaskSequence": "sequence", "describe": "table", "incremental": "execution"},
)
