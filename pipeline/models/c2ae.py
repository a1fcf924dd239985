"""C2AE: a canonical-correlated autoencoder of the labels, entered from the features.

Source: Yeh et al. 2017, "Learning Deep Latent Spaces for Multi-Label Classification" [paper] and the authors' program
[released], with the differences named in the class.
"""

from typing import ClassVar

import torch
from torch import Tensor

from .api import ModelContext, MultiLabelModel, Output, checks_of
from .blocks import dense
from .mpvae import ranking_loss

_SLOPE = 0.1


class C2AE(MultiLabelModel):
    """Features and labels are mapped to one latent space, from which one decoder tells the labels.

    The decoder and the label encoder learn from the decoding loss; the feature encoder learns only to agree with the
    label encoder, as in the authors' program. Differences [own]: the decoding loss acts on probabilities, and compares
    each label with a virtual one of probability 0.5 too (calibrated label ranking, Fuernkranz et al. 2008), because
    differences between labels alone leave open where to cut; latent distances are means over the latent dimensions.

    The penalty keeps the latent dimensions decorrelated over the rows of a micro-batch. It is the one term in which
    rows meet; it exists in training only, and micro-batches are the same for every number of workers.

    Args:
        context: what to build for.
        hidden: widths of the feature encoder; label encoder and decoder have the last of them.
        reduction: latent width as a share of L.
        dropout: share of hidden units left out in training.
        decoding_weight: weight of the decoding loss, alpha.
        correlation_weight: weight of the decorrelation, lambda.
    """

    name: ClassVar[str] = "c2ae"
    entrywise: ClassVar[bool] = False

    def __init__(
        self,
        context: ModelContext,
        *,
        hidden: tuple[int, ...] = (512, 512),
        reduction: float = 0.8,
        dropout: float = 0.0,
        decoding_weight: float = 2.0,
        correlation_weight: float = 0.5,
    ) -> None:
        super().__init__(context)
        checks = checks_of(self.name)
        hidden = checks.widths("hidden", hidden)
        checks.number("reduction", reduction, low=0)
        checks.number("dropout", dropout, low=0, below=1)
        checks.number("decoding_weight", decoding_weight, low=0)
        checks.number("correlation_weight", correlation_weight, low=0)
        inputs, labels = context.input_shape[0], context.n_labels
        latent = max(1, round(labels * reduction))
        self.decoding_weight, self.correlation_weight = decoding_weight, correlation_weight
        settings = {"dropout": dropout, "slope": _SLOPE}
        self.encoder = dense([inputs, *hidden, latent], last=False, **settings)
        self.label_encoder = dense([labels, hidden[-1], latent], last=False, **settings)
        self.decoder = dense([latent, hidden[-1], labels], last=False, **settings)

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Output:
        """Return the logits that follow from the features and, with labels, each row's loss."""
        code = self.encoder(features).float()
        logits = self.decoder(code).float()
        if labels is None:
            return Output(logits)
        label_code = self.label_encoder(labels).float()
        rebuilt = torch.sigmoid(self.decoder(label_code).float())
        agreement = ((code - label_code) ** 2).mean(dim=1)
        loss = agreement + self.decoding_weight * calibrated_ranking_loss(rebuilt, labels)
        if not self.training:
            return Output(logits, loss)
        return Output(logits, loss, self.correlation_weight * (_correlation(code) + _correlation(label_code)))


def calibrated_ranking_loss(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Return the ranking loss among the labels plus that of each side against a label of probability 0.5; (B,)."""
    relevant, irrelevant = labels, 1 - labels
    above = torch.exp(-5 * (probabilities - 0.5)) * relevant
    below = torch.exp(5 * (probabilities - 0.5)) * irrelevant
    sides = above.sum(dim=1) / relevant.sum(dim=1).clamp_min(1) + below.sum(dim=1) / irrelevant.sum(dim=1).clamp_min(1)
    return ranking_loss(probabilities, labels) + sides / 5


def _correlation(code: Tensor) -> Tensor:
    """Return the mean squared entry by which the second moment of the code, over the rows, differs from identity."""
    moment = code.T @ code / len(code)
    return ((moment - torch.eye(len(moment), device=code.device)) ** 2).sum() / len(moment)
