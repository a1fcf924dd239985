"""MPVAE: aligned variational autoencoders with a multivariate probit model of the labels.

Source: Bai et al. 2020, "Disentangled Variational Autoencoder based Multi-Label Classification with
Covariance-Aware Multivariate Probit Model" [paper]; sizes and weights as configured by the selection papers [released].
"""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.special import log_ndtr, ndtr

from .api import ModelContext, MultiLabelModel, Output, checks_of
from .blocks import Gaussian, dense, in_chunks, kl_divergence, sample

_SHARPNESS = 5.0


class MPVAE(MultiLabelModel):
    """A label branch and a feature branch share latent space and the covariance of a probit model.

    With z the code, label j is relevant when m_j(x, z) + r_j + e_j > 0, where r = R n is a residual that the labels
    share and e, n are standard normal. Predictions use the marginal Phi(m_j / sqrt(1 + |R_j|^2)), to which the
    program's average over test samples tends [own].

    Args:
        context: what to build for.
        samples: draws of the residual per row in training.
        rank: columns of R; None takes max(16, latent width).
        dropout: share of the encoders' units left out in training.
        nll_weight: weight of the likelihood of the labels.
        ranking_weight: weight of the ranking loss.
        kl_weight: weight of the divergence between the branches.
    """

    name: ClassVar[str] = "mpvae"
    entrywise: ClassVar[bool] = False

    def __init__(
        self,
        context: ModelContext,
        *,
        samples: int = 100,
        rank: int | None = None,
        dropout: float = 0.0,
        nll_weight: float = 0.1,
        ranking_weight: float = 200.0,
        kl_weight: float = 1.1,
    ) -> None:
        super().__init__(context)
        checks = checks_of(self.name)
        inputs, labels = context.input_shape[0], context.n_labels
        latent = max(1, inputs // 2)
        rank = max(16, latent) if rank is None else rank
        samples = checks.whole("samples", samples, at_least=1)
        rank = checks.whole("rank", rank, at_least=1)
        checks.number("dropout", dropout, low=0, below=1)
        for key, value in (("nll_weight", nll_weight), ("ranking_weight", ranking_weight), ("kl_weight", kl_weight)):
            checks.number(key, value, low=0)
        self.samples = samples
        self.nll_weight, self.ranking_weight, self.kl_weight = nll_weight, ranking_weight, kl_weight
        self.label_encoder = Gaussian([inputs + labels, 512, 256], latent, dropout)
        self.encoder = Gaussian([inputs, 256, 256], latent, dropout)
        self.label_decoder = dense([inputs + latent, 256, 512, labels], last=False)
        self.decoder = dense([inputs + latent, 256, 512, labels], last=False)
        self.residual = nn.Parameter(torch.empty(labels, rank).uniform_(-0.01, 0.01))

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Output:
        """Return the logits of the feature branch and, with labels, each row's loss."""
        mean, log_variance = self.encoder(features)
        code = sample(mean, log_variance) if self.training else mean
        latent = self.decoder(torch.cat([features, code], dim=1)).float()
        marginal = latent * torch.rsqrt(1 + (self.residual**2).sum(dim=1))
        logits = log_ndtr(marginal) - log_ndtr(-marginal)
        if labels is None:
            return Output(logits)
        label_mean, label_log_variance = self.label_encoder(torch.cat([features, labels], dim=1))
        label_code = sample(label_mean, label_log_variance) if self.training else label_mean
        label_latent = self.label_decoder(torch.cat([features, label_code], dim=1)).float()
        noise = torch.randn(len(labels), self.samples, self.residual.shape[1], device=labels.device)

        def probit(rows: slice) -> Tensor:
            residual = noise[rows] @ self.residual.float().T
            truth = labels[rows].unsqueeze(1)
            return self._probit_loss(latent[rows].unsqueeze(1) + residual, truth) + self._probit_loss(
                label_latent[rows].unsqueeze(1) + residual, truth
            )

        loss = in_chunks(probit, len(labels), 12 * self.samples * labels.shape[1], dim=0)
        return Output(logits, loss + self.kl_weight * kl_divergence(label_mean, label_log_variance, mean, log_variance))

    def _probit_loss(self, draws: Tensor, truth: Tensor) -> Tensor:
        """Return each row's weighted likelihood and ranking loss: (B, S, L) draws, (B, 1, L) labels, to (B,)."""
        log_likelihood = log_ndtr(draws * (2 * truth - 1)).sum(dim=2)
        nll = torch.logsumexp(log_likelihood, dim=1).neg() + torch.log(torch.tensor(float(self.samples)))
        return self.nll_weight * nll + self.ranking_weight * ranking_loss(ndtr(draws), truth).mean(dim=1)


def ranking_loss(probabilities: Tensor, truth: Tensor) -> Tensor:
    """Return the mean over pairs of exp(-5 (p_relevant - p_irrelevant)) / 5; (..., L) to (...).

    The sum over pairs is the product of two sums over labels, so no L x L tensor is made [own]. Rows where no label
    or every label is relevant lose 0.

    Source: Zhang & Zhou 2006 (BP-MLL), equation 8; the factor 5 of C2AE and MPVAE [released].
    """
    relevant = (torch.exp(-_SHARPNESS * probabilities) * truth).sum(dim=-1)
    irrelevant = (torch.exp(_SHARPNESS * probabilities) * (1 - truth)).sum(dim=-1)
    pairs = truth.sum(dim=-1) * (1 - truth).sum(dim=-1)
    return relevant * irrelevant / (_SHARPNESS * pairs.clamp_min(1))
