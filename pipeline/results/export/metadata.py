"""What an exported network needs beside its weights, as plain values: both formats carry it, and ``metadata.json``."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ...common.config.images import ImagesSection
from ...data.manifest import Manifest
from ...data.manifest_parts import ImageHint
from ...feeds.image_transform import result_size
from ...models.api import MultiLabelModel
from ...runs.checkpoint_record import versions
from ...runs.decisions import IDENTITY, Decisions, thresholds_of
from ...runs.trained_run import TrainedRun
from .formats import OPSET, OUTPUTS
from .network import Deployed

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Facts:
    """What is known of a run that is exported.

    Attributes:
        run: the run.
        manifest: of its data, None where that is gone.
        decisions: its thresholds and calibration, None where it has none.
    """

    run: TrainedRun
    manifest: Manifest | None
    decisions: Decisions | None

    @property
    def thresholds(self) -> np.ndarray:
        """Thresholds on the network's own probabilities, float64 (L,)."""
        return thresholds_of(self.run, self.decisions)

    def deployed(self, network: MultiLabelModel) -> Deployed:
        """Return the run's network, in evaluation mode, with all that belongs to it."""
        coefficients = None if self.decisions is None else self.decisions.coefficients
        return Deployed(network, self.run.data.scaler, self.thresholds, coefficients)

    @property
    def input_name(self) -> str:
        """What the network's input is called."""
        return "images" if self.run.data.scaler.image else "features"


def metadata(facts: Facts) -> dict[str, Any]:
    """Return labels, thresholds, calibration, preprocessing and origin of an exported network."""
    run, image = facts.run, facts.run.data.scaler.image
    known = {"feature_names": facts.manifest.feature_names} if facts.manifest and facts.manifest.feature_names else {}
    return {
        "format": "d2ace-export",
        "format_version": FORMAT_VERSION,
        "versions": versions(),
        "run": run.folder.path.name,
        "network": run.config.model.name,
        "data_fingerprint": run.data.fingerprint,
        "opset": OPSET,
        "input": {
            "name": facts.input_name,
            "kind": "image" if image else "table",
            "dtype": "uint8" if image else "float32",
            "shape": ["batch", *run.data.context.input_shape],
            **known,
        },
        "outputs": {
            OUTPUTS[0]: "float32 [batch, labels]: sigmoid(a ln p - b ln(1 - p) + c) with p = sigmoid(logits)",
            OUTPUTS[1]: "bool [batch, labels]: p > raw_threshold, which is probability > threshold",
        },
        "thresholds": "train.threshold for all labels" if facts.decisions is None else dict(facts.decisions.about),
        "labels": _labels(facts),
        "scaling": _scaling(facts),
        **({"preprocessing": image_steps(run.config.images, _hint(facts))} if image else {}),
    }


def _labels(facts: Facts) -> list[dict[str, Any]]:
    names, raw = facts.run.data.labels, facts.thresholds
    if facts.decisions is None:
        shown, coefficients = raw, np.tile(IDENTITY, (len(names), 1))
    else:
        shown, coefficients = facts.decisions.thresholds, facts.decisions.coefficients
    columns = zip(names, shown.tolist(), raw.tolist(), coefficients.tolist(), strict=True)
    return [
        {"name": name, "threshold": threshold, "raw_threshold": own, **dict(zip("abc", each, strict=True))}
        for name, threshold, own, each in columns
    ]


def _scaling(facts: Facts) -> dict[str, Any]:
    scaler = facts.run.data.scaler
    return {
        "where": "inside the network: give it values as they are",
        "formula": "(value / 255 - offset) * factor" if scaler.image else "(value - offset) * factor",
        "kind": scaler.kind,
        "offset": scaler.offset.tolist(),
        "factor": scaler.factor.tolist(),
    }


def _hint(facts: Facts) -> ImageHint:
    """Return how images decode; without the data from the shape that the network was made for."""
    if facts.manifest is not None and facts.manifest.image is not None:
        return facts.manifest.image
    channels, height, width = facts.run.data.context.input_shape
    return ImageHint("L" if channels == 1 else "RGB", height, width)


def image_steps(settings: ImagesSection, hint: ImageHint) -> dict[str, Any]:
    """Return what is done with an image before it is given to the network, in order."""
    height, width = result_size(settings, hint)
    return {
        "mode": hint.mode,
        "height": height,
        "width": width,
        "fit": settings.fit,
        "centre_share": settings.centre_share,
        "scaled_decoding": settings.scaled_decoding,
        "any_size": settings.size is not None,
        "resample": "bilinear",
        "steps": [
            "Decode the first frame to Pillow's mode `mode` (L or RGB); transparency is dropped, of 16-bit grey the "
            "high byte is kept; turn it upright by its EXIF orientation: h x w pixels."
            + ("" if settings.size is not None else f" h x w must be {height} x {width}."),
            _part(settings),
            "Cut that part out of the middle: top = (h - part height) // 2, left = (w - part width) // 2.",
            *([_SHRINK] if settings.scaled_decoding else []),
            f"Resize the part, unless it has that size, to {height} x {width}, bilinear with antialiasing (Pillow's "
            "BILINEAR, within one level), to uint8.",
            "Give the network uint8 [batch, channel, row, column] as it is: it scales the levels itself.",
        ],
    }


_SHRINK = (
    "Of a JPEG whose part is at least f times height and width, for the largest f of 8, 4 and 2: let the decoder "
    "shrink the whole image by f (Pillow's draft), and cut the same part, its four numbers times the shrunk over "
    "the whole side and rounded half to even."
)


def _part(settings: ImagesSection) -> str:
    share = f"{settings.centre_share:g} * " if settings.centre_share != 1 else ""
    if settings.fit == "stretch":
        return f"The part: round({share}h) x round({share}w) pixels."
    return f"The part: with s = {share}min(h / height, w / width), round(s * height) x round(s * width) pixels."


def example_rows(inputs: torch.Tensor) -> torch.Tensor:
    """Return two rows to trace a network with: one would be taken for a batch of always one."""
    return inputs[:2] if len(inputs) > 1 else inputs.repeat(2, *([1] * (inputs.ndim - 1)))
