"""The processes of the suite's own Ray session."""

import os
from pathlib import Path


def session_processes(name: str) -> list[int]:
    """Return the processes whose title starts with ``name`` and whose raylet this process has started.

    Others on the machine, of another suite for example, are left out: who kills by name alone kills those too.
    """
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            ours = _parent(_parent(int(path.name))) == os.getpid()
            if ours and (path / "cmdline").read_bytes().startswith(name.encode()):
                found.append(int(path.name))
        except OSError:
            continue  # it has ended meanwhile
    return found


def _parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1]) if process else 0
