"""Binary cross-entropy whose negatives count more: where a task shows few labels, most of what it shows is positive.

B rows of a batch   L labels
"""

from torch import Tensor
from torch.nn.functional import logsigmoid


def negative_weight(logits: Tensor, labels: Tensor, *, eta: float = 2.0) -> Tensor:
    """Return ``-(y log p + eta (1 - y) log(1 - p))`` of each entry; (B, L).

    With ``eta`` 1 it is the ``bce``. The idea, that a class-incremental task must stress its negatives, is that of
    RebLL (AAAI 2025) [paper]; this form and its default are this project's [own].
    """
    return -(labels * logsigmoid(logits) + eta * (1 - labels) * logsigmoid(-logits))
