"""Brightness, contrast, saturation and hue of many images as one affine map of colours an image.

n images, C channels (1 or 3), H x W pixels; levels 0 to 255 as float32
"""

from dataclasses import dataclass

import numpy as np
import torch

_GREY = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in grey (ITU-R BT.601)."""
_TO_YIQ = np.array([_GREY, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)


@dataclass(frozen=True)
class Colours:
    """What happens to each image's colours.

    Attributes:
        brightness, contrast, saturation: float64 (n,) factors, 1 changes nothing.
        hue: float64 (n,), share of the colour circle, 0 changes nothing.
    """

    brightness: np.ndarray
    contrast: np.ndarray
    saturation: np.ndarray
    hue: np.ndarray


def grey_means(pixels: torch.Tensor) -> torch.Tensor:
    """Return the mean grey level of uint8 (n, C, H, W), float32 (n,): exact sums, so the same in any batch."""
    sums = pixels.sum((2, 3), dtype=torch.int64).double()
    weights = torch.from_numpy(_GREY).to(pixels.device) if pixels.shape[1] == 3 else 1.0
    return ((sums * weights).sum(1) / (pixels.shape[2] * pixels.shape[3])).float()


def recoloured(levels: torch.Tensor, means: torch.Tensor, colours: Colours) -> torch.Tensor:
    """Apply brightness, contrast, saturation and hue, in this order, as one map, then clip to 0 .. 255.

    Brightness multiplies. Contrast pulls towards the image's mean grey, saturation towards each pixel's grey, as in
    Pillow and torchvision. Hue turns the colours in the plane of I and Q of the YIQ space [own]: grey and luma stay,
    which a turn in HSV, torchvision's, does not give. What these clip in between is clipped once here, at the end.

    Args:
        levels: float32 (n, C, H, W).
        means: float32 (n,) of ``grey_means``.
        colours: for each image.

    Returns:
        A new tensor like ``levels``.
    """
    matrices, pull = _matrices(colours), (1 - colours.contrast) * colours.brightness
    if levels.shape[1] == 1:  # grey pixels stay grey: what the matrix makes of (1, 1, 1)
        matrices = matrices[:, :1].sum(axis=2, keepdims=True)
    gains = torch.from_numpy(matrices.astype(np.float32)).to(levels.device)
    offsets = torch.from_numpy(pull.astype(np.float32)).to(levels.device) * means
    result = torch.baddbmm(offsets[:, None, None], gains, levels.flatten(2))
    return result.clamp_(0, 255).view_as(levels)


def _matrices(colours: Colours) -> np.ndarray:
    """Return float64 (n, 3, 3): hue after saturation after brightness and contrast."""
    saturation = colours.saturation[:, None, None]
    saturated = saturation * np.eye(3) + (1 - saturation) * np.outer(np.ones(3), _GREY)
    angle = 2 * np.pi * colours.hue
    turn = np.zeros((len(angle), 3, 3))
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = np.cos(angle)
    turn[:, 2, 1], turn[:, 1, 2] = np.sin(angle), -np.sin(angle)
    factor = (colours.brightness * colours.contrast)[:, None, None]
    return factor * (_FROM_YIQ @ turn @ _TO_YIQ @ saturated)


def drawn_colours(numbers: np.ndarray, brightness: float, contrast: float, saturation: float, hue: float) -> Colours:
    """Turn numbers in [0, 1), float64 (n, 4), into factors uniform in [max(0, 1 - x), 1 + x], and hues in [-x, x]."""

    def factors(column: int, reach: float) -> np.ndarray:
        low = max(0.0, 1 - reach)
        return low + (1 + reach - low) * numbers[:, column]

    turns = hue * (2 * numbers[:, 3] - 1)
    return Colours(factors(0, brightness), factors(1, contrast), factors(2, saturation), turns)
