"""Losses of each (row, label) entry: what trains the network and what the selector sees.

B rows of a batch   L labels
"""

import inspect
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from ...selectors.common.registry import settings_of
from ...selectors.common.settings import Checks
from ..common.errors import ConfigError
from .known import LOSSES

_TINY = 1e-7
"""Distance that a shifted probability keeps from 0 and 1."""
_SURE = -30.0
"""Logit of a negative that nobody doubts."""
_GIVEN = ("epoch", "known")
"""What a formula may ask for beside its settings: the epoch, from 0, and which entries are known, bool (B, L)."""


def bce(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy of each entry, -log of the probability given to the truth; (B, L), nats."""
    return binary_cross_entropy_with_logits(logits, labels, reduction="none")


def asl(
    logits: Tensor, labels: Tensor, *, gamma_neg: float = 4.0, gamma_pos: float = 1.0, clip: float = 0.05
) -> Tensor:
    """Asymmetric loss of each entry; (B, L).

    Positives lose ``-(1 - p)**gamma_pos * log p``, negatives ``-q**gamma_neg * log(1 - q)`` with the shifted
    probability ``q = max(p - clip, 0)``, so easy negatives stop mattering. All gammas and the clip 0: the ``bce``.
    Unlike the authors' program the focusing weights carry gradient, as the formula says.

    Source: Ridnik et al. 2021, "Asymmetric Loss For Multi-Label Classification", equations 4 to 7 [paper].
    """
    # Powers as exponentials of log-probabilities: their gradient stays finite where a probability reaches 0.
    log_p, log_q = logsigmoid(logits), logsigmoid(-logits)
    positive = -log_p * (gamma_pos * log_q).exp()
    if clip:
        shifted = (log_p.exp() - clip).clamp(_TINY, 1 - _TINY)
        negative = -torch.log1p(-shifted) * shifted**gamma_neg
    else:
        negative = -log_q * (gamma_neg * log_p).exp()
    return labels * positive + (1 - labels) * negative


def names() -> list[str]:
    """Return the names of all criteria, sorted."""
    return LOSSES.names()


def check_options(kind: str, options: Mapping[str, Any]) -> None:
    """Raise ConfigError (with "did you mean") unless ``Criterion(kind, options)`` would work."""
    known = settings_of(LOSSES.find(kind), ("logits", "labels", *_GIVEN))
    LOSSES.check_settings(kind, options, known)
    checks = Checks(ConfigError, f"loss {kind!r}")
    for key, value in options.items():
        checks.number(key, value, low=0.0, below=1.0 if key == "clip" else float("inf"))


class Criterion:
    """A loss of entries with its options, checked when it is made.

    Args:
        kind: a name of ``names()``, or ``package.module:function``.
        options: the criterion's own, see ``check_options``; None for its defaults.

    Raises:
        ConfigError: for an unknown criterion or option.
    """

    def __init__(self, kind: str = "bce", options: Mapping[str, float] | None = None) -> None:
        check_options(kind, options or {})
        formula = LOSSES.find(kind)
        self._given = [name for name in _GIVEN if name in inspect.signature(formula).parameters]
        self._formula = partial(formula, **(options or {}))

    def __call__(self, logits: Tensor, labels: Tensor, epoch: int = 0) -> Tensor:
        """Return the loss of each entry, float32 (B, L), computed in float32 even under autocast.

        An unknown entry has a loss of exactly 0, and no gradient.

        Args:
            logits: (B, L), any float dtype.
            labels: (B, L), 0..1, NaN for unknown, any dtype.
            epoch: from 0, for criteria that change with it.

        Raises:
            ValueError: when the shapes differ.
        """
        if logits.shape != labels.shape:
            raise ValueError(f"logits are {tuple(logits.shape)} but labels are {tuple(labels.shape)}")
        with torch.autocast(logits.device.type, enabled=False):
            given = labels.float()
            unknown = given.isnan()
            settings = {name: {"epoch": epoch, "known": ~unknown}[name] for name in self._given}
            # there a sure negative, which no criterion takes for anything else, and no gradient passes
            scores, truth = logits.float().masked_fill(unknown, _SURE), given.masked_fill(unknown, 0.0)
            entries = self._formula(scores, truth, **settings)
            return entries.masked_fill(unknown, 0.0)


_BCE = Criterion()


def entry_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the binary cross-entropy of each entry, float32 (B, L): ``Criterion("bce")``."""
    return _BCE(logits, labels)


def row_losses(entry: Tensor) -> Tensor:
    """Return each row's loss, the mean over all labels, where unknown ones add 0: (B, L) to (B,)."""
    return entry.mean(dim=1)
