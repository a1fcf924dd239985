"""Scaling of features with statistics of the training rows only.

The statistics merge exactly over disjoint rows, so each block is summarised where it lies and the driver merges.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal

import numpy as np
import torch

from ..common.errors import DataError, did_you_mean

Kind = Literal["none", "minmax", "standard", "imagenet"]
FITTED = ("none", "minmax", "standard")
"""Kinds that are made from statistics."""

_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of red, green and blue: what the usual pretrained networks were trained with."""


@dataclass(frozen=True)
class ScalerStatistics:
    """Counts and moments of some rows, for each feature (or for each colour channel of x / 255).

    Attributes:
        count: values seen for each feature: rows, or pixels.
        minimum, maximum: float64 (d,).
        mean: float64 (d,).
        squares: float64 (d,), sum of squared deviations from the mean.
        image: whether d counts colour channels.
    """

    count: int
    minimum: np.ndarray
    maximum: np.ndarray
    mean: np.ndarray
    squares: np.ndarray
    image: bool = False

    @classmethod
    def empty(cls, width: int, image: bool) -> "ScalerStatistics":
        """Return the statistics of no rows."""
        high = np.full(width, np.inf)
        return cls(0, high, -high, np.zeros(width), np.zeros(width), image)

    @classmethod
    def merge(cls, parts: Sequence["ScalerStatistics"]) -> "ScalerStatistics":
        """Combine the statistics of disjoint rows, in the order given.

        Source: pairwise update of mean and squares, Chan, Golub and LeVeque 1983 [paper].
        """
        if not parts:
            raise DataError("no statistics to merge: the data set has no blocks")
        return reduce(_merge, parts)


def of_array(x: np.ndarray) -> ScalerStatistics:
    """Summarise float (n, d) rows, or uint8 (n, C, H, W) images as x / 255 with integer sums."""
    if x.ndim == 4:
        return _of_images(x)
    values = x.astype(np.float64)
    if not len(values):
        return ScalerStatistics.empty(values.shape[1], False)
    mean = values.mean(axis=0)
    low, high = values.min(axis=0), values.max(axis=0)
    values -= mean
    return ScalerStatistics(len(values), low, high, mean, np.einsum("nd,nd->d", values, values))


