"""Looking at many stored rows with workers comes to what one process comes to, byte for byte."""

from functools import partial

import numpy as np
import pytest
from small_config import small_config

from d2ace.pipeline import fit
from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.pipeline.studies.incremental import task_model
from d2ace.pipeline.studies.incremental.passes import pass_over
from d2ace.pipeline.studies.incremental.task_model import TaskModel, asker


@pytest.fixture(scope="module")
def model(table, tmp_path_factory):
    folder = fit(small_config(table, tmp_path_factory.mktemp("passes"), "train.epochs=1"), quiet=True).folder
    return TaskModel(folder, ShardRows(Manifest.load(table), images=False).open()), folder, Manifest.load(table)


def test_pieces_make_the_whole(model, monkeypatch):
    one, _, manifest = model
    rows = np.arange(manifest.rows)[::-1]
    whole = {what: getattr(one, what)(rows) for what in ("probabilities", "logits", "embeddings")}
    monkeypatch.setattr(task_model, "CHUNK_ROWS", 7)
    for what, expected in whole.items():
        np.testing.assert_allclose(getattr(one, what)(rows), expected, rtol=1e-5, atol=1e-6)
        assert not len(getattr(one, what)(rows[:0]))


def test_workers_see_in_the_rows_what_one_process_sees(model, ray_session):
    one, folder, manifest = model
    pieces = np.array_split(np.random.default_rng(0).permutation(manifest.rows), 5)
    make = partial(asker, folder, manifest, "embeddings")
    found = pass_over(pieces, make, workers=2, gpu=False, limit_s=None)
    assert found.tobytes() == np.concatenate([one.piece("embeddings", piece) for piece in pieces]).tobytes()
    with pytest.raises(DataError):
        pass_over([np.array([manifest.rows])], make, workers=2, gpu=False, limit_s=None)
