"""``make chaos``: runs whose processes and nodes are killed at random moments, and whether that changed them.

Each run has a twin that nobody disturbs. Killed are, each kind as probable as another: training workers, the selection
actor, actors of row ranges, tasks that read and decode, Ray Train's controller, a whole node, the command itself. Two
more kinds: a worker or an actor gets no more memory, and a second command wishes to go on with the run. Where this
process may mount a disk, that of the run is also full, or away, for some seconds. After its end a run's batches,
weights, losses and metrics must be its twin's, bit for bit, and nothing of it may be left.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

os.environ |= {
    "RAY_AUTH_MODE": "disabled",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "30",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_worker_niceness": "0",
    "OMP_NUM_THREADS": "1",
}

import numpy as np
import ray
from _common import record, spread
from chaos.disk import Disk, small_disk
from chaos.driver import Driver
from chaos.one_run import HangError, Kill, UnderFire
from chaos.scenarios import Scenario, scenarios, under_fire, undisturbed
from chaos.victims import Field, left_behind
from forked_workers import PROJECT, worker_servers
from ray_fixtures import light_nodes, started_cluster
from runs_under_fire import equal_runs

from d2ace.pipeline.common.text_table import aligned


def main(arguments: list[str] | None = None) -> int:
    """Run the soak and print what it found; returns 1 when a run hung, was changed or left something behind."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="kills in all (default 300)")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="no kill after that time")
    parser.add_argument("--mean", type=float, default=1.0, help="mean seconds from a recovery to a kill (default 1)")
    parser.add_argument("--seed", type=int, default=0, help="of victims and moments (default 0)")
    parser.add_argument("--scenario", help="only the one whose name begins so")
    parser.add_argument("--keep", action="store_true", help="write the kills to benchmarks/results/chaos.json")
    told = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="d2ace-chaos-") as folder, worker_servers() as launchers:
        say = _people(Path(folder) / "ray.log")
        try:
            with small_disk(Path(folder) / "disk") as disk:
                kills, faults = _soak(told, Path(folder), disk, str(launchers / PROJECT / "python"), say)
        except BaseException:
            say(traceback.format_exc())
            return 1
    say("\n".join([_summary(kills), *faults]))
    if told.keep and not faults:
        record("chaos", {"seed": told.seed, "recovered_s": _recovered(kills), "kills": [str(kill) for kill in kills]})
    return int(bool(faults))


def _people(log: Path) -> Callable[[str], None]:
    """Return what tells people a line, and send all else to a file: Ray says many lines of every node that is lost."""
    people = os.fdopen(os.dup(1), "w", buffering=1)
    file = log.open("a", buffering=1)
    for descriptor in (1, 2):
        os.dup2(file.fileno(), descriptor)
    sys.stdout = sys.stderr = file
    return lambda line: print(line, file=people)


def _soak(
    told: argparse.Namespace, folder: Path, disk: Disk, launcher: str, say: Callable[[str], None]
) -> tuple[list[Kill], list[str]]:
    """Train one run after the other until there were enough kills; gives them and what is wrong."""
    until = time.monotonic() + 60 * told.minutes
    chosen = {name: one for name, one in scenarios(folder).items() if name.startswith(told.scenario or "")}
    twins = {name: undisturbed(one, folder / name) for name, one in chosen.items()}
    with light_nodes(launcher):
        cluster = started_cluster()
    field = Field(cluster, launcher, np.random.Generator(np.random.Philox(told.seed)), disk)
    kills: list[Kill] = []
    faults: list[str] = []
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    try:
        field.fill()
        number = 0
        while len(kills) < told.kills and time.monotonic() < until and not faults:
            name = list(chosen)[number % len(chosen)]
            run = _prepared(number, name, chosen[name], folder / name, field, told.mean)
            found, faults = _one(run, twins[name], told.kills - len(kills), until)
            kills += found
            say(f"run {number} ({name}): {len(found)} kills, {len(run.ends)} ends of the command by itself")
            for words in run.ends:
                say(f"    {words}")
            number += 1
    finally:
        ray.shutdown()
        cluster.shutdown()
    return kills, faults


def _prepared(number: int, name: str, scenario: Scenario, folder: Path, field: Field, mean_s: float) -> UnderFire:
    config = under_fire(scenario, field.disk.folder, f"run-{number}")
    file = folder / f"run-{number}.yaml"
    config.save(file)
    run = field.disk.folder / f"run-{number}"
    driver = Driver(file, run, field.cluster.address, field.launcher, folder / f"run-{number}.log")
    return UnderFire(number, name, run, driver, field, mean_s)


def _one(run: UnderFire, twin: Path, most: int, until: float) -> tuple[list[Kill], list[str]]:
    """Train a run under fire; gives its kills and what is wrong with it."""
    try:
        kills = run.train(most, until)
    except HangError as error:
        run.driver.kill()
        return [], [f"hang: {error}", run.driver.log.read_text(errors="replace")[-5000:]]
    faults = [] if equal_runs(run.folder, twin) else [f"run {run.number} ({run.scenario}) is not its twin"]
    if "Traceback" in (log := run.driver.log.read_text(errors="replace")):
        faults.append(f"run {run.number}: a traceback was shown\n{log[log.index('Traceback') :][:5000]}")
    if not faults:
        shutil.rmtree(run.folder)  # the disk is small
    return kills, faults + [f"run {run.number} left behind: {each}" for each in left_behind()]


def _recovered(kills: list[Kill]) -> dict[str, dict[str, float]]:
    """Return by victim how many were killed, and the spread of the seconds to recover where they were waited for."""
    found = {}
    for victim in sorted({kill.victim for kill in kills}):
        of_victim = [kill for kill in kills if kill.victim == victim]
        seconds = [kill.recovered_s for kill in of_victim if kill.recovered_s is not None]
        found[victim] = {"kills": len(of_victim), **(spread(seconds) if seconds else {})}
    return found


def _summary(kills: list[Kill]) -> str:
    """Return a table of the kills, by victim."""
    rows = [["killed", "times", "recovered after s, least", "median", "most"]]
    for victim, facts in _recovered(kills).items():
        rows.append(
            [victim, str(facts["kills"]), *(f"{facts[key]:.1f}" for key in ("min", "median", "max") if key in facts)]
        )
    return "\n".join([f"{len(kills)} kills", aligned([[*row, *[""] * (5 - len(row))] for row in rows])])


if __name__ == "__main__":
    sys.exit(main())
