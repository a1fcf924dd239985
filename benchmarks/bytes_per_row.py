"""How many bytes does a random plan fetch for each row? Claim: packed shards at most 1.1 times the rows' own bytes.

Rival: Parquet with the same images in row groups of 16, 64 and 256, read group by group with pyarrow. There a random
row costs its whole group, unless the plan draws group by group; such a plan would no longer be the one that the
selection method asked for, so it is not built: from packed bytes every order costs the same.

``python benchmarks/bytes_per_row.py [--rows N] [--request N]``
"""

import argparse
import io
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import _common

_common.one_thread()

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from scipy.sparse import csr_array  # noqa: E402

from d2ace.pipeline.data.manifest import Manifest  # noqa: E402
from d2ace.pipeline.data.manifest_parts import ImageHint  # noqa: E402
from d2ace.pipeline.data.packed_index import read_index  # noqa: E402
from d2ace.pipeline.data.packed_reader import PackedReader  # noqa: E402
from d2ace.pipeline.data.rows import Rows  # noqa: E402
from d2ace.pipeline.data.shard_writer import ShardWriter  # noqa: E402
from d2ace.selectors.common.label_matrix import LabelMatrix  # noqa: E402

GROUPS, CLAIM, MEAN_BYTES, CHUNK = (16, 64, 256), 1.1, 20_000, 1024
Fetch = Callable[[np.ndarray], tuple[int, list[bytes]]]
"""From row ids to the bytes that were read and the images."""


def images(rows: int) -> Iterator[list[bytes]]:
    """Yield chunks of made-up encoded images, with sizes as photographs have them."""
    rng = np.random.default_rng(0)
    for start in range(0, rows, CHUNK):
        count = min(CHUNK, rows - start)
        sizes = np.maximum(1, rng.lognormal(np.log(MEAN_BYTES) - 0.125, 0.5, count).astype(int))
        yield [rng.bytes(size) for size in sizes]


def packed(folder: Path, rows: int) -> Fetch:
    """Write packed shards and return what reads them."""
    with ShardWriter(folder, kind="image", labels=["label"], image=ImageHint("RGB")) as writer:
        for chunk in images(rows):
            labels, split = LabelMatrix(csr_array((len(chunk), 1), dtype=np.uint8)), np.ones(len(chunk), np.int8)
            writer.write(Rows(chunk, labels, split))
    manifest = Manifest.load(folder)
    reader = PackedReader([read_index(manifest, number) for number in range(len(manifest.shards))], manifest)

    def fetch(ids: np.ndarray) -> tuple[int, list[bytes]]:
        before = reader.bytes_read
        found = reader.gather(ids).images or []
        return reader.bytes_read - before, [bytes(image) for image in found]

    return fetch


class Counted(io.FileIO):
    """A file that counts the bytes read."""

    total = 0

    def read(self, size: int = -1) -> bytes:  # type: ignore[override]
        """Read, and count what came."""
        content = super().read(size) or b""
        self.total += len(content)
        return content


def parquet(folder: Path, rows: int, group: int) -> Fetch:
    """Write one Parquet file with row groups of one size and return what reads them."""
    path = folder / "images.parquet"
    schema = pa.schema({"image": pa.binary()})
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for chunk in images(rows):
            writer.write_table(pa.table({"image": chunk}, schema), row_group_size=group)
    counted = Counted(path)
    file = pq.ParquetFile(pa.PythonFile(counted, mode="r"), pre_buffer=False)

    def fetch(ids: np.ndarray) -> tuple[int, list[bytes]]:
        before, found = counted.total, {}
        for number in np.unique(ids // group).tolist():
            column = file.read_row_group(number)["image"].chunk(0)
            found |= {int(row): column[int(row) - number * group].as_py() for row in ids[ids // group == number]}
        return counted.total - before, [found[int(row)] for row in ids]

    return fetch


def measure(fetch: Fetch, plan: np.ndarray, request: int) -> dict[str, Any]:
    """Fetch a plan request by request; the first image of each is returned for comparison."""
    total, wanted, first = 0, 0, []
    started = time.perf_counter()
    for start in range(0, len(plan), request):
        read, found = fetch(plan[start : start + request])
        total, wanted = total + read, wanted + sum(map(len, found))
        first.append(found[0])
    seconds = time.perf_counter() - started
    rows = len(plan)
    return {
        "first": first,
        "bytes_per_row": total / rows,
        "own_bytes_per_row": wanted / rows,
        "times": total / wanted,
        "rows_per_second": rows / seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=16_384)
    parser.add_argument("--request", type=int, default=64)
    parser.add_argument("--requests", type=int, default=16)
    arguments = parser.parse_args()
    plan = np.random.default_rng(1).permutation(arguments.rows)[: arguments.request * arguments.requests]
    results: dict[str, Any] = {"rows": arguments.rows, "request": arguments.request, "requests": arguments.requests}
    makers: dict[str, Callable[[Path], Fetch]] = {"packed": lambda folder: packed(folder / "set", arguments.rows)}
    for group in GROUPS:
        makers[f"parquet {group}"] = lambda folder, size=group: parquet(folder, arguments.rows, size)
    first = None
    for name, make in makers.items():
        with tempfile.TemporaryDirectory() as folder:
            found = measure(make(Path(folder)), plan, arguments.request)
        first = first or found["first"]
        assert found.pop("first") == first, "the formats hold different images"
        results[name] = found
        words = f"{name}: {found['bytes_per_row'] / 1e3:,.1f} kB a row, {found['times']:.3g} times its own bytes"
        print(f"{words}, {found['rows_per_second']:,.0f} rows/s from a warm cache")
    holds = results["packed"]["times"] <= CLAIM
    print(f"claim of at most {CLAIM} times the rows' own bytes {'holds' if holds else 'FAILS'}")
    _common.record("bytes_per_row", results)


if __name__ == "__main__":
    main()
