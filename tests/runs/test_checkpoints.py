"""Checkpoints: whole or ignored."""

import numpy as np
import pytest
import torch

from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.selectors.common.state import load_state, save_state


def test_selection_state_round_trip_keeps_dtypes_and_nesting(tmp_path):
    state = {"epoch": 3, "selector": {"schema": 1, "name": "x", "p": np.arange(5, dtype=np.float16), "none": None}}
    save_state(tmp_path / "s.npz", state)
    loaded = load_state(tmp_path / "s.npz")
    assert loaded["epoch"] == 3 and loaded["selector"]["name"] == "x" and "none" not in loaded["selector"]
    assert loaded["selector"]["p"].dtype == np.float16
    np.testing.assert_array_equal(loaded["selector"]["p"], state["selector"]["p"])


def test_newest_wins_oldest_go_and_half_written_ones_are_ignored(tmp_path):
    store = CheckpointStore(tmp_path, keep=2)
    assert store.latest() is None
    for epoch, step in [(0, 5), (1, 0), (1, 5)]:
        store.save(epoch, step, {"w": torch.ones(2) * epoch}, {"epoch": epoch})
    half = tmp_path / ".epoch-00002-step-0000000.tmp"
    half.mkdir()
    (half / "training.pt").write_bytes(b"half")
    assert [(c.epoch, c.step) for c in store.complete()] == [(1, 0), (1, 5)]
    assert store.latest().training_state()["w"].tolist() == [1, 1]
    assert store.latest().selection_state() == {"epoch": 1}


def test_saving_again_replaces(tmp_path):
    store = CheckpointStore(tmp_path)
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


def test_of_a_finished_run_the_newest_stays_and_why_its_last_epoch_drew_what_it_drew(tmp_path):
    store = CheckpointStore(tmp_path, keep=9)
    store.shrink()  # of nothing
    for epoch, step in [(1, 0), (2, 0), (2, 4), (3, 0)]:
        store.save(epoch, step, {"w": torch.ones(2)}, {"epoch": epoch})
    store.shrink()
    assert [(c.epoch, c.step) for c in store.complete()] == [(3, 0)]
    assert [(c.epoch, c.step) for c in store.selection_states()] == [(2, 0), (3, 0)]
    assert store.selection_states()[0].selection_state() == {"epoch": 2}
    assert store.intact().epoch == 3
