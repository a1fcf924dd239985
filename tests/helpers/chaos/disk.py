"""A small disk in memory that a soak fills up."""

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
        small: whether it is a disk of its own, which may be filled.
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


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """Mount a disk at ``folder`` meanwhile; without the rights of root it is a folder as any other."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(folder)]
    mounted = subprocess.run(mount, capture_output=True).returncode == 0
    try:
        yield Disk(folder, mounted)
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
