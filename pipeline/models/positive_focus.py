"""Binary cross-entropy whose positives stop counting when they are predicted well, so that negatives count more.

B rows of a batch   L labels
"""

from torch import Tensor
from torch.nn.functional import softplus

from .hill import focal_positive


def positive_focus(logits: Tensor, labels: Tensor, *, gamma: float = 2.0) -> Tensor:
    """Return ``-(y (1 - p)**gamma log p + (1 - y) log(1 - p))`` of each entry; (B, L).

    With ``gamma`` 0 it is the ``bce``. The idea, that a class-incremental task must stress its negatives, is that of
    RebLL (AAAI 2025) [paper]; this form and its default are this project's [own].
    """
    return labels * focal_positive(logits, 0.0, gamma) + (1 - labels) * softplus(logits)
