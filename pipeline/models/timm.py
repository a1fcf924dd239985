"""Image networks of the library timm, where it is installed; this project does not install it."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from ..common.errors import ConfigError
from .api import ModelContext, checks_of
from .backbone import BackboneModel
from .heads import Features


class Timm(BackboneModel):
    """An image backbone of timm, where that library is installed, with a linear or a query head.

    Args:
        context: what to build for.
        architecture: timm's name of the model, such as ``resnet50.a1_in1k``.
        pretrained: start from timm's weights of that name.
        config: further arguments of ``timm.create_model``.
        batch_norm: as of network ``huggingface``.
        head: as of network ``huggingface``.
        head_options: as of network ``huggingface``.
        prior_bias: start at the labels' training frequencies instead of at 0.5.
    """

    name: ClassVar[str] = "timm"

    def __init__(
        self,
        context: ModelContext,
        *,
        architecture: str = "resnet50",
        pretrained: bool = False,
        config: Mapping[str, Any] | None = None,
        batch_norm: str | None = None,
        head: str = "linear",
        head_options: Mapping[str, Any] | None = None,
        prior_bias: bool = True,
    ) -> None:
        super().__init__(context)
        self.pretrained = pretrained
        self._made = {"num_classes": 0, "in_chans": context.input_shape[0], **(config or {})}
        self._architecture = architecture
        self.backbone = self._make(pretrained=False)
        self.finish(context, head, head_options or {}, batch_norm, prior_bias)

    def load_pretrained(self) -> None:
        """Take timm's weights."""
        if self.pretrained:
            own, given = self.backbone.state_dict(), self._make(pretrained=True).state_dict()
            self.backbone.load_state_dict({key: given[key] for key in own})

    def features(self, images: Tensor) -> Features:
        """Run the backbone on float (B, C, H, W)."""
        backbone: Any = self.backbone
        positions = backbone.forward_features(images)
        pooled = backbone.forward_head(positions, pre_logits=True)
        if positions.ndim == 3:
            return Features(pooled, positions)
        if positions.shape[1] != backbone.num_features:  # (B, H, W, D), as Swin has it
            return Features(pooled, positions.flatten(1, 2))
        return Features(pooled, positions.flatten(2).transpose(1, 2))

    def _make(self, *, pretrained: bool) -> nn.Module:
        try:
            import timm
        except Exception as error:  # a torchvision that does not fit torch raises RuntimeError
            raise ConfigError(f"network 'timm' needs the package timm, which cannot be imported: {error}") from error
        if not pretrained:
            checks_of(self.name).choice("architecture", self._architecture.partition(".")[0], timm.list_models())
        return timm.create_model(self._architecture, pretrained=pretrained, **self._made)
