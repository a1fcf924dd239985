"""What holds under load: a fast cluster's observations, a sweep of many trials, very many labels, very many rows.

Claims: 16 senders that push observations of 80 labels as fast as the actor takes them are slowed by it, and no memory
grows; a sweep of 64 trials on two cores completes; a table with 10,000 labels trains; preparing rows takes the same
memory however many they are. A fast GPU is taken to train 3,000 rows a second, and a sender to send twice that: 96,000
rows a second in all. The rival of each is that wish, or half of the size.

Run: python benchmarks/load.py [actor] [sweep] [labels] [prepare] [--rows N]
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import _common
from _processes import below, rss

_common.one_thread()

import numpy as np  # noqa: E402

SENDERS, LABELS, BATCH, RATE = 16, 80, 1024, 6000
ROWS, EPOCHS = 192_000, 2
TRIALS = 64
MANY = 10_000


def cpu_seconds(pid: int) -> float:
    """Return the seconds of a processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def noted(look: Callable[[], int], every_s: float = 0.5) -> Iterator[list[int]]:
    """Give a list that gets a number as time goes on, from a thread."""
    seen: list[int] = []
    ended = threading.Event()

    def note() -> None:
        while not ended.wait(every_s):
            seen.append(look())

    thread = threading.Thread(target=note, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def memory_of(*roots: int) -> int:
    """Return the bytes of memory of processes and of all below them."""
    return sum(rss(pid) for root in roots for pid in below(root))


def curve(seen: list[int]) -> dict[str, float]:
    """Return the memory at a quarter, half, three quarters and the end of a time, and the most, in MB."""
    parts = {f"{share:.0%}": seen[min(int(share * len(seen)), len(seen) - 1)] for share in (0.25, 0.5, 0.75, 1.0)}
    return {name: round(value / 1e6) for name, value in (parts | {"most": max(seen)}).items()}


def actor() -> dict[str, Any]:
    """Let 16 senders push epochs of observations to the actor, at the wished rate and as fast as they can."""
    import logging

    import ray
    import torch  # noqa: F401 - here, where nothing is measured yet

    from d2ace.pipeline.selection import actor as selection_actor
    from d2ace.pipeline.selection.blueprint import Blueprint

    settings = {"num_cpus": 4, "include_dashboard": False, "log_to_driver": False}
    ray.init(address="local", logging_level=logging.ERROR, **settings)
    rng = np.random.default_rng(0)
    labels = (rng.random((ROWS, LABELS)) < 0.04).astype(np.uint8)
    near = rng.integers(0, ROWS, (ROWS, 6))
    arguments = {"labels": labels, "batch_size": BATCH, "epochs": 99, "seed": 0, "warmup": 1, "neighbour_ids": near}
    blueprint = Blueprint("d2ace", arguments, np.arange(ROWS)).by_reference()
    found: dict[str, Any] = {"rows": ROWS, "wished rows a second": SENDERS * RATE}
    with selection_actor.started() as made:
        selection_actor.build(made, blueprint, lambda: 0)
        pid = ray.get(made.__ray_call__.remote(lambda _: __import__("os").getpid()))
        attempt = ray.get(made.rewind.remote(blueprint, None, SENDERS))
        for name, rate, first in (("at the wished rate", RATE, 0), ("as fast as it goes", None, EPOCHS)):
            found[name] = pushed(made, blueprint, attempt, pid, rate, range(first, first + EPOCHS))
            print(name, found[name], flush=True)
    ray.shutdown()
    return found


def pushed(made: Any, blueprint: Any, attempt: int, pid: int, rate: float | None, epochs: range) -> dict[str, Any]:
    """Send some epochs; return the rate, how long senders were held up, and the memory of actor and object store."""
    import ray
    from ray._private.internal_api import get_memory_info_reply, get_state_from_address

    state = get_state_from_address(ray.get_runtime_context().gcs_address)
    held: list[float] = []
    seconds, rows, ends, used = 0.0, 0, 0.0, 0.0
    with (
        noted(lambda: memory_of(pid)) as actor_bytes,
        noted(lambda: int(get_memory_info_reply(state).store_stats.object_store_bytes_used)) as store_bytes,
    ):
        for epoch in epochs:
            batches = ray.get(ray.get(made.plan.remote(epoch)))
            started, used = time.perf_counter(), used - cpu_seconds(pid)
            senders = [
                threading.Thread(target=send, args=(made, blueprint, attempt, rank, batches, epoch, rate, held))
                for rank in range(SENDERS)
            ]
            for sender in senders:
                sender.start()
            for sender in senders:
                sender.join()
            seconds, used = seconds + time.perf_counter() - started, used + cpu_seconds(pid)
            rows += len(batches.ids)
            ended = time.perf_counter()
            ray.get(made.record.remote(epoch))  # rescoring and the next plan are no sending
            ends += time.perf_counter() - ended
    return {
        "rows a second": round(rows / seconds),
        "rows a second of a processor that the actor had": round(rows / used),
        "share of the senders' time that they were held up": round(sum(held) / (SENDERS * seconds), 3),
        "seconds of an epoch's end": round(ends / len(epochs), 2),
        "actor, MB": curve(actor_bytes),
        "object store, MB": curve(store_bytes),
    }


def send(
    made: Any, blueprint: Any, attempt: int, rank: int, batches: Any, epoch: int, rate: float | None, held: list[float]
) -> None:
    """Send an epoch as a worker does, its share of each batch; note the seconds that it was held up."""
    import torch

    from d2ace.pipeline.selection.conversation import Messages
    from d2ace.pipeline.selection.observation import Seen
    from d2ace.pipeline.selection.remote import RemoteSelection

    selection = RemoteSelection(made, blueprint, Messages(LABELS, steps=8), rank)
    selection.join(attempt)
    selection._observer.begin(epoch, 0)
    shown = torch.rand(BATCH, LABELS)
    started, waited, sent = time.perf_counter(), 0.0, 0
    for start, stop in zip(batches.offsets, batches.offsets[1:], strict=False):
        cuts = start + (stop - start) * np.arange(SENDERS + 1) // SENDERS
        ids = batches.ids[cuts[rank] : cuts[rank + 1]]
        sent += len(ids)
        if rate is not None and (early := started + waited + sent / rate - time.perf_counter()) > 0:
            time.sleep(early)
        asked = time.perf_counter()
        selection.observe(ids, [Seen(shown[: len(ids)], shown[: len(ids)], shown.sum())])
        waited += time.perf_counter() - asked
    asked = time.perf_counter()
    selection.settle()
    held.append(waited + time.perf_counter() - asked)


def sweep() -> dict[str, Any]:
    """Try 64 settings, two at a time, each a run of its own."""
    from growth import write_table

    from d2ace.pipeline.data.from_tables.prepare import prepare
    from d2ace.pipeline.studies.tune import Sweep, SweepFolder

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_table(home / "rows.csv")
        prepare(home / "rows.csv", home / "data", label_prefix="y")
        base = {"data": {"path": str(home / "data")}, "train": {"epochs": 4}, "run": {"workers": 0}}
        knobs = {"optimizer.lr": {"low": 1e-5, "high": 1e-2, "log": True}}
        values = {"name": "many", "config": base, "knobs": knobs, "trials": TRIALS, "scheduler": "none"}
        Sweep.make(values).save(home / "many.yaml")
        command = [sys.executable, "-m", "d2ace.pipeline.cli", "tune", str(home / "many.yaml"), str(home / "many")]
        started = time.perf_counter()
        command += ["--parallel", "2"]
        with (
            subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=home) as process,
            noted(lambda: memory_of(process.pid)) as seen,
        ):
            code = process.wait()
        table = SweepFolder(home / "many").table
        return {
            "exit code": code,
            "trials": len(table),
            "finished": int((table["status"] == "finished").sum()),
            "seconds": round(time.perf_counter() - started),
            "all processes, MB": curve(seen),
        }


