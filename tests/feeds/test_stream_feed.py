"""The stream feed: the same batches as gathering, bounded memory, a clean end, and errors in the user's words."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import ray
import torch

from d2ace.pipeline.common.config.images import ImagesSection
from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data import digit_scenes
from d2ace.pipeline.data.scaler import Scaler
from d2ace.pipeline.feeds import stream_tasks
from d2ace.pipeline.feeds.choice import StreamShare
from d2ace.pipeline.feeds.gather import GatherFeed
from d2ace.pipeline.feeds.image_transform import ImageTransform
from d2ace.pipeline.feeds.inputs import Inputs
from d2ace.pipeline.feeds.request import Request
from d2ace.pipeline.feeds.row_store import materialise
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.pipeline.feeds.stream import StreamFeed

pytestmark = pytest.mark.usefixtures("ray_session")

ROWS, CPU = 300, torch.device("cpu")
SHARE = StreamShare(2, 50_000_000)
AUGMENTED = ImagesSection(size=24, random_crop_scale=(0.3, 1.0), flip=0.5, brightness=0.4, cutout=0.3)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return digit_scenes.build(tmp_path_factory.mktemp("digits") / "set", rows=ROWS)


def inputs_of(manifest, settings=AUGMENTED):
    scaler = Scaler("standard", np.array([0.2]), np.array([3.0]), True)
    return Inputs(manifest, scaler, ImageTransform(settings, manifest.image, 0, scaler, threads=1))


def streamed(manifest, inputs=None, share=SHARE):
    return StreamFeed(materialise(manifest, images=False), inputs or inputs_of(manifest), CPU, share)


def a_plan(epoch, sizes=(32, 7, 32, 1, 50, 32, 32, 90), first=0):
    random = np.random.default_rng(first)
    ends = first + np.cumsum(sizes)
    return [
        Request(random.integers(0, ROWS, size), epoch, int(end) - size) for size, end in zip(sizes, ends, strict=True)
    ]


def same(parts, others):
    for part, other in zip(parts, others, strict=True):
        np.testing.assert_array_equal(part.ids, other.ids)
        assert torch.equal(part.features, other.features)
        assert torch.equal(part.labels, other.labels)


@pytest.mark.parametrize("block_rows", [1, 64, 10_000])
def test_parts_equal_those_of_gathering_bit_for_bit(digits, monkeypatch, block_rows):
    monkeypatch.setattr(stream_tasks, "BLOCK_ROWS", block_rows)
    gather, stream = GatherFeed(ShardRows(digits).open(), inputs_of(digits), CPU), streamed(digits)
    for requests in (a_plan(3), a_plan(None), a_plan(4, first=100)):
        same(stream.parts(requests), gather.parts(requests))
    assert list(stream.parts([])) == []
    rest = a_plan(3)[5:]  # what is left of an epoch after a restart
    same(stream.parts(rest, ahead=0), list(gather.parts(a_plan(3)))[5:])
    assert stream.bytes_read > 0


def test_an_iterator_that_is_closed_early_leaves_nothing_running(digits):
    stream, before = streamed(digits), set(threading.enumerate())
    for _ in range(3):
        parts = stream.parts(a_plan(1) * 10)
        next(parts)
        parts.close()
    deadline, cpus = time.monotonic() + 60, ray.cluster_resources()["CPU"]
    while set(threading.enumerate()) - before or ray.available_resources().get("CPU", 0) < cpus:
        assert time.monotonic() < deadline, threading.enumerate()
        time.sleep(0.1)


def test_a_damaged_image_is_named_after_the_parts_before_it(tmp_path):
    manifest = digit_scenes.build(tmp_path / "set", rows=ROWS)
    rows = ShardRows(manifest).open()
    (image,) = rows.gather(np.array([77])).images
    path = tmp_path / "set" / manifest.shards[0].packed.file
    content = path.read_bytes()
    path.write_bytes(content.replace(bytes(image), b"\0" * len(image)))
    requests = [*(Request(np.arange(start, start + 10), 0, start) for start in range(0, 100, 10)), *a_plan(0)]
    parts, feed = [], streamed(manifest)
    with pytest.raises(DataError, match=r"the image of row 77 \(in shard-00000\.bin\) "):  # noqa: PT012
        for part in feed.parts(requests):
            parts.append(part)
    assert len(parts) == 7
    with pytest.raises(DataError, match="no row with id"):
        list(feed.parts([Request(np.array([ROWS]))]))


def traced(folder):
    """Return what stands for Inputs: a megabyte a row, and a file for every request that a task decoded."""

    class Traced:  # not of this module: tasks could not import it
        images = SimpleNamespace(size=(1000, 1000))

        def stored(self, rows, request, pixels):
            (folder / str(request.first_draw)).touch()
            pixels[:] = 0

        def finished(self, stored, request):
            return stored.float()

    return Traced()


@pytest.mark.parametrize(("memory", "blocks"), [(200_000_000, 6), (4_100_000, 2), (1, 1)])
def test_no_more_blocks_are_decoded_than_cpus_and_memory_allow(digits, monkeypatch, tmp_path, memory, blocks):
    monkeypatch.setattr(stream_tasks, "BLOCK_BYTES", 2_000_000)  # two of its images
    feed = streamed(digits, traced(tmp_path), StreamShare(2, memory))
    parts = feed.parts([Request(np.array([k]), 0, k) for k in range(150)])
    next(parts)
    seen, still = 0, 0
    while still < 20:  # until no task has ended for two seconds
        time.sleep(0.1)
        count = len(list(tmp_path.iterdir()))
        seen, still = count, still + 1 if count == seen else 0
    taken = 3  # blocks of the part that was used and the four ahead
    assert 2 * blocks <= seen <= 2 * (taken + blocks)
    assert sum(1 for _ in parts) == 149
    assert len(list(tmp_path.iterdir())) == 150


def held_once(inputs, folder, first_draw):
    """Return what stands for Inputs: the first task that decodes this request writes its process down and waits."""

    class HeldOnce:  # not of this module: tasks could not import it
        images, finished = inputs.images, inputs.finished

        def stored(self, rows, request, pixels):
            if request.first_draw == first_draw and not (folder / "process").exists():
                (folder / "writing").write_text(str(os.getpid()))
                (folder / "writing").rename(folder / "process")
                time.sleep(600)
            inputs.stored(rows, request, pixels)

    return HeldOnce()


def killed(folder, until_s=120):
    """Kill the process that ``held_once`` wrote down, as soon as it did."""
    end = time.monotonic() + until_s
    while not (folder / "process").exists() and time.monotonic() < end:
        time.sleep(0.01)
    os.kill(int((folder / "process").read_text()), signal.SIGKILL)


def test_a_killed_task_is_run_again(digits, tmp_path):
    inputs, requests = inputs_of(digits), a_plan(2)
    gather = GatherFeed(ShardRows(digits).open(), inputs, CPU)
    stream = streamed(digits, held_once(inputs, tmp_path, requests[4].first_draw))
    with ThreadPoolExecutor() as pool:
        killing = pool.submit(killed, tmp_path)
        same(stream.parts(requests), gather.parts(requests))
        killing.result()
