"""Files of NumPy arrays."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .any_path import AnyPath, replacing


def write_arrays(path: AnyPath, arrays: Mapping[str, Any]) -> None:
    """Write arrays, numbers and texts by name as ``.npz``, whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
