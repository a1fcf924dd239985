"""Checkpoints that are written while training goes on: of the right moment, whole or not at all, and heard of."""

import shutil
import time
from collections import OrderedDict
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from whole_runs import StopAt, StoppedError, train_with

from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.common.storage import whole_files, whole_folders
from d2ace.pipeline.runs import checkpoints
from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.pipeline.runs.run_folder import RunFolder
from d2ace.pipeline.selection import state_file
from d2ace.pipeline.training.loop import Hook
from d2ace.pipeline.training.state_copies import StateCopies

OPTIONS = ("train.epochs=4", "run.checkpoint_steps=3", "train.ema=0.9")


@pytest.fixture
def unbroken(make_config, prepared):
    return train_with(make_config("run.name=unbroken", *OPTIONS), prepared)


def require_equal(folder, expected):
    """Require that a run had the batches of another one and ended with its weights."""
    epochs = len(expected.read_metrics())
    for epoch in range(epochs):
        np.testing.assert_array_equal(*(np.load(f.selection.order(epoch)) for f in (folder, expected)))
    mine, theirs = (torch.load(f.weights, weights_only=True) for f in (folder, expected))
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert [record["epoch"] for record in folder.read_metrics()] == list(range(epochs))


class Ahead(Hook):
    """Holds every checkpoint back until two more steps are trained."""

    def __init__(self, monkeypatch):
        self.steps, self.held, save = 0, 0, CheckpointStore.save

        def held(store, epoch, step, *state):
            deadline, until = time.monotonic() + 60, self.steps + 2
            while self.steps < until and epoch < 4 and time.monotonic() < deadline:
                time.sleep(0.001)
            self.held += epoch < 4 and self.steps >= until
            return save(store, epoch, step, *state)

        monkeypatch.setattr(CheckpointStore, "save", held)

    def after_batch(self, training, epoch, step):
        self.steps += 1


def test_what_is_written_two_steps_later_is_the_state_between_the_steps(make_config, prepared, unbroken, monkeypatch):
    config = make_config("run.name=a", *OPTIONS)
    with monkeypatch.context() as patch:
        ahead = Ahead(patch)
        with pytest.raises(StoppedError):
            train_with(config, prepared, ahead, StopAt(2, 5))
    assert ahead.held == 5  # two of each epoch, and one of the third
    folder = Path(config.run.storage) / "a"
    newest = CheckpointStore(folder / "checkpoints").latest()
    assert (newest.epoch, newest.step) == (2, 3)  # which the stopped run waited for
    require_equal(train_with(config, prepared), unbroken)


class KilledError(BaseException):
    """What ends a thread as a kill ends its process: nobody tidies up."""


def kill_after(patch, allowed):
    """Let the process end after so many changes on disk of the checkpoint at the first epoch's end."""
    changes, save = [], CheckpointStore.save

    def killed(store, *state):
        with monkeypatch_of(changes, allowed) if state[:2] == (1, 0) else nullcontext():
            return save(store, *state)

    patch.setattr(CheckpointStore, "save", killed)


@contextmanager
def monkeypatch_of(changes, allowed):
    def counted(change):
        def instead(*given, **settings):
            changes.append(change)
            if len(changes) > allowed:
                if change in WRITERS:  # its file is half written
                    next(each for each in given if isinstance(each, Path)).write_bytes(b"half")
                raise KilledError
            return change(*given, **settings)

        return instead

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in CHANGES:
            patch.setattr(owner, name, counted(getattr(owner, name)))
        yield


WRITERS = torch.save, state_file.save_state
CHANGES = (
    (checkpoints.torch, "save"),
    (state_file, "save_state"),
    (whole_files, "flush"),
    (whole_folders, "flush"),
    (whole_folders, "temporary_beside"),
    (shutil, "rmtree"),
)


def test_a_kill_at_any_moment_of_a_write_leaves_the_one_before_or_the_new_one(make_config, prepared, monkeypatch):
    options = ("train.epochs=2", "run.checkpoint_steps=3")
    unbroken, allowed, found = train_with(make_config("run.name=unbroken", *options), prepared), 0, []
    while True:
        config = make_config(f"run.name=kill{allowed}", *options)
        store = CheckpointStore(Path(config.run.storage) / config.run.name / "checkpoints")
        with monkeypatch.context() as patch:
            kill_after(patch, allowed)
            try:
                train_with(config, prepared)
                break
            except KilledError:
                found.append(store.intact())
        require_equal(train_with(config, prepared), unbroken)
        allowed += 1
    steps = [(checkpoint.epoch, checkpoint.step) for checkpoint in found]
    assert allowed > 8 and steps == sorted(steps) and set(steps) == {(0, 3), (1, 0)}


