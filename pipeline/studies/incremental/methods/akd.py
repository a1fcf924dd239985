"""Asymmetric knowledge distillation: negatives count more in the labels, sure positives less in the teacher's words.

The idea is that of RebLL (Rebalancing Multi-Label Class-Incremental Learning, AAAI 2025) [paper], whose formulas were
not accessible: every form and constant here is [own].
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from ....models.old_class_losses import FORMS as OF_CLASSES
from .api import Method, Replay, checks_of
from .kd import distilling

STRESSES = ("negative-weight", "positive-focus", "asl", "bce")
"""Losses that the labels can have."""
FORMS: tuple[str, ...] = tuple(OF_CLASSES)


class AKD(Method):
    """A loss of the labels that stresses negatives, and a teacher whose sure positives count less. [own] forms.

    Args:
        loss: of the labels, one of ``STRESSES``; ``asl`` by its usual settings does the opposite.
        loss_options: its settings, such as ``eta`` of ``negative-weight``.
        form: of the distillation, a ``train.distillation.loss``.
        decay: its constant a.
        weight: of an entry of the teacher against one of the labels.
    """

    name: ClassVar[str] = "akd"
    replay: ClassVar[Replay] = "possible"

    def __init__(
        self,
        *,
        loss: str = "negative-weight",
        loss_options: Mapping[str, Any] | None = None,
        form: str = "positive-decay",
        decay: float = 1.0,
        weight: float = 1.0,
    ) -> None:
        checks = checks_of(self.name)
        self.loss, self.loss_options = checks.choice("loss", loss, STRESSES), dict(loss_options or {})
        self.form = checks.choice("form", form, FORMS)
        self.decay = checks.number("decay", decay, low=0)
        self.weight = checks.number("weight", weight, low=0)

    def settings(self, past: str | None) -> dict[str, Any]:
        """Return the loss of the labels, and the teacher, if there is one."""
        loss = {"train": {"loss": self.loss, "loss_options": self.loss_options}}
        taught = distilling(past, {"loss": self.form, "decay": self.decay, "weight": self.weight})
        return {"train": {**loss["train"], **taught.get("train", {})}}
