"""Hill loss: negatives that look very much like positives lose less and less.

B rows of a batch   L labels
"""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def hill(logits: Tensor, labels: Tensor, *, lamb: float = 1.5, margin: float = 1.0, gamma: float = 2.0) -> Tensor:
    """Hill loss of each entry; (B, L).

    Negatives lose ``(lamb - p) * p**2``, which falls again near p = 1, where a negative is probably a positive that
    nobody named. Positives lose ``-(1 - q)**gamma * log q`` with ``q = sigmoid(z - margin)``.

    Source: Zhang et al. 2021, "Simple and Robust Loss Design for Multi-Label Learning with Missing Labels" [paper].
    """
    p = torch.sigmoid(logits)
    negative = (lamb - p) * p**2
    return labels * focal_positive(logits, margin, gamma) + (1 - labels) * negative


def focal_positive(logits: Tensor, margin: float, gamma: float) -> Tensor:
    """Return ``-(1 - q)**gamma * log q`` of each entry, ``q = sigmoid(z - margin)``; (B, L)."""
    log_q, log_rest = logsigmoid(logits - margin), logsigmoid(margin - logits)
    return -log_q * (gamma * log_rest).exp()
