"""Cutout: a square of each image becomes 0 (DeVries and Taylor 2017)."""

import numpy as np
import torch


def cut_out(images: torch.Tensor, numbers: np.ndarray, share: float) -> torch.Tensor:
    """Set a square of each image to 0, in place; the square's centre is any pixel, so it may stick out.

    Args:
        images: float32 (n, C, H, W), scaled.
        numbers: float64 (n, 2) in [0, 1): place of the centre, down and across.
        share: of the square's side in the shorter side; the side is rounded to an even number of pixels, as in the
            authors' code.

    Returns:
        ``images``.
    """
    height, width = images.shape[2:]
    half = round(share * min(height, width)) // 2
    down, across = (_strip(numbers[:, axis], side, half) for axis, side in enumerate((height, width)))
    hole = torch.from_numpy(down[:, :, None] & across[:, None, :]).to(images.device)
    return images.masked_fill_(hole[:, None], 0.0)


def _strip(numbers: np.ndarray, side: int, half: int) -> np.ndarray:
    """Return bool (n, side): within ``half`` pixels of each centre."""
    centres, places = (numbers * side).astype(int)[:, None], np.arange(side)
    return (places >= centres - half) & (places < centres + half)
