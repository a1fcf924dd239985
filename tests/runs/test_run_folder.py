"""What a run folder keeps of its data comes back, also from folders of older versions."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse
from small_run import write_run

from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.runs.own_data import own_data
from d2ace.pipeline.runs.tensor_files import save_tensors


def test_how_often_labels_meet_is_kept_sparse_and_read_dense_from_older_runs(table, tmp_path):
    run = write_run(tmp_path / "run", table, method="uniform")
    known = run.data.load()
    together = known.context.cooccurrence
    assert sparse.issparse(together) and together.diagonal().tolist() == list(known.context.label_counts)
    file = run.path / "data.npz"
    with np.load(file) as arrays:
        kept = {name: array for name, array in arrays.items() if not name.startswith("cooccurrence")}
        assert len(kept) == 3
    np.savez(file, cooccurrence=together.toarray(), **kept)
    again = run.data.load()
    np.testing.assert_array_equal(again.context.cooccurrence.toarray(), together.toarray())
    np.testing.assert_array_equal(again.splits.train, known.splits.train)
    falling = np.array([0, -(2**31), *[2] * (together.shape[0] - 2), 0])
    empty = {"data": np.zeros(0), "indices": np.zeros(0, np.int64), "indptr": falling}
    np.savez(file, **{f"cooccurrence_{name}": array for name, array in empty.items()}, **kept)
    with pytest.raises(RunError, match=r"data\.npz: cannot be read .*row pointers fall"):
        run.data.load()


def test_what_a_run_keeps_of_its_data_is_checked_with_its_place(table, tmp_path):
    run = write_run(tmp_path / "run", table, method="uniform")
    file, kept = run.path / "data.json", json.loads((run.path / "data.json").read_text())
    for changed, message in (
        ({"scaler": kept["scaler"] | {"offset": [0.0]}}, "not a stored scaler"),
        ({"scaler": kept["scaler"] | {"image": True}}, "its scaler is not for inputs of shape"),
        ({"context": kept["context"] | {"input_shape": []}}, "a network needs at least one label"),
    ):
        file.write_text(json.dumps(kept | changed))
        with pytest.raises(RunError, match=rf"data\.json: cannot be read .*{message}"):
            run.data.load()
    file.write_text(json.dumps(kept))
    known, result = run.data.load(), json.loads(run.result.read_text())
    lost = replace(known, splits=replace(known.splits, test=np.array([2**31])))
    with pytest.raises(RunError, match=f"its splits name row {2**31}"):
        own_data(run, run.load_config(), lost)
    run.result.write_text(json.dumps(result | {"best_epoch": -1}))
    with pytest.raises(RunError, match="best_epoch is -1"):
        run.read_result()


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_tensors_that_a_full_disk_does_not_take_are_an_error_of_the_system(size):
    with pytest.raises(OSError, match=r"No space left on device: '/dev/full'"):
        save_tensors({"w": torch.zeros(size)}, Path("/dev/full"))
