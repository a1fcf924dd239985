"""Random operations on colours after RandAugment (Cubuk et al. 2020), without those that move pixels.

n images; levels 0 to 255 as float32
"""

import numpy as np
import torch

from .colour import Colours, recoloured

OPERATIONS = ("identity", "autocontrast", "solarize", "posterize", "brightness", "contrast", "saturation")
"""Seven of the paper's fourteen. Missing: rotate, two shears and two shifts (they move pixels), equalize, sharpness."""
_MOST = 30
_STRONGEST_COLOUR = 0.9
_FEWEST_BITS = 4


def randaugmented(
    levels: torch.Tensor, means: torch.Tensor, numbers: np.ndarray, operations: int, magnitude: int
) -> torch.Tensor:
    """Apply ``operations`` random operations, one after the other, each image its own.

    Strengths for a magnitude m of 30 are torchvision's: factors 1 +- 0.9 m / 30 (the sign is random), pixels from
    level 255 - 255 m / 30 on inverted, 8 - round(4 m / 30) bits kept. Contrast pulls towards the grey mean that the
    image had at the start [own].

    Args:
        levels: float32 (n, C, H, W); changed in place.
        means: float32 (n,), mean grey of each image.
        numbers: float64 (n, 2 operations) in [0, 1): operation and sign of each step.
        operations: steps.
        magnitude: 0 to 30.

    Returns:
        ``levels``.
    """
    for step in range(operations):
        chosen = (numbers[:, 2 * step] * len(OPERATIONS)).astype(int)
        signs = np.where(numbers[:, 2 * step + 1] < 0.5, -1.0, 1.0)
        for code, name in enumerate(OPERATIONS):
            rows = np.flatnonzero(chosen == code)
            if len(rows) and name != "identity":
                index = torch.from_numpy(rows).to(levels.device)
                levels[index] = _applied(name, levels[index], means[index], signs[rows], magnitude)
    return levels


def _applied(name: str, x: torch.Tensor, means: torch.Tensor, signs: np.ndarray, magnitude: int) -> torch.Tensor:
    share = magnitude / _MOST
    if name == "autocontrast":
        return _autocontrast(x)
    if name == "solarize":
        return torch.where(x >= 255 * (1 - share), 255 - x, x)
    if name == "posterize":
        level = 2.0 ** round((8 - _FEWEST_BITS) * share)
        return (x / level).floor_().mul_(level)
    same = np.ones(len(signs))
    factors = {"brightness": same, "contrast": same, "saturation": same}
    factors[name] = 1 + _STRONGEST_COLOUR * share * signs
    return recoloured(x, means, Colours(**factors, hue=np.zeros(len(signs))))


def _autocontrast(x: torch.Tensor) -> torch.Tensor:
    """Spread each channel of each image over 0 .. 255; a flat one stays."""
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    spread = (x - low) * (255 / (high - low).clamp_min_(1e-6))
    return torch.where(high > low, spread, x)
