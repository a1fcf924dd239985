"""What a run folder keeps of its data comes back, also from folders of older versions."""

import numpy as np
from scipy import sparse
from small_run import write_run


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
