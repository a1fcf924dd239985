"""What runs left behind: in a cluster, on the machine, among temporary files, and in a process that goes on."""

import gc
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GONE_S = 90
"""The longest that is waited for what is on its way out: Ray notices the death of a driver within some seconds."""
RAY_FOLDER = "ray"
"""Where Ray keeps the logs of its sessions, which it never removes."""


def in_cluster() -> dict[str, int]:
    """Return how much of a cluster is still in use: actors by class, placement groups, CPUs, objects."""
    import ray
    from ray._private.internal_api import node_stats
    from ray.util import placement_group_table
    from ray_processes import living_actors

    objects = [
        node_stats(node["NodeManagerAddress"], node["NodeManagerPort"]).store_stats
        for node in ray.nodes()
        if node["Alive"]
    ]
    free, total = ray.available_resources().get("CPU", 0.0), ray.cluster_resources()["CPU"]
    return {f"actors {name}": number for name, number in sorted(living_actors().items())} | {
        "placement groups": sum(group["state"] != "REMOVED" for group in placement_group_table().values()),
        "CPUs in use": round(total - free),
        "objects": sum(store.num_local_objects for store in objects),
    }


def processes(mark: str) -> Iterator[int]:
    """Yield the processes that inherited a variable, or have a file of its value's folder open, but this one.

    Args:
        mark: ``NAME=FOLDER``. A process that gives itself a title, as Ray's do, loses its environment, so files tell.
    """
    folder = mark.partition("=")[2]
    for path in Path("/proc").glob("[0-9]*"):
        try:
            inherited = mark.encode() in (path / "environ").read_bytes().split(b"\0")
            opened = any(str(file.readlink()).startswith(f"{folder}/") for file in (path / "fd").iterdir())
        except OSError:
            continue  # it has ended meanwhile
        if (inherited or opened) and int(path.name) != os.getpid():
            yield int(path.name)


def files(folder: Path) -> list[str]:
    """Return the temporary files and folders in a folder, but for Ray's own."""
    return [path.name for path in folder.iterdir() if path.name != RAY_FOLDER]


def unfinished(run: Path) -> list[str]:
    """Return what lies in a run's folder that a whole run has not: parts of files and locks, but for Ray's own."""
    found = (path.relative_to(run) for path in run.rglob("*") if "tmp" in path.name or path.name.startswith("."))
    return [str(path) for path in found if path.parts[0] != RAY_FOLDER]


def in_this_process() -> dict[str, int]:
    """Return threads, open files and children of this process."""
    gc.collect()
    me = Path(f"/proc/{os.getpid()}")
    children = [(task / "children").read_text().split() for task in (me / "task").iterdir()]
    return {
        "threads": threading.active_count(),
        "open files": len(list((me / "fd").iterdir())),
        "children": sum(map(len, children)),
    }


def settled(look: Any, wanted: Any) -> tuple[Any, float]:
    """Look until there is what is wanted, or for ``GONE_S``; return what there is then, and the seconds."""
    started = time.monotonic()
    while (found := look()) != wanted and time.monotonic() - started < GONE_S:
        time.sleep(0.2)
    return found, round(time.monotonic() - started, 1)
