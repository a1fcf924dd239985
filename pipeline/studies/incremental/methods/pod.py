"""Distillation of features: the network's inner features stay where the task before had them.

Source: Douillard, Cord, Ollion, Robert and Valle, PODNet: Pooled Outputs Distillation for Small-Tasks Incremental
Learning, ECCV 2020 [paper], of which this is the part "POD-flat" on the final features alone: the maps within the
network are not compared, since not every network here has them, and the classifier is the one of all other methods.
"""

from typing import Any, ClassVar

from .api import Method, Replay, checks_of
from .kd import distilling


class POD(Method):
    """As ``er``, and the task before teaches the inner features, not the classes (PODNet's last part).

    Args:
        weight: of the squared distance, times sqrt(classes seen / new classes).
    """

    name: ClassVar[str] = "pod-flat"
    replay: ClassVar[Replay] = "needed"

    def __init__(self, *, weight: float = 1.0) -> None:
        self.weight = checks_of(self.name).number("weight", weight, low=0)

    def settings(self, past: str | None) -> dict[str, Any]:
        """Return the teacher, if there is one."""
        return distilling(past, {"loss": "features", "weight": self.weight})
