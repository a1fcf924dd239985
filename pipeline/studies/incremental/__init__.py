"""``d2ace incremental``: classes that arrive in tasks, one after the other."""

from typing import TYPE_CHECKING

from ...common.lazy import on_first_use

if TYPE_CHECKING:
    from .execution import incremental
    from .outcome import Outcome
    from .sequence import TaskSequence
    from .study import SequenceStudy
    from .study_execution import run_study
    from .study_text import describe_study
    from .table import describe

__all__ = [
    "Outcome",
    "SequenceStudy",
    "TaskSequence",
    "describe",
    "describe_study",
    "incremental",
    "run_study",
]

# A description needs neither Ray nor the networks.
__getattr__ = on_first_use(
    __name__,
    {
        "Outcome": "outcome",
        "SequenceStudy": "study",
        "TaskSequence": "sequence",
        "describe": "table",
        "describe_study": "study_text",
        "incremental": "execution",
        "run_study": "study_execution",
    },
)
