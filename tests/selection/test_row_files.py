"""States whose rows lie in files that row ranges write: read by rows, whole or not at all, and the same bit for bit."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from range_case import make_case, train
from whole_runs import StopAt, StoppedError, train_with

from d2ace.pipeline.common.errors import DamagedError, DataError
from d2ace.pipeline.common.storage.any_path import any_path, in_bucket
from d2ace.pipeline.common.storage.locations import Location
from d2ace.pipeline.common.storage.object_store import ObjectStore
from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.pipeline.selection import blueprint, row_files
from d2ace.pipeline.selection.state_file import SELECTION, SavedState, write_state
from d2ace.selectors.contract.inputs import require_same
from d2ace.selectors.d2ace import D2ACE
from d2ace.selectors.entries import api as policies
from d2ace.selectors.ranges.ranges import LocalRanges
from d2ace.selectors.ranges.snapshot import gathered
from d2ace.selectors.sharded import ShardedD2ACE
from d2ace.selectors.with_entries import WithEntries

ROW_BYTES = 6 * 7 * 4 + 8 + 2 * (8 + 8)
"""Of a row of the case: predictions, flip and loss of 6 labels, visits, scores and levels."""


@pytest.fixture(params=["disk", "bucket"])
def folder(request, tmp_path):
    """Where a state goes."""
    if request.param == "disk":
        return tmp_path
    return any_path(request.getfixturevalue("bucket").address("b/run"))


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    monkeypatch.setattr(row_files, "FILE_BYTES", 50 * ROW_BYTES)


def make(ranges):
    return ShardedD2ACE(**make_case(), ranges=ranges) if ranges else D2ACE(**make_case())


def files_of(ranges, folder):
    """Return a trained selector and the files that it wrote."""
    split = make(ranges)
    train(split, 3)
    return split, write_state(split.snapshot(), folder)


def load(selector, folder, files):
    selector.load_state_dict(SavedState(folder, files).load())
    return selector


def test_every_number_of_ranges_goes_on_from_the_files_of_any_other(folder):
    whole = make(None)
    train(whole, 3)
    state = whole.state_dict()
    following = train(whole, 2, start=3)
    split, files = files_of(3, folder)
    assert len(files) > 6 and list(files)[-1] == SELECTION
    assert {*Location.of(folder).files()} == {*files}
    train(split, 1, start=3)  # what is written is the state of the snapshot
    for ranges in (None, 1, 2, 4):
        other = load(make(ranges), folder, files)
        require_same(other.state_dict(), state)
        for one, expected in zip(train(other, 2, start=3), following, strict=True):
            np.testing.assert_array_equal(one.ids, expected.ids)
    require_same(gathered(SavedState(folder, files).load()), state)


def test_the_head_has_no_row_and_a_range_reads_its_own_files_alone(tmp_path, monkeypatch):
    split, files = files_of(2, tmp_path)
    with np.load(tmp_path / SELECTION) as head:
        assert all(300 not in head[name].shape for name in head.files)
    visits = split.state_dict()["visits"]
    monkeypatch.setattr(split._ranges, "broadcast", refused_phase(split._ranges.broadcast, "state"))
    split.snapshot().whole()
    read, sha = [], row_files.sha256_of
    monkeypatch.setattr(row_files, "sha256_of", lambda file: (read.append(file.name), sha(file))[1])
    stored = SavedState(tmp_path, files).load()["rows_elsewhere"]
    middle = stored[70:250][10:60].load()
    assert {name: len(array) for name, array in middle.items()} == dict.fromkeys(middle, 50)
    assert len(read) == 3 and {*read} < {*files}
    np.testing.assert_array_equal(middle["visits"], visits[80:130])


def refused_phase(call, name):
    def instead(phase, *arguments):
        assert phase.__name__ != name, "the head asked for all rows"
        return call(phase, *arguments)

    return instead


def test_a_policy_keeps_its_part_with_the_head(tmp_path):
    def made(ranges):
        rows = make(ranges)
        return WithEntries(rows, policies.create("correct", rows.label_matrix, epochs=10, seed=0, expected=0.1))

    split, whole = made(2), made(None)
    train(split, 3)
    train(whole, 3)
    files = write_state(split.snapshot(), tmp_path)
    for state in (load(made(3), tmp_path, files).state_dict(), split.snapshot().whole()):
        for part in ("rows", "entries"):
            require_same(state[part], whole.state_dict()[part])


@pytest.mark.parametrize("damage", ["flipped", "cut", "missing", "unlisted"])
def test_what_is_not_as_it_was_written_is_named(folder, damage):
    _, files = files_of(2, folder)
    name = sorted(files)[2]
    place, content = Location.of(folder / name), Location.of(folder / name).read()
    if damage == "unlisted":
        del files[sorted(files)[-2]]
    elif damage == "missing":
        place.delete()
    else:
        place.write(content[:100] if damage == "cut" else content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    words = {"missing": f"cannot be read.*{name}", "unlisted": "has no file with row"}.get(damage, f"damaged: {name}")
    with pytest.raises(DamagedError, match=words):
        load(make(1), folder, files)


def test_a_bucket_that_refuses_is_no_damage(bucket):
    _, files = files_of(2, folder := any_path(bucket.address("b/run")))
    state = SavedState(folder, files).load()
    bucket.fail("GetObject", "denied", 9)
    with pytest.raises(DataError, match="ACCESS_DENIED"):
        make(2).load_state_dict(state)


def test_a_kill_at_any_moment_of_a_write_leaves_the_checkpoint_before(folder, monkeypatch):
    monkeypatch.setattr(row_files, "FILE_BYTES", 90 * ROW_BYTES)
    split = make(2)
    train(split, 1)
    store = CheckpointStore(folder / "checkpoints", keep=1)
    store.save(1, 0, {"w": 1}, partial(write_state, split.snapshot()))
    before, kills = split.state_dict(), 0
    train(split, 1, start=1)
    while True:
        with monkeypatch.context() as patch:
            kill_after(patch, kills, "write" if in_bucket(folder) else "put")
            try:
                store.save(2, 0, {"w": 2}, partial(write_state, split.snapshot()))
                break
            except KeyboardInterrupt:
                kills += 1
        intact = store.intact(take=lambda checkpoint: load(make(2), checkpoint.path, checkpoint.selection().files))
        assert intact.epoch == 1
        require_same(intact.selection_state(), before)
    assert kills >= 7  # training, four of rows, head, record
    require_same(store.intact().selection_state(), split.state_dict())
    assert [checkpoint.epoch for checkpoint in store.selection_states()] == [2]


def kill_after(patch, allowed, what):
    """Let a process end at a file that it writes, after so many."""
    owner, name = (ObjectStore, "write") if what == "write" else (Path, "replace")
    change, calls = getattr(owner, name), []

    def counted(self, *given):
        calls.append(given)
        if len(calls) > allowed:
            raise KeyboardInterrupt
        return change(self, *given)

    patch.setattr(owner, name, counted)


def test_a_run_goes_on_with_other_ranges_and_from_the_checkpoint_before_a_damaged_one(
    make_config, prepared, monkeypatch
):
    monkeypatch.setattr(blueprint, "RayRanges", LocalRanges)
    options = "train.epochs=2", "run.checkpoint_steps=3", "run.keep_checkpoints=3"
    unbroken = train_with(make_config("run.name=unbroken", *options), prepared)
    config = make_config("run.name=a", *options, "selector.ranges=2")
    with pytest.raises(StoppedError):
        train_with(config, prepared, StopAt(1, 4))
    store = CheckpointStore(Path(config.run.storage) / "a" / "checkpoints")
    newest = store.latest()
    rows = sorted(newest.path.glob("selection-rows-*.npz"))
    content = rows[-1].read_bytes()
    rows[-1].write_bytes(content[:-30] + b"0" + content[-29:])
    assert len(rows) > 2 and newest.damage() is None
    folder = train_with(make_config("run.name=a", *options, "selector.ranges=3"), prepared)
    for epoch in range(2):
        np.testing.assert_array_equal(*(np.load(f.selection.order(epoch)) for f in (folder, unbroken)))
    mine, theirs = (torch.load(f.weights, weights_only=True) for f in (folder, unbroken))
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    last = [CheckpointStore(f.checkpoints).latest().selection_state()["selector"] for f in (folder, unbroken)]
    require_same(*last)
