"""Which feed a run gets on which cluster."""

from dataclasses import replace

import pytest

from d2ace.pipeline.common.config.sections import RunSection
from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.data import digit_scenes
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.manifest_parts import PackedFile
from d2ace.pipeline.feeds import choice as feed_choice
from d2ace.pipeline.feeds.choice import check_feed, choose_feed

GB = 10**9


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return digit_scenes.build(tmp_path_factory.mktemp("digits") / "set", rows=100)


def sized(manifest, size):
    """Return the manifest of a data set of so many bytes."""
    packed = PackedFile("shard-00000.bin", size, "")
    return replace(manifest, shards=(replace(manifest.shards[0], packed=packed),))


def node(cpus, store=10 * GB, gpus=0, **labels):
    return {"Alive": True, "Resources": {"CPU": cpus, "GPU": gpus, "object_store_memory": store}, "Labels": labels}


@pytest.fixture
def cluster(monkeypatch):
    """Pretend that these nodes are there, and that each worker takes so many CPUs."""

    def make(*nodes, worker_cpus=1.0):
        monkeypatch.setattr(feed_choice, "living_nodes", lambda: list(nodes))
        monkeypatch.setattr(feed_choice, "worker_resources", lambda run, runs: {"CPU": worker_cpus})

    return make


def test_tables_are_gathered_and_cannot_be_streamed(table, cluster):
    manifest = Manifest.load(table)
    assert choose_feed(RunSection(), manifest).feed == "gather"
    with pytest.raises(ConfigError, match=r"run\.feed=stream decodes images; .* is a table"):
        check_feed(RunSection(feed="stream"), manifest)
    with pytest.raises(ConfigError, match="is a table"):
        choose_feed(RunSection(feed="stream"), manifest)


@pytest.mark.parametrize(("size", "expected"), [(4 * GB, "gather"), (6 * GB, "stream")])
def test_images_that_fill_a_nodes_store_are_streamed(small, cluster, size, expected):
    cluster(node(8), node(8, store=100 * GB))
    choice = choose_feed(RunSection(), sized(small, size))
    assert choice.feed == expected
    assert (choice.share is None) == (expected == "gather")
    assert ("6.0 GB of images, object stores of 10.0 GB" in choice.why) == (expected == "stream")


def test_many_cpus_elsewhere_stream_but_those_of_one_machine_do_not(small, cluster):
    cluster(node(64))
    assert choose_feed(RunSection(workers=1), small).feed == "gather"
    cluster(node(8, gpus=1), node(32))
    assert choose_feed(RunSection(workers=1, gpu=True), small).feed == "stream"
    assert choose_feed(RunSection(workers=1, gpu=True, feed="gather"), small).feed == "gather"
    assert choose_feed(RunSection(workers=1), small).feed == "gather"  # workers may sit on the large node


def test_workers_share_what_they_leave_free(small, cluster):
    cluster(node(4), node(8))
    choice = choose_feed(RunSection(workers=2, feed="stream"), small)
    assert choice.share.cpus == 5
    assert choice.share.memory == 10 * GB / 4 / 2
    assert choose_feed(RunSection(workers=2, feed="stream"), small, runs=2).share.cpus == 2


def test_only_nodes_for_data_count(small, cluster):
    cluster(node(4, gpus=1, role="train"), node(6, role="data"))
    run = RunSection(workers=1, feed="stream", data_labels={"role": "data"})
    assert choose_feed(run, small).share.cpus == 5
    assert choose_feed(run.model_copy(update={"worker_labels": {"role": "train"}}), small).share.cpus == 6
    assert choose_feed(run.model_copy(update={"gpu": True}), small).share.cpus == 6


def test_a_stream_without_a_free_cpu_is_refused_and_auto_gathers(small, cluster):
    cluster(node(2), worker_cpus=1.0)
    with pytest.raises(
        ConfigError, match=r"needs a CPU that the workers leave free: 1 nodes have 2, the workers take 2"
    ):
        choose_feed(RunSection(workers=2, feed="stream"), small)
    assert choose_feed(RunSection(workers=2), sized(small, 100 * GB)).feed == "gather"
    run = RunSection(feed="stream", data_labels={"role": "data"})
    with pytest.raises(ConfigError, match=r"0 nodes with run\.data_labels=\{'role': 'data'\} have 0"):
        choose_feed(run, small)
