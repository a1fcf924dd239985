"""SPLC: a negative that the network is sure of being positive is trained as one.

B rows of a batch   L labels
"""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from .hill import focal_positive


def splc(
    logits: Tensor,
    labels: Tensor,
    *,
    tau: float = 0.6,
    from_epoch: int = 1,
    margin: float = 1.0,
    gamma: float = 2.0,
    epoch: int = 0,
) -> Tensor:
    """Self-paced loss correction of each entry; (B, L).

    Positives lose ``-(1 - q)**gamma * log q`` with ``q = sigmoid(z - margin)``, negatives ``-p**gamma * log(1 - p)``.
    From ``from_epoch`` on (from 0) a negative with a probability above ``tau`` has the loss of a positive, without the
    margin, as in the released program.

    Source: Zhang et al. 2021, "Simple and Robust Loss Design for Multi-Label Learning with Missing Labels" [paper].
    """
    log_p, log_rest = logsigmoid(logits), logsigmoid(-logits)
    losses = labels * focal_positive(logits, margin, gamma) - (1 - labels) * log_rest * (gamma * log_p).exp()
    if epoch < from_epoch:
        return losses
    corrected = (log_p.detach().exp() > tau) & (labels < 1)
    return torch.where(corrected, focal_positive(logits, 0.0, gamma), losses)
