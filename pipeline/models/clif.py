"""CLIF: label semantics from a graph of labels guide label-specific features.

Source: Hang & Zhang 2021, "Collaborative Learning of Label Semantics and Deep Label-Specific Features for
Multi-Label Classification" [paper]; sizes and initial values as in the authors' program [released].
"""

import math
from typing import ClassVar

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn.functional import normalize

from ..common.errors import ConfigError
from .api import ModelContext, MultiLabelModel, Output, checks_of
from .blocks import dense, in_chunks

_SLOPE = 0.1
_GRAPHS = ("cooccurrence", "identity")


class CLIF(MultiLabelModel):
    """Features gated by label embeddings, which a graph isomorphism network learns from label co-occurrence.

    Args:
        context: what to build for; ``cooccurrence`` is needed for the graph of that name.
        graph: ``cooccurrence`` (the paper) or ``identity`` (labels alone, the program behind the selection papers).
        hidden: width H of the features and of each label's own features.
        dropout: share of units left out, in the graph network and in the features.
        graph_weight: weight of the loss that keeps embeddings of related labels alike.

    A forward pass costs B L H^2 multiplications.
    """

    name: ClassVar[str] = "clif"
    adjacency: Tensor
    semantics: Tensor

    def __init__(
        self,
        context: ModelContext,
        *,
        graph: str = "cooccurrence",
        hidden: int = 768,
        dropout: float = 0.2,
        graph_weight: float = 1e-3,
    ) -> None:
        super().__init__(context)
        checks = checks_of(self.name)
        checks.choice("graph", graph, _GRAPHS)
        hidden = checks.whole("hidden", hidden, at_least=1)
        checks.number("dropout", dropout, low=0, below=1)
        checks.number("graph_weight", graph_weight, low=0)
        labels = context.n_labels
        self.graph_weight = graph_weight
        self.register_buffer("adjacency", label_graph(context, graph))
        self.register_buffer("semantics", torch.randn(labels, labels))
        self.graph_layers = nn.ModuleList(GraphLayer(labels, dropout) for _ in range(2))
        self.features = dense([context.input_shape[0], hidden, hidden, hidden], dropout=dropout, slope=_SLOPE)
        self.gate = nn.Linear(labels, hidden)
        nn.init.kaiming_uniform_(self.gate.weight, nonlinearity="sigmoid")
        nn.init.zeros_(self.gate.bias)
        self.specific = dense([hidden, hidden], slope=_SLOPE)
        self.heads = nn.Parameter(torch.empty(labels, hidden))
        self.head_biases = nn.Parameter(torch.empty(labels))
        bound = 1 / math.sqrt(hidden)
        nn.init.uniform_(self.heads, -bound, bound)
        nn.init.uniform_(self.head_biases, -bound, bound)

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Output:
        """Return the logits; the penalty is the graph loss, when labels are given."""
        embeddings = self.semantics
        for layer in self.graph_layers:
            embeddings = layer(embeddings, self.adjacency)
        gates = torch.sigmoid(self.gate(embeddings))
        hidden = self.features(features)

        def score(some: slice) -> Tensor:
            specific = self.specific(hidden.unsqueeze(1) * gates[some])
            return (specific * self.heads[some]).sum(dim=2) + self.head_biases[some]

        logits = in_chunks(score, len(gates), 4 * hidden.numel(), dim=1)
        if labels is None:
            return Output(logits)
        return Output(logits, penalty=self.graph_weight * self._graph_loss(embeddings))

    def _graph_loss(self, embeddings: Tensor) -> Tensor:
        unit = normalize(embeddings.float(), dim=1)
        target = self.adjacency.clone().fill_diagonal_(1.0)
        return ((target - unit @ unit.T) ** 2).mean()


class GraphLayer(nn.Module):
    """One graph isomorphism layer: dense layers of (1 + eps) own + neighbours' embeddings, plus the own embedding.

    Normalisation is over the labels (never over rows), with the present embeddings' statistics in training and
    evaluation alike: there are no running averages that would differ between workers.

    Source: Xu et al. 2019, "How Powerful are Graph Neural Networks?", equation 4.1 [paper].

    Args:
        width: of the embeddings, L.
        dropout: after each of the two layers.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.eps = nn.Parameter(torch.zeros(1))
        middle = math.ceil(width / 2)
        self.layers = nn.Sequential()
        for inputs, outputs in ((width, middle), (middle, width)):
            linear = nn.Linear(inputs, outputs, bias=False)  # the normalisation would remove a bias
            nn.init.kaiming_uniform_(linear.weight, a=_SLOPE, nonlinearity="leaky_relu")
            self.layers.extend([linear, LabelNorm(outputs), nn.LeakyReLU(_SLOPE), nn.Dropout(dropout)])

    def forward(self, embeddings: Tensor, adjacency: Tensor) -> Tensor:
        """Return new embeddings, (L, L)."""
        return embeddings + self.layers((1 + self.eps) * embeddings + adjacency @ embeddings)


class LabelNorm(nn.Module):
    """Batch normalisation of (L, width) embeddings over the L labels; a single label passes unchanged in scale."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return embeddings with mean ``bias`` and standard deviation ``weight`` over the labels."""
        values = embeddings.float()
        if len(values) > 1:
            variance, mean = torch.var_mean(values, dim=0, correction=0)
            values = (values - mean) * torch.rsqrt(variance + 1e-5)
        return values * self.weight + self.bias


def label_graph(context: ModelContext, graph: str) -> Tensor:
    """Return the adjacency of the labels, float32 (L, L).

    ``cooccurrence``: the mean of P(i | j) and P(j | i) among the training rows, 0 on the diagonal. ``identity``: the
    identity matrix [released].
    """
    if graph == "identity":
        return torch.eye(context.n_labels)
    if context.cooccurrence is None:
        raise ConfigError("graph='cooccurrence' of network 'clif' needs the training labels' co-occurrence, got none")
    counts = sparse.csr_array(context.cooccurrence).toarray().astype(np.float64)
    conditional = counts / np.maximum(np.diag(counts), 1.0)
    mean = (conditional + conditional.T) / 2
    np.fill_diagonal(mean, 0.0)
    return torch.from_numpy(mean).float()
