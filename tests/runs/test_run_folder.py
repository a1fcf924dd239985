"""What a run folder keeps of its data comes back, also from folders of older versions."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse
from small_run import write_run

from d2ace.pipeline.runs.tensor_files import save_tensors


def test_how_often_labels_meet_is_kept_sparse_and_read_dense_from_older_runs(table, tmp_path):
    run = write_run(tmp_path / "run", table, method="uniform")
    known = run.load_data()
    together = known.context.cooccurrence
    assert sparse.issparse(together) and together.diagonal().tolist() == list(known.context.label_counts)
    file = run.path / "data.npz"
    with np.load(file) as arrays:
        kept = {name: array for name, array in arrays.items() if not name.startswith("cooccurrence")}
        assert len(kept) == 3
    np.savez(file, cooccurrence=together.toarray(), **kept)
    again = run.load_data()
    np.testing.assert_array_equal(again.context.cooccurrence.toarray(), together.toarray())
    np.testing.assert_array_equal(again.splits.train, known.splits.train)


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_tensors_that_a_full_disk_does_not_take_are_an_error_of_the_system(size):
    with pytest.raises(OSError, match=r"No space left on device: '/dev/full'"):
        save_tensors({"w": torch.zeros(size)}, Path("/dev/full"))
