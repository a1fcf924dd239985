"""Checkpoints: whole or ignored."""

from functools import partial, partialmethod

import numpy as np
import pytest
import torch

from d2ace.pipeline.common.errors import DataError, RunError
from d2ace.pipeline.common.storage.any_path import any_path, in_bucket, make_folder
from d2ace.pipeline.common.storage.locations import Location
from d2ace.pipeline.common.storage.object_store import ObjectStore
from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.selectors.common.state import load_state, save_state


def test_selection_state_round_trip_keeps_dtypes_and_nesting(tmp_path):
    state = {"epoch": 3, "selector": {"schema": 1, "name": "x", "p": np.arange(5, dtype=np.float16), "none": None}}
    save_state(tmp_path / "s.npz", state)
    loaded = load_state(tmp_path / "s.npz")
    assert loaded["epoch"] == 3 and loaded["selector"]["name"] == "x" and "none" not in loaded["selector"]
    assert loaded["selector"]["p"].dtype == np.float16
    np.testing.assert_array_equal(loaded["selector"]["p"], state["selector"]["p"])


@pytest.fixture(params=["disk", "bucket"])
def folder(request, tmp_path):
    """Where checkpoints go; on a disk that is a folder which does not exist yet."""
    if request.param == "disk":
        return tmp_path / "checkpoints"
    return any_path(request.getfixturevalue("bucket").address("b/run/checkpoints"))


def test_newest_wins_oldest_go_and_half_written_ones_are_ignored(folder):
    store = CheckpointStore(folder, keep=2)
    assert store.latest() is None
    for epoch, step in [(0, 5), (1, 0), (1, 5)]:
        store.save(epoch, step, {"w": torch.ones(2) * epoch}, {"epoch": epoch})
    half = "epoch-00002-step-0000000" if in_bucket(folder) else ".epoch-00002-step-0000000.tmp"
    make_folder(folder / half)
    Location.of(folder / half / "training.pt").write(b"half")
    assert [(c.epoch, c.step) for c in store.complete()] == [(1, 0), (1, 5)]
    assert store.latest().training_state()["w"].tolist() == [1, 1]
    assert store.latest().selection_state() == {"epoch": 1}
    assert "epoch-00000-step-0000005" not in {name.partition("/")[0] for name in Location.of(folder).files()}


def test_saving_again_replaces(folder):
    store = CheckpointStore(folder)
    store.save(0, 1, {"w": 1}, {"a": 1})
    store.save(0, 1, {"w": 2}, {"a": 2})
    assert store.latest().training_state()["w"] == 2


@pytest.mark.parametrize(
    ("name", "half", "other"),
    [
        ("training.pt", "training_state", "selection_state"),
        ("selection.npz", "selection_state", "training_state"),
    ],
)
def test_a_damaged_file_is_named_and_the_other_half_loads(tmp_path, name, half, other):
    store = CheckpointStore(tmp_path)
    checkpoint = store.save(0, 1, {"w": 1}, {"a": 1})
    path = checkpoint.path / name
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(RunError, match=f"epoch-00000-step-0000001: the checkpoint is damaged: {name}"):
        getattr(checkpoint, half)()
    (checkpoint.path / "checkpoint.json").unlink()  # as of an older version
    with pytest.raises(RunError, match=r"epoch-00000-step-0000001.*cannot be read"):
        getattr(checkpoint, half)()
    assert getattr(checkpoint, other)()


