"""Vision networks of Hugging Face transformers: ResNet, ConvNeXt, ViT, Swin, DINOv2 and others.

B rows of a batch   C, H, W channels, height and width of an image   D features
"""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from ..common.errors import ConfigError
from . import transformers_source as hub
from .api import ModelContext
from .backbone import BackboneModel
from .heads import Features


class HuggingFace(BackboneModel):
    """An image backbone of Hugging Face transformers, pretrained or from scratch, with a linear or a query head.

    Pooled features are the model's own ``pooler_output`` (but for pooling by a dense layer, which classification
    checkpoints do not have); else the class token; else the mean over positions. Grey images are repeated for a
    pretrained network of three channels; position embeddings for another image size are interpolated.

    Args:
        context: what to build for.
        source: pretrained weights: a folder that ``save_pretrained`` wrote, or the name of a repository on the
            Hugging Face hub; None trains from scratch.
        revision: of the repository.
        architecture: without a source, transformers' name of the model type, such as ``resnet`` or ``vit``.
        config: settings of the architecture, as its configuration class in transformers calls them; from scratch
            ``num_channels`` and ``image_size`` are those of the data.
        batch_norm: ``frozen`` (default of pretrained networks), ``group`` (default from scratch) or ``batch``.
        head: ``linear``, or ``query``: a decoder with a query for each group of labels (see ``heads.py``).
        head_options: ``dropout``; of ``query`` also ``width``, ``queries`` and ``attention_heads``.
        prior_bias: start at the labels' training frequencies instead of at 0.5.

    Attributes:
        copies: how often a grey image's channel is repeated for the backbone.
        arguments: what the backbone is called with beside the images.
    """

    name: ClassVar[str] = "huggingface"

    def __init__(
        self,
        context: ModelContext,
        *,
        source: str | None = None,
        revision: str | None = None,
        architecture: str | None = None,
        config: Mapping[str, Any] | None = None,
        batch_norm: str | None = None,
        head: str = "linear",
        head_options: Mapping[str, Any] | None = None,
        prior_bias: bool = True,
    ) -> None:
        super().__init__(context)
        self._source, self._revision, self.pretrained = source, revision, source is not None
        made = hub.configuration(source, revision, architecture, config or {})
        if source is None:
            _fit_to_data(made, config or {}, context.input_shape)
        self.backbone = hub.backbone(made)
        self.copies = self._copies_of_a_channel(made, context.input_shape[0])
        self.arguments = _arguments(self.backbone, made, context.input_shape)
        self.finish(context, head, head_options or {}, batch_norm, prior_bias)

    @classmethod
    def resolve(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """Write the source's configuration and exact revision into the settings; they alone make the network then."""
        source, revision = options.get("source"), options.get("revision")
        if source is None:
            return dict(options)
        if hub.is_folder(source):
            source = str(Path(source).resolve())
        revision = hub.exact_revision(source, revision)
        made = hub.configuration(source, revision, options.get("architecture"), options.get("config") or {})
        settled = {"source": source, "architecture": made.model_type, "config": hub.structure(made)}
        return {**options, **settled, **({"revision": revision} if revision else {})}

    def load_pretrained(self) -> None:
        """Take the weights of the source; raises ConfigError when it cannot be read or lacks some."""
        if self._source is not None:
            hub.load_weights(self.backbone, self._source, self._revision)

    def features(self, images: Tensor) -> Features:
        """Run the backbone on float (B, C, H, W)."""
        output = self.backbone(pixel_values=self.channels_of(images), return_dict=True, **self.arguments)
        positions = output.last_hidden_state
        if positions.ndim == 4:
            positions = positions.flatten(2).transpose(1, 2)
        pooled = getattr(output, "pooler_output", None)
        if pooled is None:
            token = any(name.endswith("cls_token") for name, _ in self.backbone.named_parameters())
            pooled = positions[:, 0] if token else positions.mean(1)
        return Features(pooled.flatten(1), positions)

    def channels_of(self, images: Tensor) -> Tensor:
        """Return images with as many channels as the backbone takes, float (B, C, H, W): grey ones are repeated."""
        return images.expand(-1, self.copies, -1, -1) if self.copies > 1 else images

    def _copies_of_a_channel(self, made: Any, channels: int) -> int:
        expected = getattr(made, "num_channels", channels)
        if channels not in (1, expected):
            raise ConfigError(
                f"network {self.name!r} takes images of {expected} channels here, but the data has {channels}"
            )
        return expected // channels


def _fit_to_data(made: Any, chosen: Mapping[str, Any], shape: tuple[int, ...]) -> None:
    """Let a network from scratch take the data's channels and image size, where nothing else was asked for."""
    channels, height, width = shape
    if hasattr(made, "num_channels") and "num_channels" not in chosen:
        made.num_channels = channels
    if hasattr(made, "image_size") and "image_size" not in chosen:
        made.image_size = height if height == width else [height, width]


def _arguments(backbone: Any, made: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the arguments that a forward pass needs beside the images."""
    size = getattr(made, "image_size", None)
    expected = (size, size) if isinstance(size, int) else tuple(size or ())
    if expected == shape[1:] or "interpolate_pos_encoding" not in inspect.signature(backbone.forward).parameters:
        return {}
    return {"interpolate_pos_encoding": True}
