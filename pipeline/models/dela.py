"""DELA: label-specific features by noise on what a label does not need.

Source: Hang & Zhang 2022, "Dual Perspective of Label-Specific Feature Learning for Multi-Label Classification"
[paper]; sizes and initial values as in the authors' program [released].
"""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from .api import ModelContext, MultiLabelModel, Output, checks_of
from .blocks import Gaussian, dense, in_chunks
from .losses import entry_losses

_TEMPERATURE = 2 / 3
_TINY = 1e-6


class DELA(MultiLabelModel):
    """A latent code whose dimensions are perturbed, per label, where a learned gate says they carry nothing.

    In training the gates are drawn from a binary Concrete distribution for each forward pass; evaluation adds no
    noise, so all labels share one code.

    Args:
        context: what to build for.
        hidden: width H of the layers; those in the middle of the encoder and at the end of the decoder have 2 H.
        dropout: share of the encoder's units left out in training.
        kl_weight: weight of the divergence that makes noise cheap.

    A training pass costs B L (H D + 2 H^2) multiplications, D = ceil(d / 2); an evaluation 1/L of that.
    """

    name: ClassVar[str] = "dela"
    entrywise: ClassVar[bool] = False

    def __init__(
        self, context: ModelContext, *, hidden: int = 256, dropout: float = 0.2, kl_weight: float = 1e-4
    ) -> None:
        super().__init__(context)
        checks = checks_of(self.name)
        hidden = checks.whole("hidden", hidden, at_least=1)
        checks.number("dropout", dropout, low=0, below=1)
        checks.number("kl_weight", kl_weight, low=0)
        inputs, labels = context.input_shape[0], context.n_labels
        latent = math.ceil(inputs / 2)
        self.kl_weight, self.inputs_width = kl_weight, inputs
        self.encoder = Gaussian([inputs, hidden, 2 * hidden, hidden], latent, dropout)
        self.gate_logits = nn.Parameter(torch.empty(labels, latent).uniform_(-10, 10))
        self.gate_scale = nn.Linear(latent, latent)
        nn.init.constant_(self.gate_scale.bias, 2.0)
        self.decoder_first = dense([inputs + latent, hidden], last=False)
        self.decoder_second = dense([hidden, 2 * hidden])
        bound = 1 / math.sqrt(2 * hidden)
        self.heads = nn.Parameter(torch.empty(labels, 2 * hidden).uniform_(-bound, bound))
        self.head_biases = nn.Parameter(torch.empty(labels).uniform_(-bound, bound))

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Output:
        """Return the logits and, with labels, each row's loss: sum of its entries' BCE + ``kl_weight`` KL."""
        code, log_variance = self.encoder(features)
        if not self.training:
            hidden = self.decoder_second(torch.relu(self._first(features, code)))
            logits = hidden @ self.heads.T.to(hidden.dtype) + self.head_biases
            return Output(logits, None if labels is None else entry_losses(logits, labels).sum(dim=1))
        gates = concrete_gates(self.gate_scale(self.gate_logits).float())
        noise = torch.exp(0.5 * log_variance) * torch.randn_like(code)
        logits = self._noisy_logits(features, code, gates, noise)
        if labels is None:
            return Output(logits)
        divergence = _noise_divergence(code, log_variance, gates)
        return Output(logits, entry_losses(logits, labels).sum(dim=1) + self.kl_weight * divergence)

    def _first(self, features: Tensor, code: Tensor) -> Tensor:
        """Return the decoder's first layer of [features; code] before its rectifier, (B, H)."""
        return self.decoder_first(torch.cat([features, code.to(features.dtype)], dim=1))

    def _noisy_logits(self, features: Tensor, code: Tensor, gates: Tensor, noise: Tensor) -> Tensor:
        # The first layer is linear: what labels share is computed once, each label adds its gated noise.
        shared = self._first(features, code).unsqueeze(1)
        weight = self.decoder_first.get_parameter("0.weight")[:, self.inputs_width :]

        def score(some: slice) -> Tensor:
            hidden = self.decoder_second(torch.relu(shared + _gated(noise, gates[some], weight)))
            return (hidden * self.heads[some]).sum(dim=2) + self.head_biases[some]

        width = weight.shape[0]
        return in_chunks(score, len(gates), min(len(code), width) * code.shape[1] + 8 * len(code) * width, dim=1)


def _gated(noise: Tensor, gates: Tensor, weight: Tensor) -> Tensor:
    """Return (B, L, H): for every label its gated noise (B, D) through ``weight``, (H, D).

    The gates go to the noise, B L D numbers, or to the weights, H L D numbers: whichever are fewer.
    """
    if len(noise) <= len(weight):
        return linear(noise.unsqueeze(1) * gates, weight)
    gated = (gates.unsqueeze(1) * weight).flatten(0, 1)
    return linear(noise, gated).unflatten(1, (len(gates), len(weight)))


def concrete_gates(logits: Tensor) -> Tensor:
    """Draw 0/1 gates, (L, D), whose gradient is that of the relaxed gates (straight through).

    Source: Maddison et al. 2017, "The Concrete Distribution", appendix B [paper].
    """
    uniform = torch.rand_like(logits).clamp(_TINY, 1 - _TINY)
    soft = torch.sigmoid((logits + torch.log(uniform) - torch.log1p(-uniform)) / _TEMPERATURE)
    return (soft > 0.5).to(soft.dtype) + (soft - soft.detach())


def _noise_divergence(code: Tensor, log_variance: Tensor, gates: Tensor) -> Tensor:
    """Return the mean over labels of KL(N(code, gates^2 variance) || N(0, 1)), (B,).

    Sums over the code come first, as products of matrices: no (B, L, D) tensor.
    """
    own = -torch.log(gates + _TINY).sum(dim=1).mean()
    shared = (code**2 - log_variance - 1).sum(dim=1)
    gated = torch.exp(log_variance) @ (gates**2).mean(dim=0)
    return own + 0.5 * (shared + gated)
