"""Heads: from what a backbone makes of an image to one logit a label.

B rows of a batch   L labels   D backbone features   T positions   E width   K queries   g labels a query
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..common.errors import ConfigError

HEADS = ("linear", "query")


class Features(NamedTuple):
    """What a backbone makes of a batch.

    Attributes:
        pooled: float (B, D).
        positions: float (B, T, D'), the feature map or the tokens; D' is D unless the backbone widens after pooling.
    """

    pooled: Tensor
    positions: Tensor


class LinearHead(nn.Module):
    """A linear unit a label on the pooled features.

    Args:
        features: D.
        bias: float (L,), where the logits start.
        dropout: share of the features left out in training.
    """

    def __init__(self, features: int, bias: Tensor, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(features, len(bias))
        nn.init.xavier_uniform_(self.linear.weight)
        self.linear.bias.data.copy_(bias)

    def forward(self, features: Features) -> Tensor:
        """Return logits (B, L)."""
        return self.linear(self.dropout(features.pooled))


class QueryHead(nn.Module):
    """Queries look at all positions of the feature map; each answers for a group of labels.

    One decoder layer without self-attention between the queries, ``Q1 = MultiHeadAttention(Q, E, E)``,
    ``Q2 = FeedForward(Q1)``, each with a residual connection and layer normalisation after it, on the positions ``E``
    brought to the decoder's width by a linear layer and a rectifier. Then label i has the logit
    ``(W_k q_k)_j + b_i`` with ``k = i div g`` and ``j = i mod g`` for ``g = ceil(L / K)``.
    Without self-attention the cost is linear in K: B T K E multiplications for the attention, B L E for the logits.

    Source: Ridnik et al. 2021, "ML-Decoder: Scalable and Versatile Classification Head", section 2 [paper].
    Unlike the authors' program [own]: the queries are learned (there they stay as drawn), the feed-forward layer is 4 E
    wide (there 2,048), the logits start at the labels' frequencies.

    Args:
        features: D.
        bias: float (L,), where the logits start, but for what the queries see.
        width: E, a multiple of ``attention_heads``.
        queries: the most K; with at most as many labels each has a query of its own.
        attention_heads: of the attention.
        dropout: of attention, feed-forward layer and residuals, in training.

    Raises:
        ConfigError: when the width is no multiple of the attention heads.
    """

    def __init__(
        self,
        features: int,
        bias: Tensor,
        dropout: float = 0.1,
        *,
        width: int = 768,
        queries: int = 100,
        attention_heads: int = 8,
    ) -> None:
        super().__init__()
        if width % attention_heads:
            raise ConfigError(
                f"head_options.width must be a multiple of attention_heads={attention_heads}, got {width}"
            )
        labels = len(bias)
        self._labels, group = labels, -(-labels // min(queries, labels))
        count = -(-labels // group)  # fewer than asked for when the last ones would have no label
        self.project = nn.Linear(features, width)
        self.queries = nn.Parameter(torch.randn(count, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.attention = nn.MultiheadAttention(width, attention_heads, dropout, batch_first=True)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)
        # Layer normalisation leaves features of variance 1: weights of variance 1 / E start logits near the bias.
        self.group_weights = nn.Parameter(torch.randn(count, width, group) / width**0.5 * 0.1)
        self.bias = nn.Parameter(bias.clone())

    def forward(self, features: Features) -> Tensor:
        """Return logits (B, L)."""
        memory = torch.relu(self.project(features.positions))
        query = self.norms[0](self.queries).expand(memory.shape[0], -1, -1)
        seen, _ = self.attention(query, memory, memory, need_weights=False)
        hidden = self.norms[1](query + self.dropout(seen))
        fed = self.narrow(self.dropout(torch.relu(self.widen(hidden))))
        answers = self.norms[2](hidden + self.dropout(fed))
        grouped = torch.einsum("bke,keg->bkg", answers, self.group_weights)
        return grouped.flatten(1)[:, : self._labels] + self.bias
