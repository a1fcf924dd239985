"""The end of a pretrained network, trained further by ``entries.py``: last block, last convolution and a new head."""

from typing import ClassVar, Literal

import _common  # noqa: F401  puts the checkout on the path
from _entries_features import pretrained
from torch import Tensor, nn

from d2ace.pipeline.models.api import ModelContext, MultiLabelModel, Output, prior_logits

_INNER, _POOLED = (192, 4, 4), 1280


class Tail(MultiLabelModel):
    """What follows after ``first_blocks`` of EfficientNet-Lite0, from its weights on ImageNet, and a linear head.

    Args:
        context: what to build for; its rows are flat outputs of those blocks.
        dropout: share of the pooled features left out in training.
    """

    name: ClassVar[str] = "tail"
    inputs: ClassVar[Literal["table", "image"]] = "table"

    def __init__(self, context: ModelContext, *, dropout: float = 0.2) -> None:
        super().__init__(context)
        whole = pretrained()
        self.body = nn.Sequential(whole._blocks[-1], whole._conv_head, whole._bn1, whole._swish)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(_POOLED, context.n_labels)
        self.head.bias.data.copy_(prior_logits(context))

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Output:
        """Return the logits; the labels are not used."""
        pooled = self.body(features.unflatten(1, _INNER)).mean(dim=(2, 3))
        return Output(self.head(self.dropout(pooled)))
