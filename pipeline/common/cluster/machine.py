"""What the machine of a command certainly lacks, found out without PyTorch or Ray, so that it is told at once."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..config.sections import RunSection

DEVICES = Path("/dev")
GPU_FILES = ("nvidia*", "dxg", "kfd", "dri/renderD*")
"""What drivers of GPUs put there on Linux: NVIDIA's, those of Windows' subsystem, AMD's, Intel's."""


def require_gpu_here(run: "RunSection", what: str = "run.gpu=true") -> None:
    """Refuse a GPU where a command would start a Ray of this machine, which certainly has none.

    A Ray that is there is asked later (``nodes.require_room``): it may have GPUs on other machines.

    Raises:
        ConfigError: naming ``what`` asked for it.
    """
    if not run.gpu or run.wait_for_nodes_s or os.environ.get("RAY_ADDRESS") or not _lacks_gpu():
        return
    if "ray" in sys.modules and sys.modules["ray"].is_initialized():
        return
    raise ConfigError(
        f"{what}: this machine has no GPU; leave it out, or set RAY_ADDRESS to a cluster with GPUs, or send the "
        "command there with d2ace submit"
    )


def _lacks_gpu() -> bool:
    return sys.platform == "linux" and not any(any(DEVICES.glob(pattern)) for pattern in GPU_FILES)
