"""Photographs from a bucket whose every answer comes 20 ms late: their rate against the same shards on a disk.

Wanted: at least 0.8 of the rate from a disk, with decoding as the bound; at most 1.3 times the bytes of the images that
are drawn. Images and decoder as in ``decode.py``; an epoch draws each image several times, in random order; both turns
alternate. The server is moto's, in a process of its own, which shares the cores with what is measured: where it gives
images no faster than the disk's turn decodes them, which is printed, too, the first is not decided.

Run: python benchmarks/object_store.py [repeats, default 5]
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.request import Request as Call
from urllib.request import urlopen

import numpy as np
import torch
from _common import left_out, record, shown, spread
from decode import BATCH, CORES, IMAGES, SCALER, prepared, transform

from d2ace.pipeline.common.storage.any_path import any_path
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.feeds.gather import GatherFeed
from d2ace.pipeline.feeds.inputs import Inputs
from d2ace.pipeline.feeds.request import Request
from d2ace.pipeline.feeds.shard_rows import ShardRows

DELAY_S, TIMES, WARM = 0.02, 3, 1
CPU = torch.device("cpu")
COUNTED = "/counted"
"""Where the server says how many bytes it has sent."""


def serve() -> None:
    """Be the server: moto's S3, late, on a free port, which is printed."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, *_: Any) -> None:
            pass

    storage, sent = DomainDispatcherApplication(create_backend_app), [0]

    def late(environ: dict[str, Any], start: Any) -> Any:
        if environ["PATH_INFO"] == COUNTED:
            start("200 OK", [])
            return [str(sent[0]).encode()]
        time.sleep(DELAY_S)
        body = list(storage(environ, start))
        sent[0] += sum(map(len, body))
        return body

    server = make_server("127.0.0.1", 0, late, threaded=True, request_handler=Quiet)
    print(server.server_port, flush=True)
    server.serve_forever()


@contextmanager
def bucket() -> Iterator[str]:
    """Give the URL of such a server with an empty bucket ``photos``."""
    command = [sys.executable, __file__, "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{int(server.stdout.readline())}"
            urlopen(Call(f"{url}/photos", method="PUT")).close()
            yield url
        finally:
            server.terminate()


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


def feed_of(manifest: Manifest) -> GatherFeed:
    return GatherFeed(ShardRows(manifest, images=False).open(), Inputs(manifest, SCALER, transform(CORES)), CPU)


def measured(url: str, folder: Path, repeats: int) -> dict[str, Any]:
    """Return rates in turns, and what was fetched for an image to its own bytes."""
    on_disk, encoded = prepared(folder)
    place = any_path(f"s3://photos/set?scheme=http&endpoint_override={url.removeprefix('http://')}")
    for path in (folder / "set").iterdir():
        (place / path.name).write(path)
    feeds = {"disk": feed_of(on_disk), "bucket": feed_of(Manifest.load(place))}
    rates: dict[str, list[float]] = {name: [] for name in feeds}
    before, alone = 0, fetching(Manifest.load(place))
    for turn in range(repeats + WARM):
        if turn == WARM:
            before = int(urlopen(url + COUNTED).read())
        for name, feed in feeds.items():
            found = rate(feed, turn)
            if turn >= WARM:
                rates[name].append(found)
    fetched = int(urlopen(url + COUNTED).read()) - before
    own = repeats * TIMES * sum(map(len, encoded))
    ratios = [one / two for one, two in zip(rates["bucket"], rates["disk"], strict=True)]
    print(f"bucket / disk {shown(ratios, 1, 'x')}; bytes fetched for an image to its own {fetched / own:.3f}")
    print(f"images a second: disk {shown(rates['disk'], 1, '')}, bucket {shown(rates['bucket'], 1, '')}")
    print(f"fetched from the bucket and not decoded: {alone:.0f} a second")
    told = {"bucket / disk": spread(ratios), "bytes fetched / own": fetched / own, "fetched alone": alone}
    return told | {"images a second": {name: spread(got) for name, got in rates.items()}}


def main() -> None:
    if sys.argv[1:] == ["serve"]:
        serve()
        return
    if find_spec("moto") is None:
        left_out("it needs a server of S3: pip install 'moto[s3,server]'")
    os.environ |= {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
    torch.set_num_threads(1)
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder, bucket() as url:
        results = measured(url, Path(folder), repeats)
    record("object_store", {"delay_s": DELAY_S, "cores": CORES, "draws": TIMES * IMAGES, "batch": BATCH, **results})


if __name__ == "__main__":
    main()
