"""What networks with a ready-made image backbone share: heads, batch normalisation, layers with their own rates.

B rows of a batch   L labels   C, H, W channels, height and width of an image   D features
"""

import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from ..common.errors import ConfigError
from .api import ModelContext, MultiLabelModel, Output, checks_of, prior_logits
from .batch_norm import KINDS, replace_batch_norm
from .heads import HEADS, Features, LinearHead, QueryHead

# The number of a block, or of a stage and of the block in it: "layers.3.", "encoder.stages.1.layers.0.".
_BLOCK = re.compile(r"((?:[^.]+\.)*?[^.]*\d+(?:\.(?:layers|blocks)\.\d+)?)\.")
_HEAD_SETTINGS: dict[str, float | int] = {"dropout": 0.1, "width": 768, "queries": 100, "attention_heads": 8}


class BackboneModel(MultiLabelModel):
    """A backbone and a head. A subclass makes the backbone and says how it is called.

    Attributes:
        backbone: the ready-made network without its own head.
        head: of ``heads.py``.
    """

    inputs: ClassVar[Literal["table", "image"]] = "image"
    embeds: ClassVar[bool] = True
    layered: ClassVar[bool] = True
    backbone: nn.Module
    head: nn.Module

    @abstractmethod
    def features(self, images: Tensor) -> Features:
        """Run the backbone on float (B, C, H, W)."""

    def finish(
        self, context: ModelContext, head: str, settings: Mapping[str, Any], batch_norm: str | None, prior_bias: bool
    ) -> None:
        """Complete a network whose ``backbone`` is there: batch normalisation, head, unused parameters.

        Args:
            context: what to build for.
            head: one of ``HEADS``.
            settings: the head's own.
            batch_norm: one of ``batch_norm.KINDS``; None: as pretrained networks want it, or as those from scratch.
            prior_bias: start at the labels' training frequencies.

        Raises:
            ConfigError: for settings out of range.
        """
        self._pick_batch_norm(batch_norm)
        settings = _head_settings(self.name, head, settings)
        bias = prior_logits(context) if prior_bias else torch.zeros(context.n_labels)
        was_training, image = self.training, torch.zeros(1, *context.input_shape)
        self.eval()
        made = self._first_features(image)
        if head == "linear":
            self.head = LinearHead(made.pooled.shape[-1], bias, **settings)
        else:
            self.head = QueryHead(made.positions.shape[-1], bias, **settings)
        self.head.eval()
        self._freeze_unused(image)
        self.train(was_training)

    def embed(self, features: Tensor) -> Tensor:
        """Return the backbone's pooled features, float (B, D)."""
        return self.features(features).pooled

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Output:
        """Return the logits; the labels are not used."""
        found = self.features(features)
        return Output(self.head(found), embedding=found.pooled)

    def layer_groups(self) -> list[list[nn.Parameter]]:
        """Return the backbone's parameters block by block from the input on, then the head's.

        What stands before the first block is a group; what follows the last one belongs to it.
        """
        groups: dict[str, list[nn.Parameter]] = {}
        for name, parameter in self.backbone.named_parameters():
            match = _BLOCK.match(name)
            block = match[1] if match else next(reversed(groups), "")
            groups.setdefault(block, []).append(parameter)
        return [*groups.values(), list(self.head.parameters())]

    def _first_features(self, image: Tensor) -> Features:
        """Return what the backbone makes of an image of the data's shape."""
        try:
            return self.features(image)
        except (AssertionError, RuntimeError, ValueError) as error:
            raise ConfigError(
                f"network {self.name!r} cannot take images of shape {tuple(image.shape[1:])}: {error}"
            ) from error

    def _pick_batch_norm(self, kind: str | None) -> None:
        if kind is None:
            kind = "frozen" if self.pretrained else "group"
        replace_batch_norm(self.backbone, checks_of(self.name).choice("batch_norm", kind, KINDS))

    def _freeze_unused(self, image: Tensor) -> None:
        """Leave out parameters that no gradient reaches (mask tokens, a pooler that is not used): DDP wants that."""
        trained = [p for p in self.parameters() if p.requires_grad]
        with torch.enable_grad():
            logits = self(image).logits.sum()
        for parameter, gradient in zip(trained, torch.autograd.grad(logits, trained, allow_unused=True), strict=True):
            parameter.requires_grad_(gradient is not None)


def _head_settings(name: str, head: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a head, checked; a linear one has dropout alone."""
    checks = checks_of(name)
    checks.choice("head", head, HEADS)
    known = {"dropout": 0.0} if head == "linear" else _HEAD_SETTINGS
    settings: dict[str, Any] = dict(known)
    for key, value in chosen.items():
        checks.choice("head_options", key, known)
        if key == "dropout":
            settings[key] = checks.number("head_options.dropout", value, low=0, below=1)
        else:
            settings[key] = checks.whole(f"head_options.{key}", value, at_least=1)
    return settings
