"""Arrays of what a training loop gives, and back. Torch is imported only where a tensor was given."""

from typing import Any

import numpy as np


def float_array(values: Any) -> np.ndarray:
    """Return float32 values of a tensor (any device, any float dtype) or an array."""
    if hasattr(values, "detach"):
        values = values.detach().float().cpu().numpy()
    return np.asarray(values, np.float32)


def integer_array(ids: Any) -> np.ndarray:
    """Return the integers of a tensor on any device or an array, as they are."""
    if hasattr(ids, "detach"):
        ids = ids.detach().cpu().numpy()
    return np.asarray(ids)


def as_given(array: np.ndarray, given: Any) -> Any:
    """Return a tensor on the device of ``given`` when that is a tensor, else the array itself."""
    if not hasattr(given, "detach"):
        return array
    import torch

    return torch.from_numpy(array).to(given.device)