@dataclass(frozen=True)
class Scaler:
    """A fitted, affine scaling: ``(x - offset) * factor`` for each feature or colour channel.

    Tables: ``none`` leaves values as they are, ``minmax`` maps the training range to [0, 1] (other rows may fall
    outside), ``standard`` gives the training rows mean 0 and variance 1. Images are divided by 255 first, and the
    same is done for each colour channel. A feature that is constant on the training rows becomes 0. ``imagenet``, for
    colour images only, is standard with the mean and deviation of that data set.
    """

    kind: Kind
    offset: np.ndarray
    factor: np.ndarray
    image: bool = False

    @classmethod
    def from_statistics(cls, kind: str, statistics: ScalerStatistics) -> "Scaler":
        """Make a scaler from statistics of the training rows.

        Raises:
            DataError: when the kind is unknown, or there were no rows.
        """
        if kind not in FITTED:
            raise DataError(f"unknown scaler {kind!r}{did_you_mean(kind, FITTED)}")
        if not statistics.count:
            raise DataError("no training rows to fit the scaler on")
        width = len(statistics.mean)
        if kind == "none":
            offset, spread = np.zeros(width), np.ones(width)
        elif kind == "minmax":
            offset, spread = statistics.minimum, statistics.maximum - statistics.minimum
        else:
            offset, spread = statistics.mean, np.sqrt(statistics.squares / statistics.count)
        constant = statistics.maximum == statistics.minimum
        varies = (spread > 0) & ~(constant & (kind != "none"))
        factor = np.divide(1.0, spread, out=np.zeros(width), where=varies)
        return cls(kind, offset, factor, statistics.image)  # type: ignore[arg-type]

    @classmethod
    def of_images(cls, kind: str, channels: int) -> "Scaler | None":
        """Return a scaler of images that needs no statistics, or None when the kind is a fitted one.

        Raises:
            DataError: for ``imagenet`` and grey images.
        """
        if kind == "none":
            return cls("none", np.zeros(channels), np.ones(channels), image=True)
        if kind != "imagenet":
            return None
        if channels != len(_IMAGENET_MEAN):
            raise DataError("data.scale=imagenet is for colour images, these are grey: use standard")
        return cls("imagenet", np.array(_IMAGENET_MEAN), 1 / np.array(_IMAGENET_DEVIATION), image=True)

    def transform(self, x: np.ndarray) -> np.ndarray:
        """Scale rows of a table, float32 (n, d); returns a new float32 array of that shape.

        Raises:
            DataError: when the width is not the one the scaler was fitted on.
        """
        if self.image or x.ndim != 2 or x.shape[1] != len(self.offset):
            raise DataError(f"{self._fitted_on()}, got {x.shape}")
        result = np.subtract(x, self.offset.astype(np.float32), dtype=np.float32)
        result *= self.factor.astype(np.float32)
        return result

    def scale_levels(self, levels: torch.Tensor) -> torch.Tensor:
        """Scale levels 0 to 255 of images, float32 (n, C, H, W), in place and return them.

        Raises:
            DataError: when the channels are not those that the scaler was fitted on.
        """
        if not self.image or levels.shape[1] != len(self.offset):
            raise DataError(f"{self._fitted_on()}, got {tuple(levels.shape)}")
        offset, factor = (
            torch.from_numpy(values.astype(np.float32))[:, None, None].to(levels.device)
            for values in (self.offset * 255.0, self.factor / 255.0)
        )
        return levels.sub_(offset).mul_(factor)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Return whether it scales inputs of a shape: ``(d,)`` of tables, ``(C, H, W)`` of images."""
        return self.image == (len(shape) == 3) and shape[0] == len(self.offset)

    def _fitted_on(self) -> str:
        width = len(self.offset)
        return f"the scaler was fitted on {f'images (n, {width}, H, W)' if self.image else f'features (n, {width})'}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; ``from_dict`` gives the same scaler, bit for bit."""
        return {
            "kind": self.kind,
            "image": self.image,
            "offset": self.offset.tolist(),
            "factor": self.factor.tolist(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Scaler":
        """Make the scaler of ``to_dict``; raises DataError when something is missing, or of another form."""
        try:
            offset, factor = (np.asarray(values[name], np.float64) for name in ("offset", "factor"))
            if offset.ndim != 1 or offset.shape != factor.shape:
                raise ValueError(f"offset {offset.shape} and factor {factor.shape}, expected a number a feature each")
            return cls(values["kind"], offset, factor, bool(values["image"]))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"not a stored scaler: {error!r}") from None


def _merge(a: ScalerStatistics, b: ScalerStatistics) -> ScalerStatistics:
    if len(a.mean) != len(b.mean) or a.image != b.image:
        raise DataError(f"statistics of {len(a.mean)} and {len(b.mean)} features do not merge")
    count = a.count + b.count
    if not a.count or not b.count:
        return a if a.count else b
    gap = b.mean - a.mean
    mean = a.mean + gap * (b.count / count)
    squares = a.squares + b.squares + gap * gap * (a.count * b.count / count)
    low, high = np.minimum(a.minimum, b.minimum), np.maximum(a.maximum, b.maximum)
    return ScalerStatistics(count, low, high, mean, squares, a.image)


def _of_images(x: np.ndarray) -> ScalerStatistics:
    n, channels, height, width = x.shape
    count = n * height * width
    if not count:
        return ScalerStatistics.empty(channels, True)
    levels = np.arange(256.0) / 255.0
    counts = np.stack([np.bincount(x[:, c].ravel(), minlength=256) for c in range(channels)])
    mean = counts @ levels / count
    squares = np.einsum("cv,cv->c", counts, (levels - mean[:, None]) ** 2)
    seen = counts > 0
    low = levels[seen.argmax(axis=1)]
    high = levels[255 - seen[:, ::-1].argmax(axis=1)]
    return ScalerStatistics(count, low, high, mean, squares, True)
