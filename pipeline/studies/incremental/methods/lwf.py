"""Learning without forgetting: distillation on the rows of the new task alone."""

from typing import ClassVar

from .api import Replay
from .kd import KD


class LwF(KD):
    """As ``kd``, without exemplars.

    Source: Li & Hoiem 2016, "Learning without Forgetting" [paper]; with a sigmoid a class and no temperature, as
    multi-label programs have it [field].

    Args:
        weight: of an entry of the teacher against one of the labels.
    """

    name: ClassVar[str] = "lwf"
    replay: ClassVar[Replay] = "never"