def labels() -> dict[str, Any]:
    """Train rows of 10,000 labels for two epochs in a process of its own."""
    from scipy import sparse

    with tempfile.TemporaryDirectory() as folder:
        home, rng, rows = Path(folder), np.random.default_rng(0), 2_000
        columns = (MANY * rng.random((rows, 5)) ** 2).astype(np.int64)
        given = sparse.coo_array((np.ones(columns.size, np.uint8), (np.repeat(np.arange(rows), 5), columns.ravel())))
        given = sparse.csr_array(given, shape=(rows, MANY))
        given.data[:] = 1
        features = rng.normal(size=(rows, 50)).astype(np.float32)
        np.savez(home / "rows.npz", X=features, Y=given.toarray())
        measured = {"rows": rows, "labels": MANY}
        commands = {
            "prepare": ["prepare", str(home / "rows.npz"), str(home / "data")],
            "train": ["train", str(home / "data"), "run.workers=0", "train.epochs=2", f"run.storage={home / 'runs'}"],
        }
        for name, words in commands.items():
            measured[name] = command_of(home, words)
            print(name, measured[name], flush=True)
        return measured


def command_of(home: Path, words: list[str]) -> dict[str, Any]:
    """Run ``d2ace`` in a process of its own; return its code, last words when it failed, seconds and memory."""
    started = time.perf_counter()
    log = home / "log"
    command = [sys.executable, "-m", "d2ace.pipeline.cli", *words]
    with (
        log.open("wb") as told,
        subprocess.Popen(command, stdout=told, stderr=told, cwd=home) as process,
        noted(lambda: memory_of(process.pid)) as seen,
    ):
        code = process.wait()
    found = {"exit code": code, "seconds": round(time.perf_counter() - started, 1), "memory, MB": curve(seen)}
    return found | ({"said": log.read_text().strip().splitlines()[-1]} if code else {})


