"""A small disk in memory that a soak fills up, or takes away."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SIZE = "64m"
"""Room for the folder of a run, which keeps its last checkpoints."""


@dataclass(frozen=True)
class Disk:
    """Where runs under fire lie.

    Attributes:
        folder: their place.
        small: whether it is a disk of its own, which may be filled or taken away.
    """

    folder: Path
    small: bool

    def fill(self, seconds: float) -> None:
        """Leave no byte free for some seconds."""
        filler = self.folder / "filler"
        try:
            with filler.open("wb", buffering=0) as file:
                while file.write(bytes(1 << 16)):
                    pass
        except OSError:
            pass  # it is full
        time.sleep(seconds)
        filler.unlink(missing_ok=True)

    def hide(self, seconds: float) -> None:
        """Take all that lies there away for some seconds, as storage in a network does: nothing is found or written."""
        _mounted(self.folder, "size=4k,nr_inodes=1,ro")
        time.sleep(seconds)
        _unmount(self.folder)


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """Mount a disk at ``folder`` meanwhile; without the rights of root it is a folder as any other."""
    folder.mkdir()
    small = _mounted(folder, f"size={SIZE}")
    try:
        yield Disk(folder, small)
    finally:
        if small:
            _unmount(folder)


def _mounted(folder: Path, options: str) -> bool:
    """Mount an empty disk over a folder; return whether that is allowed."""
    mount = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
    return subprocess.run(mount, capture_output=True).returncode == 0


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
