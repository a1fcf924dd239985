"""PACA: each label is a pair of probabilistic prototypes, rows are classified by their densities.

Source: Hang & Zhang & Feng & Song 2022, "End-to-End Probabilistic Label-Specific Feature Learning for Multi-Label
Classification" [paper]; sizes and weights as in the authors' program [released].
"""

import math
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from .api import ModelContext, MultiLabelModel, Output, checks_of
from .blocks import Gaussian, dense, in_chunks, kl_divergence, sample
from .flows import LabelDensity
from .losses import entry_losses

_RECONSTRUCTIONS = ("mse", "bce")


class PACA(MultiLabelModel):
    """Aligned probabilistic autoencoders of features and labels; flow densities of positive and negative prototypes.

    The logit of a label is log p(z | positive prototype) - log p(z | negative prototype), whose sigmoid is the
    softmax over the two. Features are expected in 0..1: the reconstruction ends in a sigmoid.

    Args:
        context: what to build for.
        dropout: share of the encoders' units left out in training.
        label_weight: weight of the label autoencoder, gamma.
        class_weight: weight of the classification, alpha.
        reconstruction: ``mse``, or ``bce`` for binary features.

    Costs B L D 48 exponentials several times over, D = ceil(d / 2): wide label sets are slow, but stay in memory.
    """

    name: ClassVar[str] = "paca"
    entrywise: ClassVar[bool] = False

    def __init__(
        self,
        context: ModelContext,
        *,
        dropout: float = 0.1,
        label_weight: float = 10.0,
        class_weight: float = 2.0,
        reconstruction: str = "mse",
    ) -> None:
        super().__init__(context)
        checks = checks_of(self.name)
        checks.number("dropout", dropout, low=0, below=1)
        checks.number("label_weight", label_weight, low=0)
        checks.number("class_weight", class_weight, low=0)
        checks.choice("reconstruction", reconstruction, _RECONSTRUCTIONS)
        inputs, labels = context.input_shape[0], context.n_labels
        latent = math.ceil(inputs / 2)
        self.label_weight, self.class_weight, self.reconstruction = label_weight, class_weight, reconstruction
        self.n_labels = labels
        self.encoder = Gaussian([inputs, 256, 512, 256], latent, dropout)
        self.decoder = dense([latent, 256, 512, 256, inputs], last=False)
        self.label_encoder = Gaussian([labels, 512, 256], latent, dropout)
        self.label_decoder = dense([latent, 256, 512, labels], last=False)
        self.instance_map = dense([inputs + latent, 256, 256, latent], last=False)
        self.positive, self.negative = LabelDensity(labels, latent), LabelDensity(labels, latent)

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Output:
        """Return the logits and, with labels, each row's loss."""
        mean, log_variance = self.encoder(features)
        code = sample(mean, log_variance) if self.training else mean
        mapped = self.instance_map(torch.cat([features, code], dim=1))
        floats = 2 * mapped.shape[0] * self.positive.floats_per_entry
        logits = in_chunks(lambda some: self._log_ratio(mapped, some), self.n_labels, floats, dim=1)
        if labels is None:
            return Output(logits)
        loss = (
            self._reconstruction_loss(mapped, features)
            + self.label_weight * self._label_loss(labels, mean, log_variance)
            + self.class_weight * entry_losses(logits, labels).sum(dim=1)
        )
        return Output(logits, loss)

    def _log_ratio(self, mapped: Tensor, some: slice) -> Tensor:
        return self.positive(mapped, some) - self.negative(mapped, some)

    def _reconstruction_loss(self, mapped: Tensor, features: Tensor) -> Tensor:
        rebuilt = self.decoder(mapped).float()
        if self.reconstruction == "bce":
            return binary_cross_entropy_with_logits(rebuilt, features, reduction="none").sum(dim=1)
        return ((torch.sigmoid(rebuilt) - features) ** 2).sum(dim=1)

    def _label_loss(self, labels: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
        """Return KL(q(z | features) || q(z | labels)) + the loss of rebuilding the labels, (B,)."""
        label_mean, label_log_variance = self.label_encoder(labels)
        code = sample(label_mean, label_log_variance) if self.training else label_mean
        rebuilt = entry_losses(self.label_decoder(code), labels).sum(dim=1)
        return kl_divergence(mean, log_variance, label_mean, label_log_variance) + rebuilt