@pytest.mark.parametrize("epoch", [1, 4])
def test_what_cannot_be_written_ends_the_run_in_its_own_words(make_config, prepared, monkeypatch, epoch):
    """In the middle of a run at the next step or checkpoint, at its end before there is a result."""
    save, config = CheckpointStore.save, make_config("run.name=a", *OPTIONS)

    def full(store, number, *state):
        if number == epoch:
            raise OSError(28, "No space left on device", "training.pt")
        return save(store, number, *state)

    with monkeypatch.context() as patch:
        patch.setattr(CheckpointStore, "save", full)
        with pytest.raises(OSError, match=r"No space left on device: 'training\.pt'"):
            train_with(config, prepared)
    folder = RunFolder.open(Path(config.run.storage) / "a")
    assert len(folder.read_metrics()) == epoch - 1  # only what is safe is told
    assert not folder.weights.exists()
    assert len(train_with(config, prepared).read_metrics()) == 4


def test_a_failed_write_leaves_no_half_of_a_checkpoint(tmp_path):
    store = CheckpointStore(tmp_path)
    store.save(1, 0, {"w": 1}, {"epoch": 1})

    def full(path):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        store.save(2, 0, {"w": 2}, full)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-00001-step-0000000"]


def test_copies_keep_what_was_and_use_their_memory_again():
    copies, state = StateCopies(), OrderedDict(w=torch.arange(3.0), deep=[{"n": torch.ones(2)}, (torch.zeros(1), "x")])
    state._metadata = {"": {"version": 1}}
    first = copies.take({"model": state})["model"]
    state["w"] += 1
    state["deep"][0]["n"] += 1
    state["deep"].append(3)
    assert first["w"].tolist() == [0, 1, 2] and first["deep"][0]["n"].tolist() == [1, 1]
    assert len(first["deep"]) == 2 and first["deep"][1][1] == "x" and first._metadata == {"": {"version": 1}}
    again = copies.take({"model": state})["model"]
    assert again["w"].tolist() == [1, 2, 3] and again["w"].data_ptr() == first["w"].data_ptr()


class Records(Hook):
    """Notes which file holds the records, and how many there are, at every step."""

    def __init__(self, folder):
        self.path, self.seen = folder / "metrics.jsonl", []

    def after_batch(self, training, epoch, step):
        if self.path.exists():
            self.seen.append((self.path.stat().st_ino, len(self.path.read_text().splitlines())))


def test_records_are_added_to_one_file_and_a_line_that_was_cut_off_goes(make_config, prepared, unbroken):
    config = make_config("run.name=a", *OPTIONS)
    folder = RunFolder(Path(config.run.storage) / "a")
    hook = Records(folder.path)
    with pytest.raises(StoppedError):
        train_with(config, prepared, hook, StopAt(3, 4))
    files, counts = zip(*hook.seen, strict=True)
    assert len(set(files)) == 1 and list(counts) == sorted(counts)
    assert len(folder.metrics.read_text().splitlines()) == 3
    with folder.metrics.open("a") as file:
        file.write('{"epoch": 3, "macro_')
    require_equal(train_with(config, prepared), unbroken)


def test_a_kill_between_a_checkpoint_and_its_record_loses_no_record(make_config, prepared, unbroken, monkeypatch):
    config, add = make_config("run.name=a", *OPTIONS), RunFolder.add_metrics

    def killed(folder, record):
        if record["epoch"] == 1:
            raise KilledError
        add(folder, record)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "add_metrics", killed)
        with pytest.raises(KilledError):
            train_with(config, prepared)
    folder = RunFolder(Path(config.run.storage) / "a")
    assert len(folder.read_metrics()) == 1 and CheckpointStore(folder.checkpoints).latest().epoch == 2
    require_equal(train_with(config, prepared), unbroken)


def test_records_that_cannot_be_written_or_are_gone_are_an_error_of_the_run(make_config, prepared):
    config = make_config("run.name=a", *OPTIONS)
    folder = RunFolder(Path(config.run.storage) / "a")
    with pytest.raises(StoppedError):
        train_with(config, prepared, StopAt(2, 4))
    folder.metrics.unlink()
    with pytest.raises(RunError, match=r"metrics\.jsonl: expected the records of 1 epochs.*got 0; put the file back"):
        train_with(config, prepared)
    folder.metrics.mkdir()
    with pytest.raises(OSError, match=r"metrics\.jsonl"):
        train_with(make_config("run.name=b", *OPTIONS), prepared, Folder(folder.path.parent / "b" / "metrics.jsonl"))


class Folder(Hook):
    """Puts a folder where a file should come."""

    def __init__(self, path):
        self.path = path

    def before_epoch(self, training, epoch):
        self.path.mkdir(exist_ok=True)


def test_a_checkpoint_of_an_older_version_brings_all_records_along(make_config, prepared, unbroken):
    config = make_config("run.name=a", *OPTIONS)
    with pytest.raises(StoppedError):
        train_with(config, prepared, StopAt(2, 4))
    folder = RunFolder(Path(config.run.storage) / "a")
    store = CheckpointStore(folder.checkpoints)
    latest = store.latest()
    state = {**latest.training_state(), "history": folder.read_metrics()}
    del state["record"]
    store.save(latest.epoch, latest.step, state, latest.selection_state())
    folder.metrics.unlink()
    require_equal(train_with(config, prepared), unbroken)
