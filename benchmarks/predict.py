"""``d2ace predict`` on new photographs against decoding and the network alone, on the same cores.

Two claims. A worker reads files, decodes, predicts and writes at 0.9 of the rate of the same decoder and the same
network fed from memory. So does Ray Data with a worker a core, from the first finished part to the last, against as
many processes.

The photographs are JPEGs of 500 x 375 made from noise blobs, so no data is needed; the network is small-cnn at 128 x
128, in which decoding is most of the work. Where others use the machine, wall-clock ratios say little: the first part
also gives processor time.

Run: python benchmarks/predict.py [--images N] [--repeats N] [--without-ray]
"""

# ruff: noqa: E402 - threads are set before NumPy is loaded

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from _common import one_thread, record, shown, spread

one_thread()

import numpy as np
import torch
from decode import photograph

from d2ace.pipeline import fit
from d2ace.pipeline.common.storage.locations import Location
from d2ace.pipeline.data.from_images.prepare import prepare_images
from d2ace.pipeline.feeds.request import Request
from d2ace.pipeline.results.prediction import _job, running
from d2ace.pipeline.results.prediction.job import Finished, Job, Piece
from d2ace.pipeline.results.prediction.new_images import _CHUNK, ImageReader, image_pieces
from d2ace.pipeline.results.prediction.predictor import Predictor
from d2ace.pipeline.results.prediction.source import open_source
from d2ace.pipeline.runs.trained_model import TrainedModel
from d2ace.pipeline.runs.trained_run import TrainedRun

DISTINCT, CORES = 200, 2


def main() -> None:
    """Make the photographs, train for an epoch, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--without-ray", action="store_true", help="one worker alone: on a machine that others use")
    options = parser.parse_args()
    images, repeats = options.images, options.repeats
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        photographs = written(home / "photographs", images)
        run = trained(home, min(DISTINCT, images))
        job = _job(run, open_source(photographs, run), home / "work", 5, None, 0)
        job.folder.mkdir()
        found: dict[str, Any] = {"images": images, "one worker": one_worker(job, run, repeats)}
        if not options.without_ray:
            found["Ray Data"] = on_ray(job, run, repeats)
    record("predict", found)


def written(folder: Path, images: int) -> Path:
    """Write photographs; after the first ones they repeat."""
    folder.mkdir()
    contents = [photograph(number) for number in range(min(DISTINCT, images))]
    for number in range(images):
        (folder / f"{number:06d}.jpg").write_bytes(contents[number % DISTINCT])
    return folder


def trained(home: Path, rows: int) -> TrainedRun:
    """Return a run of one epoch over some of the photographs, with twenty labels."""
    lines = [f"photographs/{n:06d}.jpg,{n % 20};{n % 7}" for n in range(rows)]
    (home / "labels.csv").write_text("\n".join(["path,labels", *lines]) + "\n")
    prepare_images(home, home / "data", format="image-csv", files="labels.csv", label_column="labels", quiet=True)
    result = fit(
        {
            "data": {"path": str(home / "data")},
            "images": {"size": [128, 128]},
            "model": {"name": "small-cnn"},
            "selector": {"name": "uniform"},
            "train": {"epochs": 1, "batch_size": 32},
            "run": {"storage": str(home / "runs"), "name": "a", "workers": 0},
        },
        quiet=True,
    )
    return TrainedRun.open(result.folder)


class Alone:
    """Decoding and the network, from memory: no files, no parts, no counting."""

    def __init__(self, run: TrainedRun, folder: Location, names: tuple[str, ...]) -> None:
        self._model, self._transform = TrainedModel(run, threads=1), ImageReader(run, folder, 1).transform
        self._contents = [folder.below(name).read() for name in names]
        self._chunk = _CHUNK["cpu"]

    def __call__(self) -> None:
        """Predict all images once."""
        for start in range(0, len(self._contents), self._chunk):
            some = self._contents[start : start + self._chunk]
            pixels = torch.from_numpy(np.stack([self._transform.decoded(content) for content in some]))
            batch = self._transform.batch(pixels, Request(np.arange(len(some))))
            torch.sigmoid(self._model.logits(batch)).numpy()


def one_worker(job: Job, run: TrainedRun, repeats: int) -> dict[str, Any]:
    """Compare one worker with one thread, the two in turn on the same piece."""
    images = open_source(job.images.shown, run).images  # type: ignore[union-attr]
    piece = Piece(0, 0, min(256, len(images)), images[:256])
    worker, alone = Predictor(job, run, threads=1), Alone(run, job.images, piece.images)  # type: ignore[arg-type]
    alone()
    worker(piece)
    pairs = [(measured(alone), measured(lambda: worker(piece))) for _ in range(repeats)]
    found = {
        what: [first[place] / second[place] for first, second in pairs]
        for place, what in enumerate(("wall clock", "processor time"))
    }
    for what, ratios in found.items():
        print(f"one worker over decode and forward alone, {what}: {shown(ratios, unit='')}")
    rate = [piece.rows / second[0] for _, second in pairs]
    print(f"one worker: {shown(rate, unit='images/s')}")
    return {**{what: spread(ratios) for what, ratios in found.items()}, "images/s": spread(rate)}


def measured(work: Callable[[], Any]) -> tuple[float, float]:
    """Return seconds by the clock and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def on_ray(job: Job, run: TrainedRun, repeats: int) -> dict[str, Any]:
    """Compare Ray Data with as many processes as cores, in turn."""
    names = open_source(job.images.shown, run).images  # type: ignore[union-attr]
    ratios, ours, seconds = [], [], []
    for number in range(repeats):
        alone = processes_rate(str(run.folder.path), job.images.shown, names)  # type: ignore[union-attr]
        steady, whole = ray_rate(replace(job, folder=job.folder / str(number)), run, image_pieces(names))
        ratios.append(steady / alone)
        ours.append(steady)
        seconds.append(whole)
    print(f"Ray Data over {CORES} processes alone: {shown(ratios, unit='')}")
    print(f"Ray Data: {shown(ours, unit='images/s')}; whole call with Ray's start {shown(seconds)}")
    return {"ratio": spread(ratios), "images/s": spread(ours), "whole call s": spread(seconds)}


