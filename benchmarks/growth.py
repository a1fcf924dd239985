"""What grows with the number of epochs: a run of 1,000 tiny ones, in one process or with Ray.

Claims: a checkpoint of the last epoch is at most 1 kB larger than one of the tenth; an epoch writes as many bytes at
the end as at the start; memory grows by less than 1 MB in 100 epochs after the first 100. The rival is the run's own
start. With ``--traced`` Python counts the bytes of its objects, which slows the run: what grows beside them is no
object of a program, but what allocators below Python keep. With ``--ray`` a worker trains and an actor selects, and
memory is that of each of their processes, and of the driver.

Run: python benchmarks/growth.py [--epochs E] [--traced | --ray]
"""

import argparse
import os
import tempfile
import time
import tracemalloc
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

from _common import one_thread, record, recorded, spread
from _processes import below, rss

one_thread()

import numpy as np  # noqa: E402

from d2ace.pipeline import fit  # noqa: E402
from d2ace.pipeline.data.from_tables.prepare import prepare  # noqa: E402
from d2ace.pipeline.runs.checkpoints import CheckpointStore  # noqa: E402
from d2ace.pipeline.training import whole_run  # noqa: E402
from d2ace.pipeline.training.hooks.progress import TellProgress  # noqa: E402
from d2ace.pipeline.training.loop import Epoch, Training  # noqa: E402

ROWS, FEATURES, LABELS, WINDOW = 400, 10, 6, 50


class Watch(TellProgress):
    """Notes after every epoch what there is."""

    noted: list[dict[str, float]] = []  # noqa: RUF012 - the run makes the hook itself
    folder: Path
    traced: bool

    def after_epoch(self, training: Training, epoch: Epoch) -> None:
        """Look at the newest checkpoint, which may be of the epoch before, and at this process."""
        super().after_epoch(training, epoch)
        if self.traced and epoch.number == WINDOW // 2:
            tracemalloc.start()
        newest = CheckpointStore(self.folder / "checkpoints").latest()
        size = sum(file.stat().st_size for file in Path(newest.path).iterdir()) if newest else 0
        metrics = self.folder / "metrics.jsonl"
        self.noted.append(
            {
                "at": time.perf_counter(),
                "checkpoint": size,
                "metrics": metrics.stat().st_size if metrics.exists() else 0,
                "written": _written(),
                "memory": rss(os.getpid()),
                "objects": _objects(),
            }
        )


def _objects() -> int:
    """Return the bytes of the objects that Python has made since it counts them; 0 where it does not."""
    return tracemalloc.get_traced_memory()[0]


def _written() -> int:
    """Return the bytes that this process has written, as Linux counts them."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("wchar:")))


def write_table(path: Path) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(ROWS, FEATURES)).round(3)
    labels = (features @ rng.normal(size=(FEATURES, LABELS)) > 1).astype(int)
    head = ",".join([*(f"x{i}" for i in range(FEATURES)), *(f"y{i}" for i in range(LABELS))])
    rows = [",".join(map(str, [*row, *label])) for row, label in zip(features, labels, strict=True)]
    path.write_text("\n".join([head, *rows]))


def windows(noted: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return the state at some epochs, with seconds and bytes of an epoch among the ``WINDOW`` before."""
    found = {}
    for end in sorted({WINDOW, 100, 200, 500, len(noted)}):
        if end > len(noted):
            continue
        part = noted[end - WINDOW : end]
        seconds = np.diff([each["at"] for each in part])
        written = np.diff([each["written"] for each in part])
        last = part[-1]
        found[str(end)] = {
            "seconds": float(np.median(seconds)),
            "written": float(np.median(written)),
            **{name: last[name] for name in ("checkpoint", "metrics", "memory", "objects")},
        }
    return found


def configuration(home: Path, epochs: int, workers: int) -> dict[str, Any]:
    """Prepare the rows, and return the configuration of a run ``long`` on them."""
    write_table(home / "rows.csv")
    prepare(home / "rows.csv", home / "data", label_prefix="y")
    return {
        "data": {"path": str(home / "data")},
        "model": {"options": {"hidden": [8]}},
        "selector": {"name": "d2ace", "options": {"warmup": 1, "neighbours": 3}},
        "train": {"epochs": epochs, "batch_size": 128},
        "run": {"storage": str(home / "runs"), "name": "long", "workers": workers},
    }


def beside_ray(epochs: int) -> dict[str, dict[str, int]]:
    """Train with a worker and an actor; gives bytes of memory of each process by the epochs that were done."""
    found: dict[str, dict[str, int]] = {}
    ended = Event()

    def watch(metrics: Path) -> None:
        wanted = [100, *range(200, epochs + 1, 100)]
        while wanted and not ended.wait(0.05):
            done = len(metrics.read_bytes().splitlines()) if metrics.exists() else 0
            if done >= wanted[0]:
                found[str(wanted.pop(0))] = _memory_by_title()

    with tempfile.TemporaryDirectory(dir=".") as folder:
        home = Path(folder).resolve()
        config = configuration(home, epochs, workers=1)
        watching = Thread(target=watch, args=(home / "runs" / "long" / "metrics.jsonl",))
        watching.start()
        try:
            fit(config, quiet=True)
        finally:
            ended.set()
            watching.join()
    return found


def _memory_by_title() -> dict[str, int]:
    """Return bytes of memory of this process, and of those of Ray that a run works with."""
    found = {"driver": rss(os.getpid())}
    for process in below(os.getpid()):
        with suppress(OSError):
            title = Path(f"/proc/{process}/cmdline").read_text()
            for name in ("SelectionActor", "TrainController", "RayTrainWorker"):
                if title.startswith("ray::") and name in title:
                    found[name] = rss(process)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--traced", action="store_true", help="count Python's objects, too")
    parser.add_argument("--ray", action="store_true", help="with a worker and an actor, instead")
    told = parser.parse_args()
    if told.ray:
        curves = beside_ray(told.epochs)
        for epoch, processes in curves.items():
            print(f"epoch {epoch:>5}: " + ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in processes.items()))
        record("growth_ray", {"memory": curves})
        return
    epochs, Watch.traced = told.epochs, told.traced
    with tempfile.TemporaryDirectory(dir=".") as folder:
        home = Path(folder).resolve()
        config = configuration(home, epochs, workers=0)
        Watch.folder = home / "runs" / "long"
        whole_run.TellProgress = Watch  # type: ignore[misc]
        fit(config, quiet=True)
        order = sum(file.stat().st_size for file in (Watch.folder / "order").iterdir()) / epochs
        table = sum(file.stat().st_size for file in (Watch.folder / "selection.parquet").iterdir()) / epochs
    found = windows(Watch.noted)
    for at, values in found.items():
        print(
            f"epoch {at:>5}: {values['seconds'] * 1e3:.0f} ms, {values['written'] / 1e3:.0f} kB written, checkpoint "
            f"{values['checkpoint'] / 1e3:.1f} kB, metrics.jsonl {values['metrics'] / 1e3:.0f} kB, "
            f"memory {values['memory'] / 1e6:.1f} MB, objects {values['objects'] / 1e6:.2f} MB"
        )
    print(f"an epoch adds {order:.0f} bytes to order/ and {table:.0f} to selection.parquet/")
    if told.traced:
        record("growth", recorded("growth") | {"objects": {at: values["objects"] for at, values in found.items()}})
        return
    results = {"epochs": found, "order_bytes": order, "selection_bytes": table}
    record("growth", {**results, "epoch_s": spread(list(np.diff([each["at"] for each in Watch.noted])))})


if __name__ == "__main__":
    main()
