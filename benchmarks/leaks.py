"""What runs leave behind, however they end: in one process, on a cluster, on a Ray of their own, and without Ray.

They end well, fail, are interrupted at ten moments from their start to their end, or are killed. Claims: none leaves a
process, an actor, a placement group, a CPU, an object or a temporary file. What a killed run left in its own folder is
gone when it has gone on. A process that trains again and again has no more threads, open files or children afterwards.
The rival is the machine as it was before. Ray's own logs are told apart: it keeps those of every session.

Run: python benchmarks/leaks.py
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import _common
from _leaks_left import RAY_FOLDER, files, in_cluster, in_this_process, processes, settled, unfinished

signal.signal(signal.SIGINT, signal.default_int_handler)  # what starts in the background would hand on an ignored one
_common.one_thread()
_common.sys.path[:0] = [str(_common.ROOT / "tests" / "helpers")]
os.environ |= {
    "RAY_AUTH_MODE": "disabled",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
    "RAY_raylet_start_wait_time_s": "180",  # of a busy machine
}

from forked_workers import CLIENT, PROJECT, worker_servers  # noqa: E402
from growth import write_table  # noqa: E402
from ray_fixtures import light_nodes, started_cluster  # noqa: E402

from d2ace.pipeline import fit  # noqa: E402
from d2ace.pipeline.common.errors import RunError  # noqa: E402
from d2ace.pipeline.data.from_tables.prepare import prepare  # noqa: E402

MARK = "D2ACE_LEAKS"
ON_CLUSTER, OWN_RAY, WITHOUT_RAY = "a cluster", "a Ray of its own", "no Ray"
PLAN = {
    ON_CLUSTER: {"ends well": 1, "fails": 1, "interrupted": 10, "killed": 6},
    OWN_RAY: {"ends well": 1, "fails": 1, "interrupted": 2, "killed": 2},
    WITHOUT_RAY: {"ends well": 1, "fails": 1, "interrupted": 2, "killed": 2},
}
"""How many runs of each kind."""
FAILS = "optimizer.lr=1e30"
IN_PROCESS = 20
END_S, FIRST_S = 240, 20


@dataclass
class Place:
    """Where commands run, and what they are started with.

    Attributes:
        home: folder of the runs and of the files that they make.
        kind: which Ray they use.
        program: Python, or what stands for it.
        environment: of the commands.
    """

    home: Path
    kind: str
    program: str
    environment: dict[str, str]
    left: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    sessions: int = 0

    def begin(self, name: str, *overrides: str) -> "subprocess.Popen[bytes]":
        """Start a run of a name, or go on with it."""
        run = self.home / "runs" / name
        what = ["--resume", str(run)] if (run / "config.yaml").is_file() else [str(self.home / "config.yaml")]
        named = [] if "--resume" in what else [f"run.name={name}", f"run.storage={self.home / 'runs'}"]
        scratch = self.scratch(name)
        scratch.mkdir(exist_ok=True)
        command = [self.program, "-m", "d2ace.pipeline.cli", "train", *what, *named, *overrides]
        environment = self.environment | {"TMPDIR": str(scratch), MARK: str(scratch), CLIENT: name}
        with (self.home / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, cwd=self.home, env=environment, stdout=log, stderr=log)

    def scratch(self, name: str) -> Path:
        """Return the folder of a run's temporary files; Ray's sockets want its path short."""
        return self.home / name

    def look(self, name: str, how: str) -> None:
        """Note what a run left on the machine, and in the cluster if it used one."""
        scratch = self.scratch(name)
        mark = f"{MARK}={scratch}"
        found, waited = settled(lambda: list(processes(mark)), [])
        self.left += [f"{how}: process {_title(pid)}" for pid in found]
        self.left += [f"{how}: temporary {one}" for one in files(scratch)]
        if (scratch / RAY_FOLDER).is_dir():
            self.sessions += _size(scratch / RAY_FOLDER)
        if self.kind == ON_CLUSTER:
            used, seconds = settled(in_cluster, self.before)
            waited += seconds
            for what in used.keys() | self.before.keys():
                if more := used.get(what, 0) - self.before.get(what, 0):
                    self.left.append(f"{how}: {more} {what}")
            self.before = used  # told once
        self.waits.append(waited)
        shutil.rmtree(scratch, ignore_errors=True)

    before: dict[str, int] = field(default_factory=dict)


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")[:80]
    except OSError:
        return "that has ended since"


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def runs_of(place: Place) -> dict[str, Any]:
    """Make all runs of a place, and return what they left."""
    plan, seconds = PLAN[place.kind], 0.0
    for number in range(plan["ends well"]):
        started = time.monotonic()
        place.codes[f"ends well: {place.begin(f'w{number}').wait(END_S)}"] += 1
        seconds = time.monotonic() - started
        place.look(f"w{number}", "ends well")
    for number in range(plan["fails"]):
        place.codes[f"fails: {place.begin(f'f{number}', FAILS).wait(END_S)}"] += 1
        place.look(f"f{number}", "fails")
    for how, end in (("interrupted", signal.SIGINT), ("killed", signal.SIGKILL)):
        for number in range(plan[how]):
            broken_off(place, f"{how[0]}{number}", how, end, seconds * (number + 0.5) / plan[how])
    print(f"{place.kind}: {dict(place.codes)}, left: {place.left or 'nothing'}", flush=True)
    return {
        "runs": sum(plan.values()),
        "exit codes": dict(place.codes),
        "a run that ends well takes seconds": round(seconds, 1),
        "seconds until all was gone": _common.spread(place.waits),
        "left": place.left,
        "bytes of the logs of Ray's own sessions": place.sessions,
    }


def broken_off(place: Place, name: str, how: str, end: signal.Signals, after_s: float) -> None:
    """End a run after some seconds; what lies in its folder must be gone when it has gone on."""
    command, log = place.begin(name), place.home / f"{name}.log"
    while not log.stat().st_size and command.poll() is None:  # before its first word it is no run
        time.sleep(0.02)
    try:
        code = command.wait(after_s)
    except subprocess.TimeoutExpired:
        command.send_signal(end)
        code = command.wait(END_S)
    place.codes[f"{how}: {code}"] += 1
    place.look(name, f"{how} after {after_s:.1f} s")
    run = place.home / "runs" / name
    if run.is_dir() and unfinished(run):
        place.codes[f"{how}, goes on: {place.begin(name).wait(END_S)}"] += 1
        place.look(name, f"{how} after {after_s:.1f} s and gone on")
        place.left += [f"{how} and gone on: {one}" for one in unfinished(run)]


def in_one_process(home: Path) -> dict[str, Any]:
    """Train again and again in this process, well and in vain; return what it has more of afterwards."""
    counted = []
    for number in range(IN_PROCESS):
        overrides = {"run": {"storage": str(home / "here"), "name": f"r{number}", "workers": 0}}
        settings = config(home) | overrides | ({"optimizer": {"lr": 1e30}} if number % 3 == 2 else {})
        try:
            fit(settings, quiet=True)
        except RunError:
            assert number % 3 == 2
        counted.append(in_this_process())
    first, last = counted[2], counted[-1]
    print(f"in one process: {first} after 3 runs, {last} after {IN_PROCESS}", flush=True)
    return {"runs": IN_PROCESS, "after 3": first, "after all": last}


def config(home: Path) -> dict[str, Any]:
    """Return the configuration of a small run."""
    return {
        "data": {"path": str(home / "data")},
        "model": {"options": {"hidden": [8]}},
        "selector": {"name": "d2ace", "options": {"warmup": 1, "neighbours": 3}},
        "train": {"epochs": 6, "batch_size": 64},
        "run": {"workers": 2, "cpus_per_worker": 1},
    }


def main() -> None:
    import yaml

    with tempfile.TemporaryDirectory(prefix="lk-", dir="/tmp") as folder, worker_servers() as launchers:
        home = Path(folder)
        write_table(home / "rows.csv")
        prepare(home / "rows.csv", home / "data", label_prefix="y")
        (home / "config.yaml").write_text(yaml.safe_dump(config(home)))
        results = {"one process": in_one_process(home)}
        forked = str(launchers / PROJECT / "python")
        results |= on_a_cluster(home, forked)
        _common.record("leaks", results)
        own = yaml.safe_dump(config(home) | {"run": {"workers": 0}})
        with_workers = (home / "config.yaml").read_text()
        (home / "config.yaml").write_text(own)
        results[WITHOUT_RAY] = runs_of(Place(home, WITHOUT_RAY, forked, dict(os.environ)))
        _common.record("leaks", results)
        shutil.rmtree(home / "runs")
        (home / "config.yaml").write_text(with_workers)
        results[OWN_RAY] = runs_of(Place(home, OWN_RAY, sys.executable, dict(os.environ)))
    _common.record("leaks", results)


def on_a_cluster(home: Path, program: str) -> dict[str, Any]:
    """Make the runs that use a Ray which stays, and return what they left there."""
    import ray

    scratch = home / "cluster"
    scratch.mkdir()
    os.environ["TMPDIR"] = str(scratch)
    with light_nodes(program):
        cluster = started_cluster()
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    try:
        environment = os.environ | {"RAY_ADDRESS": cluster.address}
        place = Place(home, ON_CLUSTER, program, environment)
        place.begin("first").wait(END_S)  # Ray Data starts actors of its own at the first run, which serve all others
        time.sleep(FIRST_S)
        place.before = in_cluster()
        print(f"after the first run: {place.before}", flush=True)
        found = runs_of(place) | {"what a first run starts of Ray": place.before}
        found["left"] += [f"temporary {one} of the cluster's processes" for one in files(scratch)]
        return {ON_CLUSTER: found}
    finally:
        ray.shutdown()
        cluster.shutdown()
        del os.environ["TMPDIR"]
        shutil.rmtree(home / "runs")


if __name__ == "__main__":
    main()
