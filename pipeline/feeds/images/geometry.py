"""Which part of an image is taken, how far it may be decoded smaller, and resizing.

H, W height and width of the result   h, w those of the image
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import interpolate

_ATTEMPTS = 10
CROP_NUMBERS = 2 * _ATTEMPTS + 2
"""Random numbers that one random crop takes."""
_FACTORS = (8, 4, 2)

Size = tuple[int, int]
"""Height and width."""


@dataclass(frozen=True)
class Box:
    """A part of an image in pixels."""

    top: int
    left: int
    height: int
    width: int


def middle(image: Size, result: Size, share: float = 1.0) -> Box:
    """Return the largest part in the middle that has the shape of the result, each side times ``share``."""
    scale = share * min(image[0] / result[0], image[1] / result[1])
    height, width = (max(1, min(full, round(scale * side))) for full, side in zip(image, result, strict=True))
    return _centred(image, height, width)


def random_part(image: Size, scale: tuple[float, float], ratio: tuple[float, float], numbers: np.ndarray) -> Box:
    """Return a random part: area uniform, ratio log-uniform, place uniform.

    Ten tries are made to fit such a part into the image; else it is the largest middle part with an allowed ratio.
    Source: Szegedy et al. 2015, section 6 (areas of 8 to 100 %, ratios of 3/4 to 4/3); tries and fallback as in
    torchvision's RandomResizedCrop.

    Args:
        image: its size.
        scale: smallest and largest share of the area.
        ratio: smallest and largest width / height.
        numbers: float64 (22,) in [0, 1).
    """
    h, w = image
    low, high = math.log(ratio[0]), math.log(ratio[1])
    for area_number, ratio_number in numbers[: 2 * _ATTEMPTS].reshape(_ATTEMPTS, 2).tolist():
        area = h * w * (scale[0] + (scale[1] - scale[0]) * area_number)
        shape = math.exp(low + (high - low) * ratio_number)
        width, height = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
        if 0 < width <= w and 0 < height <= h:
            top, left = numbers[2 * _ATTEMPTS :].tolist()
            return Box(int(top * (h - height + 1)), int(left * (w - width + 1)), height, width)
    width = min(w, max(1, round(h * ratio[1])))
    height = min(h, max(1, round(w / ratio[0])))
    return _centred(image, height, width)


def _centred(image: Size, height: int, width: int) -> Box:
    return Box((image[0] - height) // 2, (image[1] - width) // 2, height, width)


def shrinking(box: Box, result: Size) -> int:
    """Return the largest of 8, 4, 2 and 1 by which the image may be smaller and the part still be no smaller."""
    return next((f for f in _FACTORS if box.height >= f * result[0] and box.width >= f * result[1]), 1)


def within(box: Box, image: Size, shrunk: Size) -> Box:
    """Return the same part of the image after it was decoded smaller, in its pixels."""
    if image == shrunk:
        return box
    vertical, horizontal = shrunk[0] / image[0], shrunk[1] / image[1]
    top, left = min(round(box.top * vertical), shrunk[0] - 1), min(round(box.left * horizontal), shrunk[1] - 1)
    height = min(max(1, round(box.height * vertical)), shrunk[0] - top)
    width = min(max(1, round(box.width * horizontal)), shrunk[1] - left)
    return Box(top, left, height, width)


def cut(pixels: np.ndarray, box: Box, result: Size) -> np.ndarray:
    """Cut a part out of uint8 (h, w, C) and resize it, bilinear with antialiasing; returns uint8 (C, H, W).

    Within one level of Pillow's, which reads the part alone, too.
    """
    part = pixels[box.top : box.top + box.height, box.left : box.left + box.width]
    if part.shape[:2] == result:
        return part.transpose(2, 0, 1)
    part = np.ascontiguousarray(part)  # not left to torch, whose copy would start threads of its own
    view = torch.from_numpy(part).permute(2, 0, 1)[None]
    return interpolate(view, result, mode="bilinear", antialias=True)[0].numpy()