def ray_rate(job: Job, run: TrainedRun, pieces: list[Piece]) -> tuple[float, float]:
    """Return images a second between the first and the last finished part, and the seconds of the whole call."""
    job.folder.mkdir()
    ends: list[tuple[float, int]] = []
    started = time.perf_counter()
    with_ray(pieces, job, run, lambda piece: ends.append((time.perf_counter(), piece.rows)))
    # The workers' first parts begin before the first end: those that all of them finish first count for none.
    first = ends[CORES - 1][0]
    images = sum(rows for _, rows in ends[CORES:])
    return images / (ends[-1][0] - first), time.perf_counter() - started


def with_ray(pieces: list[Piece], job: Job, run: TrainedRun, tell: Callable[[Finished], object]) -> None:
    """Run pieces on Ray, however few they are."""
    running._FEW_IMAGES = 0
    running.run_pieces(pieces, job, run, tell)


def processes_rate(run: str, folder: str, names: tuple[str, ...]) -> float:
    """Return images a second of processes that decode and predict from memory, one a core, from their common start."""
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(CORES), context.Queue()
    parts = [names[number::CORES] for number in range(CORES)]
    workers = [context.Process(target=alone_in_process, args=(run, folder, part, barrier, queue)) for part in parts]
    for worker in workers:
        worker.start()
    spans = [queue.get(timeout=900) for _ in workers]
    for worker in workers:
        worker.join()
    return len(names) / (max(end for _, end in spans) - min(start for start, _ in spans))


def alone_in_process(run: str, folder: str, names: tuple[str, ...], barrier: Barrier, queue: Any) -> None:
    """Put the seconds of start and end into the queue."""
    torch.set_num_threads(1)
    alone = Alone(TrainedRun.open(run), Location.of(folder), names)
    barrier.wait()
    started = time.perf_counter()
    alone()
    queue.put((started, time.perf_counter()))


if __name__ == "__main__":
    main()
