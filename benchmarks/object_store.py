"""Photographs from a bucket whose every answer comes 20 ms late: their rate against the same shards on a disk.

Wanted: at least 0.8 of the rate from a disk, with decoding as the bound; at most 1.3 times the bytes of the images that
are drawn. Images and decoder as in ``decode.py``; an epoch draws each image several times, in random order; both turns
alternate, without augmentation and with that of ``decode.py``. The server is nginx, which has a core of its own, as it
would have a machine of its own; what is measured has another core. What the bucket gives when nothing is decoded is
printed, too.

Run: python benchmarks/object_store.py [repeats, default 5]
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _common import left_out, record, shown, spread
from _late_server import PACKAGES, LateServer, installed, late_server
from decode import AUGMENTED, BATCH, IMAGES, SCALER, prepared, transform

from d2ace.pipeline.common.storage.any_path import any_path
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.feeds.gather import GatherFeed
from d2ace.pipeline.feeds.inputs import Inputs
from d2ace.pipeline.feeds.request import Request
from d2ace.pipeline.feeds.shard_rows import ShardRows

DELAY_S, TIMES, WARM = 0.02, 3, 1
CPU = torch.device("cpu")


def plan(epoch: int) -> list[Request]:
    """Return an epoch's requests: every image TIMES times, in random order."""
    ids = np.random.default_rng(epoch).permutation(np.tile(np.arange(IMAGES), TIMES))
    return [Request(ids[at : at + BATCH], epoch, at) for at in range(0, len(ids), BATCH)]


def rate(feed: GatherFeed, epoch: int) -> float:
    """Return images a second over an epoch."""
    started = time.perf_counter()
    for _ in feed.parts(plan(epoch), 4):
        pass
    return TIMES * IMAGES / (time.perf_counter() - started)


def fetching(manifest: Manifest) -> float:
    """Return images a second when they are fetched batch by batch, and nothing is decoded."""
    reader, requests = ShardRows(manifest, images=False).open(), plan(0)
    started = time.perf_counter()
    for request in requests:
        reader.gather(request.ids)
    return TIMES * IMAGES / (time.perf_counter() - started)


def feed_of(manifest: Manifest, **options: Any) -> GatherFeed:
    inputs = Inputs(manifest, SCALER, transform(1, **options))
    return GatherFeed(ShardRows(manifest, images=False).open(), inputs, CPU)


def measured(server: LateServer, folder: Path, repeats: int) -> dict[str, Any]:
    """Return rates in turns, and what was fetched for an image to its own bytes."""
    on_disk, encoded = prepared(folder)
    shutil.copytree(folder / "set", server.root / "photos" / "set")
    place = any_path(f"s3://photos/set?scheme=http&endpoint_override={server.address}")
    in_bucket = Manifest.load(place)
    told: dict[str, Any] = {"fetched alone": fetching(in_bucket)}
    print(f"fetched from the bucket and not decoded: {told['fetched alone']:.0f} a second")
    before = server.sent()
    for name, options in (("plain", {}), ("augmented", AUGMENTED)):
        told[name] = compared({"disk": feed_of(on_disk, **options), "bucket": feed_of(in_bucket, **options)}, repeats)
        print(f"{name}: bucket / disk {shown(told[name].pop('ratios'), 1, 'x')}")
    own = 2 * (repeats + WARM) * TIMES * sum(map(len, encoded))
    told["bytes fetched / own"] = (server.sent() - before) / own
    print(f"bytes fetched for an image to its own {told['bytes fetched / own']:.3f}")
    return told


def compared(feeds: dict[str, GatherFeed], repeats: int) -> dict[str, Any]:
    """Return rates of both feeds in turns, and the ratios of neighbouring turns; the first ones do not count."""
    rates: dict[str, list[float]] = {name: [] for name in feeds}
    for turn in range(repeats + WARM):
        for name, feed in feeds.items():
            rates[name].append(rate(feed, turn))
    counted = {name: found[WARM:] for name, found in rates.items()}
    ratios = [one / two for one, two in zip(counted["bucket"], counted["disk"], strict=True)]
    spreads = {name: spread(found) for name, found in counted.items()}
    return {"ratios": ratios, "bucket / disk": spread(ratios), "images a second": spreads}


def main() -> None:
    if not installed():
        left_out(f"it needs nginx and its Lua module: {PACKAGES}")
    os.environ |= {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
    torch.set_num_threads(1)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        left_out("it needs two cores, one of them for the server")
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.sched_setaffinity(0, cores[-1:])
        with late_server(folder, DELAY_S) as server:
            os.sched_setaffinity(0, cores[:1])
            results = measured(server, folder, repeats)
    record("object_store", {"delay_s": DELAY_S, "draws": TIMES * IMAGES, "batch": BATCH, **results})


if __name__ == "__main__":
    main()