@pytest.mark.parametrize("name", ["training.pt", "selection.npz", "checkpoint.json"])
def test_one_flipped_bit_anywhere_is_found(tmp_path, name):
    store = CheckpointStore(tmp_path, about={"data": "abc"})
    older = store.save(0, 1, {"w": torch.arange(9)}, {"a": np.arange(9)})
    newest = store.save(1, 0, {"w": torch.arange(9)}, {"a": np.arange(9)})
    path = newest.path / name
    content, lines = path.read_bytes(), []
    for place in range(0, len(content), max(1, len(content) // 50)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert store.intact(lines.append) == older, place
    assert f"{newest.path}: the checkpoint is damaged: {name}" in lines[0]
    path.write_bytes(content)
    assert store.intact() == newest and newest.record()["data"] == "abc"


def test_a_damaged_newer_one_goes_when_the_run_has_gone_on(tmp_path):
    store = CheckpointStore(tmp_path, keep=2)
    for epoch in (1, 2):
        store.save(epoch, 0, {}, {"epoch": epoch})
    (tmp_path / "epoch-00002-step-0000000" / "training.pt").write_bytes(b"")
    store.save(1, 3, {}, {"epoch": 1})
    assert [(c.epoch, c.step) for c in store.complete()] == [(1, 0), (1, 3)]


def test_without_an_intact_one_nothing_is_taken(tmp_path):
    store = CheckpointStore(tmp_path)
    store.save(1, 0, {}, {"epoch": 1})
    (tmp_path / "epoch-00001-step-0000000" / "checkpoint.json").write_text("{}")
    with pytest.raises(RunError, match=r"damaged.*no intact one before it"):
        store.intact()


def test_of_a_finished_run_the_newest_stays_and_why_its_last_epoch_drew_what_it_drew(folder):
    store = CheckpointStore(folder, keep=9)
    store.shrink()  # of nothing
    for epoch, step in [(1, 0), (2, 0), (2, 4), (3, 0)]:
        store.save(epoch, step, {"w": torch.ones(2)}, {"epoch": epoch})
    store.shrink()
    assert [(c.epoch, c.step) for c in store.complete()] == [(3, 0)]
    assert [(c.epoch, c.step) for c in store.selection_states()] == [(2, 0), (3, 0)]
    assert store.selection_states()[0].selection_state() == {"epoch": 2}
    assert store.intact().epoch == 3


def test_a_kill_at_any_call_of_a_save_leaves_the_one_before_or_the_new_one_whole(bucket, monkeypatch):
    for done in range(6):  # the record is taken away, then come two files and the record, then the older one goes
        store = CheckpointStore(any_path(bucket.address(f"b/run{done}")), keep=1)
        store.save(1, 0, {"w": 1}, {"epoch": 1})
        with monkeypatch.context() as patch:
            kill_after(patch, done)
            with pytest.raises(KeyboardInterrupt):
                store.save(2, 0, {"w": 2}, {"epoch": 2})
        intact = store.intact()
        assert intact.training_state()["w"] == intact.selection_state()["epoch"] == (2 if done >= 4 else 1)
        assert store.save(2, 0, {"w": 2}, {"epoch": 2}) == store.intact()
        assert [checkpoint.epoch for checkpoint in store.selection_states()] == [2]


def kill_after(patch, allowed):
    """Let a process end after so many changes to a bucket."""
    calls = []

    def counted(change, *given):
        calls.append(given)
        if len(calls) > allowed:
            raise KeyboardInterrupt
        return change(*given)

    for name in ("write", "delete"):
        patch.setattr(ObjectStore, name, partialmethod(partial(counted, getattr(ObjectStore, name))))


def test_a_listing_that_comes_late_leads_to_the_one_before(bucket):
    store = CheckpointStore(any_path(bucket.address("b/run")))
    older = store.save(1, 0, {"w": 1}, {"epoch": 1})
    bucket.unlisted.add("run/epoch-00002-step-0000000/checkpoint.json")
    newer = store.save(2, 0, {"w": 2}, {"epoch": 2})
    assert store.intact() == older
    bucket.unlisted.clear()
    assert store.intact() == newer


def test_damage_in_a_bucket_leads_to_the_one_before_and_a_refusal_to_an_error(bucket):
    store, lines = CheckpointStore(any_path(bucket.address("b/run"))), []
    older, newer = (store.save(epoch, 0, {"w": epoch}, {"epoch": epoch}) for epoch in (1, 2))
    del bucket.buckets["b"]["run/epoch-00002-step-0000000/selection.npz"]
    assert store.intact(lines.append) == older
    assert "selection.npz: cannot be read: No such file" in lines[0] and lines[0].endswith("the one before")
    bucket.fail("GetObject", "denied", 9)
    with pytest.raises(DataError, match=r"ACCESS_DENIED.*credentials: AWS_ACCESS_KEY_ID"):
        store.intact()
    assert newer.epoch == 2


def test_three_errors_in_a_row_at_any_call_are_borne(bucket):
    store = CheckpointStore(any_path(bucket.address("b/run")), keep=1)
    for call in ("HeadObject", "PutObject", "ListObjectsV2", "GetObject", "DeleteObject", "DeleteObjects"):
        bucket.fail(call, "busy", 3)
    for epoch in (1, 2):
        store.save(epoch, 0, {"w": epoch}, {"epoch": epoch})
    assert store.intact().training_state()["w"] == 2
    assert [fault.call for fault in bucket.faults if fault.times] == []
