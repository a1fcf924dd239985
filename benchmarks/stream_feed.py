"""What the stream feed costs on one machine: its rate against decoding and resizing alone on the same cores.

Claim: at least 0.8 of the rate of the same decoder, with the same number of cores, over an epoch that lasts some
seconds (its first block is there after some tenths of one). Beside it the gather feed. Images as in ``decode.py``; an
epoch draws each of them several times, in random order; the parts alternate.

Run: python benchmarks/stream_feed.py [repeats, default 5]
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _common import record, shown, spread
from decode import BATCH, CORES, IMAGES, SCALER, prepared, transform

from d2ace.pipeline.common.cluster.session import ray_session
from d2ace.pipeline.common.config.sections import RunSection
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.feeds.choice import StreamShare
from d2ace.pipeline.feeds.gather import GatherFeed
from d2ace.pipeline.feeds.inputs import Inputs
from d2ace.pipeline.feeds.request import Request
from d2ace.pipeline.feeds.row_store import materialise
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.pipeline.feeds.stream import StreamFeed

TIMES = 24
"""How often an epoch draws each image."""
CPU = torch.device("cpu")


def plan(epoch: int) -> list[Request]:
    """Return an epoch's requests: every image TIMES times, in random order."""
    ids = np.random.default_rng(epoch).permutation(np.tile(np.arange(IMAGES), TIMES))
    return [Request(ids[at : at + BATCH], epoch, at) for at in range(0, len(ids), BATCH)]


def timed(parts: Iterator[Any]) -> tuple[float, float]:
    """Return images a second over all, and without the first tenth of the batches."""
    started = first = time.perf_counter()
    count = TIMES * IMAGES // BATCH
    for number, _ in enumerate(parts):
        if number == count // 10:
            first = time.perf_counter()
    ended = time.perf_counter()
    return TIMES * IMAGES / (ended - started), (count - 1 - count // 10) * BATCH / (ended - first)


def alone(manifest: Manifest, encoded: list[bytes]) -> Iterator[Any]:
    """Decode and resize the batches of an epoch in two threads, with nothing around it."""
    images = transform(CORES)
    for request in plan(0):
        yield images.pixels([encoded[row] for row in request.ids], request, manifest)


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, ray_session(RunSection(workers=0)):
        manifest, encoded = prepared(Path(folder))
        share = StreamShare(cpus=CORES, memory=1 << 29)
        streaming = StreamFeed(materialise(manifest, images=False), Inputs(manifest, SCALER, transform(1)), CPU, share)
        gathering = GatherFeed(ShardRows(manifest).open(), Inputs(manifest, SCALER, transform(CORES)), CPU)
        works = {
            "decode": lambda: alone(manifest, encoded),
            "gather feed": lambda: gathering.parts(plan(0), 4),
            "stream feed": lambda: streaming.parts(plan(0), 4),
        }
        rates: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
        for turn in range(repeats + 1):
            for name, work in works.items():
                rate = timed(work())
                if turn:  # the first turn starts processes
                    rates[name].append(rate)
    results: dict[str, Any] = {"cores": CORES, "draws": TIMES * IMAGES, "batch": BATCH}
    for which, title in enumerate(("whole epoch", "after the first tenth")):
        results[title] = {name: spread([pair[which] for pair in got]) for name, got in rates.items()}
        for name in ("gather feed", "stream feed"):
            ratios = [one[which] / two[which] for one, two in zip(rates[name], rates["decode"], strict=True)]
            results[title][f"{name} / decode"] = spread(ratios)
            print(f"{title}: {name} / decode {shown(ratios, 1, 'x')}")
    record("stream_feed", results)


if __name__ == "__main__":
    main()
