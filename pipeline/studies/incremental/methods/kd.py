"""Experience replay with knowledge distillation: the network of the task before teaches the old classes."""

from typing import Any, ClassVar

from .api import Method, Replay, checks_of


class KD(Method):
    """As ``er``, and the task before teaches the old classes on all rows, by binary cross-entropy.

    Source: Hinton et al. 2015 for distillation [paper], one class at a time [field].

    Args:
        weight: of an entry of the teacher against one of the labels.
    """

    name: ClassVar[str] = "kd"
    replay: ClassVar[Replay] = "needed"

    def __init__(self, *, weight: float = 1.0) -> None:
        self.weight = checks_of(self.name).number("weight", weight, low=0)

    def settings(self, past: str | None) -> dict[str, Any]:
        """Return the teacher, if there is one."""
        return distilling(past, {"loss": "kd", "weight": self.weight})


def distilling(past: str | None, section: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration in which the task before teaches; nothing in the first task."""
    return {} if past is None else {"train": {"distillation": {"teacher": past, **section}}}