def prepare_rows(most: int) -> dict[str, Any]:
    """Prepare a CSV of some rows, of half and of a quarter of them, each in a process of its own."""
    found: dict[str, Any] = {}
    for rows in (most // 4, most // 2, most):
        with tempfile.TemporaryDirectory() as folder:
            size, started = write_rows(Path(folder) / "rows.csv", rows), time.perf_counter()
            told = subprocess.run([sys.executable, __file__, "--in", folder], check=True, capture_output=True)
            peaks = json.loads(told.stdout)
            seconds = round(time.perf_counter() - started, 1)
            found[f"{rows:,} rows"] = {"bytes": size, "seconds": seconds, "most memory, MB": peaks}
            print(rows, found[f"{rows:,} rows"], flush=True)
    return found


def prepared_in(folder: Path) -> None:
    """Prepare the rows there, and print the most memory until they are written, and with their summary."""
    from d2ace.pipeline.data.from_tables import prepare as room

    peaks: dict[str, int] = {}

    def noted(name: str, work: Any) -> Any:
        def noting(*arguments: Any, **settings: Any) -> Any:
            result = work(*arguments, **settings)
            peaks[name] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)
            return result

        return noting

    room.write_source = noted("until all is written", room.write_source)
    room.summarise = noted("with the summary", room.summarise)
    room.prepare(folder / "rows.csv", folder / "data", label_prefix="y")
    print(json.dumps(peaks))


def write_rows(path: Path, rows: int) -> int:
    """Write a CSV of 60 features and 6 labels, a digit each; returns its bytes. A shard holds 280,000 such rows."""
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(",".join([*(f"x{i}" for i in range(60)), *(f"y{i}" for i in range(6))]).encode() + b"\n")
        for start in range(0, rows, 10_000):
            some = min(10_000, rows - start)
            lines = np.full((some, 132), ord(","), np.uint8)
            lines[:, :120:2] = ord("0") + rng.integers(0, 10, (some, 60))
            lines[:, 120::2] = ord("0") + rng.integers(0, 2, (some, 6))
            lines[:, -1] = ord("\n")
            file.write(lines.tobytes())
    return path.stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["actor", "sweep", "labels", "prepare"])
    parser.add_argument("--rows", type=int, default=1_200_000)
    parser.add_argument("--in", type=Path, dest="folder", help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.folder is not None:
        return prepared_in(told.folder)
    os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_raylet_start_wait_time_s": "180"}
    parts = {"actor": actor, "sweep": sweep, "labels": labels, "prepare": lambda: prepare_rows(told.rows)}
    results = _common.recorded("load")
    for name in told.parts:
        results[name] = parts[name]() | {"load": round(os.getloadavg()[0], 1), "commit": _common.commit()}
        print(json.dumps({name: results[name]}, indent=1), flush=True)
    _common.record("load", results)


if __name__ == "__main__":
    main()
