"""Files of tensors as ``torch.save`` writes them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..common.storage.whole_files import naming


def save_tensors(values: Mapping[str, Any], path: Path) -> None:
    """Write nested values and tensors.

    The file is opened here: PyTorch's own writer hides why a disk does not take it.

    Raises:
        OSError: naming the file, when a disk does not take it.
    """
    with naming(path), path.open("wb") as file:
        torch.save(values, file)
