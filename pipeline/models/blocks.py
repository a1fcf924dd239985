"""Parts that several networks share: dense layers, Gaussian latent codes, work cut into chunks of labels or rows."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

FLOATS_AT_ONCE = 64_000_000
"""Floats that one chunk may keep for its backward pass, 256 MB."""


def dense(sizes: Sequence[int], *, dropout: float = 0.0, slope: float = 0.0, last: bool = True) -> nn.Sequential:
    """Return linear layers ``sizes[0] -> sizes[1] -> ...``, each with a (leaky) rectifier and dropout.

    Weights start as He et al. 2015 with small positive biases, as the papers' programs do [released].

    Args:
        sizes: widths, input first.
        dropout: share of units left out after each rectifier in training.
        slope: of the rectifier below zero.
        last: whether the last layer has rectifier and dropout too.
    """
    layers: list[nn.Module] = []
    for position, (width, size) in enumerate(pairwise(sizes)):
        linear = nn.Linear(width, size)
        nn.init.kaiming_uniform_(linear.weight, a=slope, nonlinearity="leaky_relu")
        nn.init.uniform_(linear.bias, 0, 0.1)
        layers.append(linear)
        if last or position < len(sizes) - 2:
            layers += [nn.LeakyReLU(slope) if slope else nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers)


class Gaussian(nn.Module):
    """Dense layers, then the mean and log-variance of a Gaussian code; float32 even under autocast.

    Args:
        sizes: widths of the dense layers, input first.
        latent: D, width of the code.
        dropout: of the dense layers.
    """

    def __init__(self, sizes: Sequence[int], latent: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.body = dense(sizes, dropout=dropout)
        self.mean = nn.Linear(sizes[-1], latent)
        self.log_variance = nn.Linear(sizes[-1], latent)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance, each (B, D)."""
        hidden = self.body(inputs)
        return self.mean(hidden).float(), self.log_variance(hidden).float()


def sample(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return a draw of each Gaussian with a gradient to both parameters (Kingma & Welling 2014 [paper])."""
    return mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)


def kl_divergence(mean: Tensor, log_variance: Tensor, other_mean: Tensor, other_log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, var) || N(other_mean, other_var)) of diagonal Gaussians, summed over the code: (B,)."""
    ratio = torch.exp(log_variance - other_log_variance)
    distance = (mean - other_mean) ** 2 * torch.exp(-other_log_variance)
    return 0.5 * (other_log_variance - log_variance - 1 + ratio + distance).sum(dim=1)


def in_chunks(function: Callable[[slice], Tensor], total: int, floats_each: int, dim: int) -> Tensor:
    """Return ``function`` of all ``total`` labels (or rows), computed so that memory stays bounded.

    More than one chunk are recomputed in the backward pass, a third more work, instead of being kept. The chunks
    depend on sizes only, so the result is the same on every worker. ``function`` must draw no random numbers. A network
    that is exported takes batches of any size, of which no number of chunks can be made: there it is one.

    Args:
        function: maps a slice of 0..total to a tensor with that many entries along ``dim``.
        total: number of labels or rows.
        floats_each: floats that the backward pass needs kept per label or row.
        dim: along which results are joined.
    """
    if torch.compiler.is_exporting():
        return function(slice(0, total))
    size = max(1, FLOATS_AT_ONCE // max(floats_each, 1))
    pieces = [slice(start, min(start + size, total)) for start in range(0, total, size)]
    if len(pieces) == 1:
        return function(pieces[0])
    if not torch.is_grad_enabled():
        return torch.cat([function(piece) for piece in pieces], dim)
    kept = [checkpoint(function, piece, use_reentrant=False, preserve_rng_state=False) for piece in pieces]
    return torch.cat(kept, dim)
