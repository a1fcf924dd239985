"""Does a run of images larger than the object store stay within its memory? Claim: nothing spilled, store never full.

10 GB of packed JPEGs are trained on for one epoch by a tiny network, through the stream feed, with an object store of
1 GB. Printed: the most bytes in the object store, the bytes that Ray spilled to disk or put beside the store, the most
private memory of all Ray processes together, and rows a second.

``python benchmarks/stream_memory.py [--gb 10] [--store-gb 1] [--folder PLACE WITH ROOM]``
"""

import argparse
import logging
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import _common

os.environ.setdefault("RAY_DATA_LOG_LEVEL", "ERROR")

import numpy as np
import ray
from decode import photograph

from d2ace.pipeline import fit
from d2ace.pipeline.data.manifest import SPLITS, Manifest
from d2ace.pipeline.data.manifest_parts import ImageHint
from d2ace.pipeline.data.packed_writer import PackedWriter
from d2ace.pipeline.data.shard_writer import SHARD_BYTES

GB, LABELS, DIFFERENT, POLL_S = 1e9, 8, 256, 0.5


def prepare(folder: Path, size: float) -> Manifest:
    """Write packed shards of about ``size`` bytes: few different photographs, each many times."""
    folder.mkdir(parents=True)
    pictures, random = [photograph(number) for number in range(DIFFERENT)], np.random.default_rng(0)
    shards, counts, row, left = [], np.zeros(LABELS, np.int64), 0, size
    while left > 0:
        with PackedWriter(folder, f"shard-{len(shards):05d}", LABELS) as writer:
            while writer.size < min(SHARD_BYTES["image"], left):
                labels = np.flatnonzero(random.random(LABELS) < 0.3)
                writer.add(pictures[row % DIFFERENT], labels, SPLITS.index("train"), f"photograph {row}")
                row += 1
        left -= writer.size
        shards.append(writer.shard)
        counts += writer.label_counts
    names = tuple(f"label {number}" for number in range(LABELS))
    splits = dict.fromkeys(SPLITS, 0) | {"train": row}
    manifest = Manifest(
        "image", row, names, tuple(counts.tolist()), splits, tuple(shards), image=ImageHint("RGB"), folder=folder
    )
    manifest.save()
    return manifest


class Watch(threading.Thread):
    """Looks at the object store and at the processes of this Ray every half second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        from ray._private.internal_api import get_state_from_address

        self._state = get_state_from_address(ray.get_runtime_context().gcs_address)
        self._ended = threading.Event()
        self.peaks = {"store": 0, "fallback": 0, "spilled": 0, "private": 0}

    def run(self) -> None:
        """Look until ``end``."""
        from ray._private.internal_api import get_memory_info_reply

        while not self._ended.wait(POLL_S):
            stats = get_memory_info_reply(self._state).store_stats
            seen = {
                "store": stats.object_store_bytes_used,
                "fallback": stats.object_store_bytes_fallback,
                "spilled": stats.spilled_bytes_total,
                "private": private_bytes(),
            }
            self.peaks = {name: max(peak, int(seen[name])) for name, peak in self.peaks.items()}

    def end(self) -> dict[str, int]:
        """Return the peaks in bytes."""
        self._ended.set()
        self.join()
        return self.peaks


def private_bytes() -> int:
    """Return the memory that Ray's workers below this process share with nobody, from Linux's /proc."""
    parents, private = {}, {}
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":", 1) for line in path.read_text().splitlines())
        except (OSError, ValueError):
            continue
        parents[int(path.parent.name)] = int(lines["PPid"])
        private[int(path.parent.name)] = int(lines.get("RssAnon", "0 kB").split()[0]) * 1024
    return sum(size for process, size in private.items() if _below(process, os.getpid(), parents))


def _below(process: int, root: int, parents: dict[int, int]) -> bool:
    while process in parents and process != root:
        process = parents[process]
    return process == root


def train(manifest: Manifest, folder: Path, store: float) -> dict[str, Any]:
    """Train one epoch and return what was seen."""
    ray.init(
        address="local",
        num_cpus=max(2, os.cpu_count() or 1),
        include_dashboard=False,
        object_store_memory=int(store),
        logging_level=logging.ERROR,
        log_to_driver=False,
    )
    watch = Watch()
    watch.start()
    config = {
        "data": {"path": str(manifest.folder), "validation_fraction": 0.0, "test_fraction": 0.0},
        "images": {"size": 64, "random_crop_scale": [0.5, 1.0], "flip": 0.5},
        "model": {"name": "small-cnn", "options": {"widths": [8, 8]}},
        "selector": {"name": "uniform"},
        "train": {"epochs": 1, "batch_size": 256},
        "run": {"storage": str(folder), "name": "run", "workers": 1, "feed": "stream"},
    }
    result = fit(config, quiet=True)
    peaks = watch.end()
    ray.shutdown()
    seconds = result.history[0]["train_s"]
    return {"peaks": peaks, "rows_per_second": manifest.rows / seconds, "train_s": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gb", type=float, default=10.0)
    parser.add_argument("--store-gb", type=float, default=1.0)
    parser.add_argument("--folder", type=Path, default=None)
    arguments = parser.parse_args()
    place = Path(tempfile.mkdtemp(dir=arguments.folder))
    try:
        manifest = prepare(place / "data", arguments.gb * GB)
        found = train(manifest, place, arguments.store_gb * GB)
    finally:
        shutil.rmtree(place)
    size, peaks = sum(shard.packed.size for shard in manifest.shards if shard.packed), found["peaks"]
    print(f"{size / GB:.2f} GB of images, {manifest.rows:,} rows; object store {arguments.store_gb:g} GB")
    print(f"most in the object store {peaks['store'] / GB:.3f} GB, beside it {peaks['fallback'] / GB:.3f} GB")
    print(f"spilled {peaks['spilled'] / GB:.3f} GB; most private memory {peaks['private'] / GB:.2f} GB")
    print(f"{found['rows_per_second']:,.0f} rows/s")
    holds = peaks["spilled"] == 0 == peaks["fallback"] and peaks["store"] < arguments.store_gb * GB
    print(f"claim of nothing spilled and a store that is never full {'holds' if holds else 'FAILS'}")
    found |= {"images_bytes": size, "rows": manifest.rows, "store_bytes": arguments.store_gb * GB}
    _common.record("stream_memory", found)


if __name__ == "__main__":
    main()
