"""What a network loses when it forgets what its teacher says of the old classes: forms of distillation.

The binary form compares each old class by itself, as multi-label class-incremental learning does [field]. The forms
that count a teacher's sure positives less are the asymmetric distillation of RebLL (AAAI 2025), of whose formula only
the idea is accessible: an exponential factor that decays with the teacher's confidence [paper]; all else is [own].

B rows of a batch   K old classes
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus


@dataclass(frozen=True)
class Confidence:
    """How a teacher's confidence counts.

    Attributes:
        decay: a of the factor ``exp(-a q)``, 0 or more; with 0 every form is ``kd``.
        old_share: K over the number of all classes seen so far, in (0, 1].
    """

    decay: float = 1.0
    old_share: float = 1.0


def kd(logits: Tensor, q: Tensor, _: Confidence) -> Tensor:
    """Return ``-(q log p + (1 - q) log(1 - p))`` of each entry, least at p = q; (B, K)."""
    return _weighted(logits, q, torch.ones_like(q), torch.ones_like(q))


def positive_decay(logits: Tensor, q: Tensor, confidence: Confidence) -> Tensor:
    """Return ``-(w q log p + (1 - q) log(1 - p))`` with ``w = exp(-a q)`` of each entry; (B, K). [own].

    It is least at ``p = w q / (w q + 1 - q)``, below q: it lowers false positives, and costs recall where a is large
    (of q = 0.9 remain 0.785 with a = 1, 0.598 with a = 2).
    """
    return _weighted(logits, q, torch.exp(-confidence.decay * q), torch.ones_like(q))


def full_decay(logits: Tensor, q: Tensor, confidence: Confidence) -> Tensor:
    """Return ``exp(-a q)`` times the ``kd`` of each entry, least at p = q; (B, K). [own]."""
    weight = torch.exp(-confidence.decay * q)
    return _weighted(logits, q, weight, weight)


def task_adaptive(logits: Tensor, q: Tensor, confidence: Confidence) -> Tensor:
    """Return ``positive_decay`` with a times the share of the classes seen that are old; (B, K). [own]."""
    return positive_decay(logits, q, Confidence(confidence.decay * confidence.old_share))


def _weighted(logits: Tensor, q: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Return the cross-entropy to soft targets q, both of its parts weighted; by logits, so that it stays finite."""
    return -positive * q * logsigmoid(logits) + negative * (1 - q) * softplus(logits)


FORMS: dict[str, Callable[[Tensor, Tensor, Confidence], Tensor]] = {
    "kd": kd,
    "positive-decay": positive_decay,
    "full-decay": full_decay,
    "task-adaptive": task_adaptive,
}
"""The forms by name, as ``train.distillation.loss`` has them."""
