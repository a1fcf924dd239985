"""Dark experience replay: an exemplar is stored with the logits that its own task gave it.

Source: Buzzega, Boschi, Porrello, Abati and Calderara, Dark Experience for General Continual Learning, NeurIPS 2020:
DER++, a squared distance to the stored logits beside the labels of the exemplars [paper]. There logits are stored while
a stream passes, here at the end of a task, with a sigmoid a class [own].
"""

from typing import Any, ClassVar

from .api import Method, Replay, checks_of


class DER(Method):
    """As ``er``, and what an exemplar's logits were when it was stored is kept up, by squared distance (DER++).

    Args:
        weight: of a stored logit against an entry of the labels; alpha of the paper.
    """

    name: ClassVar[str] = "der++"
    replay: ClassVar[Replay] = "needed"
    keeps_logits: ClassVar[bool] = True

    def __init__(self, *, weight: float = 0.5) -> None:
        self.weight = checks_of(self.name).number("weight", weight, low=0)

    def settings(self, past: str | None) -> dict[str, Any]:
        """Return how far logits count; which ones, the sequence says."""
        return {} if past is None else {"train": {"distillation": {"loss": "logits", "weight": self.weight}}}
