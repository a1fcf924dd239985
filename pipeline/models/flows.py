"""Densities of a latent code for each label, as conditional normalising flows.

B rows   L labels   D width of the code   U units of a sigmoidal flow
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import elu, linear, log_softmax, logsigmoid, softplus

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
_FLATTEST = 1e-6
"""Least slope of a unit: its logarithm stays finite."""


class LabelDensity(nn.Module):
    """log p(code | label): a neural autoregressive flow, then a scale and shift per label, to a standard normal.

    Source: Huang et al. 2018, "Neural Autoregressive Flows", section 3 [paper], with logarithms of both the sigmoid
    mixture and its complement, so that nothing needs clipping [own].

    Args:
        labels: L.
        latent: D.
        hidden: width of the autoregressive conditioner.
        units: U.
    """

    inner_mask: Tensor
    outer_mask: Tensor

    def __init__(self, labels: int, latent: int, *, hidden: int = 256, units: int = 16) -> None:
        super().__init__()
        self.latent, self.units = latent, units
        self.per_dimension = 3 * max(1, hidden // latent)
        inner, outer = autoregressive_masks(latent, hidden, self.per_dimension)
        self.register_buffer("inner_mask", inner, persistent=False)
        self.register_buffer("outer_mask", outer, persistent=False)
        self.inner = nn.Linear(latent, hidden)
        self.outer = nn.Linear(hidden, latent * self.per_dimension)
        self.label_codes = nn.Parameter(torch.empty(labels, hidden).uniform_(-1, 1) / math.sqrt(max(labels, 1)))
        self.to_units = nn.Linear(self.per_dimension, 3 * units)
        self.log_scale = nn.Parameter(torch.zeros(labels, latent))
        self.shift = nn.Parameter(torch.zeros(labels, latent))

    @property
    def floats_per_entry(self) -> int:
        """Floats that the backward pass needs kept for one row and one label."""
        return self.latent * (2 * self.per_dimension + 14 * self.units)

    def forward(self, code: Tensor, some: slice) -> Tensor:
        """Return log p(code | label) for some labels: (B, D) to float32 (B, labels of the slice)."""
        conditioned = linear(code, self.inner.weight * self.inner_mask, self.inner.bias).unsqueeze(1)
        hidden = elu(conditioned + self.label_codes[some])
        outer = linear(hidden, self.outer.weight * self.outer_mask, self.outer.bias)
        parameters = self.to_units(outer.unflatten(-1, (self.latent, self.per_dimension))).float()
        value, log_slope = _sigmoidal_flow(code.float()[:, None, :, None], parameters)
        final = value * torch.exp(self.log_scale[some]) + self.shift[some]
        log_density = -0.5 * final**2 - _HALF_LOG_TWO_PI + log_slope + self.log_scale[some]
        return log_density.sum(dim=2)


def _sigmoidal_flow(code: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    """Return logit(sum_u w_u sigmoid(a_u x + b_u)) and the logarithm of its slope; both (B, l, D).

    Args:
        code: (B, 1, D, 1).
        parameters: (B, l, D, 3 U): a before softplus, b, w before softmax.
    """
    raw_slopes, offsets, raw_weights = parameters.chunk(3, dim=-1)
    slopes = softplus(raw_slopes) + _FLATTEST
    log_weights = log_softmax(raw_weights, dim=-1)
    inside = slopes * code + offsets
    log_up, log_down = logsigmoid(inside), logsigmoid(-inside)
    log_mixture = torch.logsumexp(log_weights + log_up, dim=-1)
    log_rest = torch.logsumexp(log_weights + log_down, dim=-1)
    log_slope = torch.logsumexp(log_weights + log_up + log_down + torch.log(slopes), dim=-1)
    return log_mixture - log_rest, log_slope - log_mixture - log_rest


def autoregressive_masks(latent: int, hidden: int, per_dimension: int) -> tuple[Tensor, Tensor]:
    """Return 0/1 masks (hidden, D) and (D * per_dimension, hidden): parameters of dimension i see only those before i.

    Hidden units of degree m see the first m dimensions, m = 0..D-1; those of degree 0 carry the label alone, which
    even the first dimension may see.

    Source: Germain et al. 2015, "MADE" [paper].
    """
    degrees = torch.arange(hidden) % latent
    inner = torch.arange(latent) < degrees[:, None]
    outer = degrees <= torch.arange(latent)[:, None]
    return inner.float(), outer.float().repeat_interleave(per_dimension, dim=0)
