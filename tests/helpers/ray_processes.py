"""The processes of a Ray of the suite's own."""

from collections import Counter
from pathlib import Path


def session_processes(name: str) -> list[int]:
    """Return the processes whose title starts with ``name`` and that write into the logs of this process's session.

    Others on the machine, of another suite for example, are left out: who kills by name alone kills those too.
    """
    import ray

    logs = ray._private.worker.global_worker.node.get_logs_dir_path()
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "cmdline").read_bytes().startswith(name.encode()) and writes_into(logs, path):
                found.append(int(path.name))
        except OSError:
            continue  # it has ended meanwhile
    return found


def living_actors() -> Counter[str]:
    """Return how many actors of each class have not ended, of all jobs of the Ray that is there."""
    from ray._private import state

    return Counter(one["ActorClassName"] for one in state.actors().values() if one["State"] != "DEAD")


def writes_into(folder: str, process: Path) -> bool:
    """Whether a process, by its folder in /proc, has a file of that folder open.

    Raises:
        OSError: when it has ended.
    """
    return any(str(file.readlink()).startswith(f"{folder}/") for file in (process / "fd").iterdir())
