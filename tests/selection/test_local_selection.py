"""Selection in the process that trains: steps go on while its state is copied for a checkpoint."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.selection import local
from d2ace.pipeline.selection.blueprint import Blueprint
from d2ace.pipeline.selection.conversation import Messages
from d2ace.pipeline.selection.local import LocalSelection
from d2ace.pipeline.selection.observation import Seen
from d2ace.pipeline.selection.state_file import SELECTION

ROWS, LABELS, BATCH = 40, 3, 8


def begun():
    """Give the conversation of a run, its first batches, and what tells a step of theirs."""
    labels = (np.random.default_rng(0).random((ROWS, LABELS)) < 0.4).astype(np.uint8)
    arguments = {"labels": labels, "batch_size": BATCH, "epochs": 3, "seed": 1, "warmup": 1, "neighbours": 0}
    selection = LocalSelection(Blueprint("d2ace", arguments, np.arange(ROWS)), Messages(LABELS))
    selection.join(selection.rewind(None))
    batches = selection.plan(0)

    def tell(step):
        ids = batches.ids[batches.offsets[step] : batches.offsets[step + 1]]
        p = torch.sigmoid(torch.from_numpy(np.sin(ids[:, None] + np.arange(LABELS))).float())
        selection.observe(ids, [Seen(p, -p.log(), p.sum())])

    return selection, tell


@contextmanager
def copied(selection, slow_copy, folder):
    """Copy the state of the first step for the block's time, and write it then."""
    begins, go_on = slow_copy
    write = selection.keep(0, 0)
    with ThreadPoolExecutor(1) as threads:
        written = threads.submit(write, folder)
        assert begins.wait(30)
        yield
        go_on.set()
        written.result(30)


def test_what_steps_show_waits_for_the_copy_and_training_does_not(slow_copy, tmp_path):
    selection, tell = begun()
    with copied(selection, slow_copy, tmp_path):
        for step in range(ROWS // BATCH):
            tell(step)
    selection.settle()
    undisturbed, tell = begun()
    for step in range(ROWS // BATCH):
        tell(step)
    assert selection.record(0)["effective_sample_size"] == undisturbed.record(0)["effective_sample_size"]
    assert np.array_equal(selection.plan(1).ids, undisturbed.plan(1).ids)
    with np.load(tmp_path / SELECTION) as state:
        assert state["selector/visits"].sum() == 0


def test_no_more_waits_than_memory_has_room_for(slow_copy, tmp_path, monkeypatch):
    monkeypatch.setattr(local, "WAITING_BYTES", 300)  # a step has 8 ids and 48 values
    selection, tell = begun()
    with ThreadPoolExecutor(1) as threads:
        with copied(selection, slow_copy, tmp_path):
            tell(0)
            second = threads.submit(tell, 1)
            assert not second.done()
        second.result(30)
    assert selection.state(0, 2)["selector"]["visits"].sum() == 2 * BATCH


def test_what_selection_refuses_is_raised_where_it_is_settled(slow_copy, tmp_path):
    selection, _ = begun()
    with copied(selection, slow_copy, tmp_path):
        ones = torch.ones(BATCH, LABELS)
        selection.observe(np.zeros(BATCH, np.int64), [Seen(ones, ones, ones.sum())])
    with pytest.raises(RunError, match="other rows than the plan's"):
        selection.settle()
