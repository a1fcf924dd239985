"""The processes of the suite's own Ray session."""

import os
from collections.abc import Iterator
from pathlib import Path


def session_processes(name: str) -> list[int]:
    """Return the processes whose title starts with ``name`` and that descend from this process.

    Others on the machine, of another suite for example, are left out: who kills by name alone kills those too.
    """
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "cmdline").read_bytes().startswith(name.encode()) and os.getpid() in _ancestors(int(path.name)):
                found.append(int(path.name))
        except OSError:
            continue  # it has ended meanwhile
    return found


def _ancestors(process: int) -> Iterator[int]:
    while process:
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        yield process
