"""Large-loss rejection and correction: in each batch the negatives of largest loss are taken for missing positives.

Source: Kim et al., *Large Loss Matters in Weakly Supervised Multi-Label Classification*, CVPR 2022 [paper]: the
share of rejected entries grows by ``rise`` an epoch. What goes through the network at once counts as the batch, a
micro-batch here [own]. Entries whose label is unknown are neither counted nor rejected [own].

B rows of a batch   L labels
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, softplus


def large_loss_rejection(
    logits: Tensor, labels: Tensor, *, rise: float = 0.002, epoch: int = 0, known: Tensor | None = None
) -> Tensor:
    """LL-R of each entry, binary cross-entropy with the largest losses of negatives set to 0; (B, L)."""
    loss = binary_cross_entropy_with_logits(logits, labels, reduction="none")
    return loss.masked_fill(_largest(loss.detach(), labels, known, rise * epoch), 0.0)


def large_loss_correction(
    logits: Tensor, labels: Tensor, *, rise: float = 0.002, epoch: int = 0, known: Tensor | None = None
) -> Tensor:
    """LL-Ct of each entry, binary cross-entropy with the negatives of largest loss trained as positives; (B, L)."""
    loss = binary_cross_entropy_with_logits(logits, labels, reduction="none")
    return torch.where(_largest(loss.detach(), labels, known, rise * epoch), softplus(-logits), loss)


def _largest(loss: Tensor, labels: Tensor, known: Tensor | None, share: float) -> Tensor:
    """Return where the largest losses of negatives are, bool (B, L): a share of all known entries, or all negatives."""
    among = torch.ones_like(labels, dtype=torch.bool) if known is None else known
    negative = among & (labels == 0)
    count = min(math.ceil(int(among.sum()) * min(share, 1.0)), int(negative.sum()))
    chosen = torch.zeros(loss.numel(), dtype=torch.bool, device=loss.device)
    chosen[loss.masked_fill(~negative, -1.0).flatten().topk(count).indices] = True
    return chosen.view_as(loss)
