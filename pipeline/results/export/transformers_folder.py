"""The layout of Hugging Face transformers: a folder that ``from_pretrained`` loads, written by ``save_pretrained``.

What a run trained is a backbone of transformers and a head of this project. Where transformers' own classifier of that
architecture computes the same, the whole network is written as one; else the backbone alone. That is found out by
computing, not by a list of architectures.

    n rows compared   L labels   D features of the backbone
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...common.storage.json_files import write_json
from ...data.scaler import Scaler
from ...models import transformers_source as hub
from ...models.batch_norm import FrozenBatchNorm, MicroBatchNorm
from ...models.heads import LinearHead
from ...models.huggingface import HuggingFace
from .agreement import TOLERANCE

FOLDER = "transformers"
_COMPARED = 16


def write_transformers(
    network: HuggingFace, labels: tuple[str, ...], scaler: Scaler, inputs: torch.Tensor, folder: Path
) -> str:
    """Write what transformers can load of a network, and return in words what that is.

    Args:
        network: in evaluation mode.
        labels: names of the L labels.
        scaler: of the images.
        inputs: uint8 (n, C, H, W), to compare on.
        folder: to be made.
    """
    if replaced := _foreign_layers(network.backbone):
        return (
            f"no {FOLDER}/ folder: the backbone was trained with {replaced} in the place of batch normalisation, for "
            "which transformers has no setting; train with model.options.batch_norm=frozen or batch to have one"
        )
    scaled = network.channels_of(scaler.scale_levels(inputs[:_COMPARED].float()))
    classifier = _classifier(network, labels)
    if classifier is not None and _same(network, classifier, scaled):
        loaded, what = "AutoModelForImageClassification", "the whole network"
    else:
        classifier = None
        loaded, what = "AutoModel", "the backbone alone (no classifier of transformers computes what its head does)"
    whole: Any = network.backbone if classifier is None else classifier
    with hub.quiet():
        whole.save_pretrained(folder)
    _write_scaling(folder, scaler, network.copies)
    arguments = f", called with {network.arguments}" if network.arguments else ""
    return f"{FOLDER}/ is {what}: transformers.{loaded}.from_pretrained({FOLDER!r}){arguments}"


def _foreign_layers(backbone: nn.Module) -> str | None:
    """Return the class of normalisation layers that transformers would not make, None without such.

    Layers that keep running statistics compute in evaluation what transformers' own batch normalisation does.
    """
    made = hub.backbone(backbone.config)
    kinds = {name: type(layer) for name, layer in made.named_modules()}
    for name, layer in backbone.named_modules():
        if type(layer) is not kinds.get(name) and not isinstance(layer, FrozenBatchNorm | MicroBatchNorm):
            return type(layer).__name__
    return None


def _classifier(network: HuggingFace, labels: tuple[str, ...]) -> Any:
    """Return transformers' classifier with the network's weights, None where there is none with such a head."""
    if not isinstance(network.head, LinearHead):
        return None
    own_config: Any = network.backbone.config
    config = type(own_config).from_dict(own_config.to_dict())
    config.problem_type = "multi_label_classification"
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: number for number, label in enumerate(labels)}
    made: Any = hub.classifier(config)
    if made is None:
        return None
    own, head = network.backbone.state_dict(), network.head.linear
    missing, _ = made.base_model.load_state_dict(own, strict=False)
    linear = [layer for layer in made.modules() if isinstance(layer, nn.Linear)][-1]
    if missing or linear.out_features != len(labels) or linear.in_features < head.in_features:
        return None
    with torch.no_grad():
        linear.weight.zero_()  # a classifier may see more features (DINOv2: means of the patches), which count nothing
        linear.weight[:, : head.in_features] = head.weight
        linear.bias.copy_(head.bias)
    return made.eval()


@torch.no_grad()
def _same(network: HuggingFace, classifier: Any, scaled: torch.Tensor) -> bool:
    """Return whether a classifier gives the network's probabilities."""
    own = torch.sigmoid(network.head(network.features(scaled)))
    theirs = torch.sigmoid(classifier(pixel_values=scaled, **network.arguments).logits)
    return bool((own - theirs).abs().max() <= TOLERANCE)


def _write_scaling(folder: Path, scaler: Scaler, copies: int) -> None:
    """Write what transformers' image processors know of scaling; cutting and resizing are in ``metadata.json``."""
    factor = [value or 1.0 for value in scaler.factor.tolist()] * copies  # of a channel that is always the same
    values = {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": False,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": scaler.offset.tolist() * copies,
        "image_std": [1 / value for value in factor],
        "do_convert_rgb": len(factor) == 3,
    }
    write_json(folder / "preprocessor_config.json", values, indent=2)
