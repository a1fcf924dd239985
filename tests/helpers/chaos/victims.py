"""What a soak takes from a run: its processes, found by the titles that Ray gives them, its nodes, its disk."""

import os
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from chaos.disk import Disk
from chaos.driver import Driver
from ray_fixtures import light_nodes
from ray_processes import session_processes

if TYPE_CHECKING:
    from numpy.random import Generator
    from ray._private.node import Node
    from ray.cluster_utils import Cluster

TITLES = {
    "worker": ("ray::RayTrainWorker", "ray::_RayTrainWorker"),
    "selection actor": ("ray::SelectionActor",),
    "range actor": ("ray::RangeActor",),
    "controller": ("ray::TrainController",),
}
OF_RAY = (
    "ray::IDLE",
    "ray::DashboardAgent",
    "ray::RuntimeEnvAgent",
    "ray::_AutoscalingCoordinatorActor",
    "ray::_StatsActor",
)
"""Ray's own, which end with it."""
NOT_A_TASK = (*(title for titles in TITLES.values() for title in titles), *OF_RAY)
NODES = 2
START_S = 120
FULL_S = 4.0
"""A disk is full or away for so long at most, in which a run comes to a checkpoint."""
LITTLE = 1 << 20
TAKES_MEMORY = ("worker", "selection actor", "range actor")
GONE_S = 60
"""A worker of a driver that died is ended when Ray has noticed that."""


@dataclass
class Field:
    """Everything that can be killed.

    Attributes:
        cluster: a Ray whose head is spared, since a cluster does not survive it.
        launcher: what starts its workers.
        draws: chooses who is next.
        disk: where the folders of the runs lie.
        nodes: what can be lost.
    """

    cluster: "Cluster"
    launcher: str
    draws: "Generator"
    disk: Disk
    nodes: list["Node"] = field(default_factory=list)

    def fill(self) -> None:
        """Add nodes until there are enough of them; Ray may give up starting one, and is asked again."""
        deadline = time.monotonic() + START_S
        while len(self.nodes) < NODES:
            try:
                with light_nodes(self.launcher):
                    self.nodes.append(self.cluster.add_node(num_cpus=2))
            except Exception:
                if time.monotonic() > deadline:
                    raise
        self.cluster.wait_for_nodes(START_S)

    def strike(self, driver: Driver) -> str:
        """Kill one thing that is there, each kind of it as probable as another; gives its kind."""
        there: dict[str, Callable[[], None]] = {
            "driver": driver.kill,
            "node": self._lose_node,
        }
        if self.disk.small:
            seconds = float(self.draws.uniform(0.5, FULL_S))
            there |= {"full disk": lambda: self.disk.fill(seconds), "lost disk": lambda: self.disk.hide(seconds)}
        if driver.begun:
            there["second command"] = driver.meet_a_second
        needy = []
        for kind, titles in TITLES.items():
            if found := [pid for title in titles for pid in session_processes(title)]:
                there[kind] = self._killing(found)
                needy += found if kind in TAKES_MEMORY else []
        if needy:
            there["no memory"] = lambda: _leave_no_memory(needy[self.draws.integers(len(needy))])
        if tasks := [pid for pid in session_processes("ray::") if _is_task(pid)]:
            there["task"] = self._killing(tasks)
        kind = list(there)[self.draws.integers(len(there))]
        there[kind]()
        return kind

    def _killing(self, pids: list[int]) -> Callable[[], None]:
        """Return a function that kills one of these processes, or all of them in one of four cases."""
        one = pids[self.draws.integers(len(pids))]
        victims = pids if self.draws.random() < 0.25 else [one]
        return lambda: [_kill(pid) for pid in victims] and None

    def _lose_node(self) -> None:
        node = self.nodes.pop(self.draws.integers(len(self.nodes)))
        self.cluster.remove_node(node, allow_graceful=False)
        self.fill()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it has ended meanwhile, as some do after another was killed


def _leave_no_memory(pid: int) -> None:
    """Let a process have what it has, and one MiB: what it asks for then, it does not get."""
    try:
        has = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
        resource.prlimit(pid, resource.RLIMIT_AS, (has + LITTLE, has + LITTLE))
    except (OSError, ValueError):
        return  # it has ended meanwhile


def _is_task(pid: int) -> bool:
    title = title_of(pid)
    return bool(title) and not title.startswith(NOT_A_TASK)


def left_behind() -> list[str]:
    """Return what goes on though no run does: processes that work, and places that are held; waits for their end."""
    from ray.util import placement_group_table

    deadline = time.monotonic() + GONE_S
    while True:
        busy = [
            title for pid in session_processes("ray::") if (title := title_of(pid)) and not title.startswith(OF_RAY)
        ]
        held = [one["placement_group_id"] for one in placement_group_table().values() if one["state"] != "REMOVED"]
        if not busy + held or time.monotonic() > deadline:
            return busy + held
        time.sleep(0.2)


def title_of(pid: int) -> str:
    """Return the title of a process, empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0")
    except OSError:
        return ""
