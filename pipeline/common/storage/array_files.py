"""Files of NumPy arrays."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .whole_files import replacing


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays, numbers and texts by name as ``.npz``, whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
