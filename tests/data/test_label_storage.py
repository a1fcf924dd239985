"""Unknown and soft labels and their origins on disk: every form comes back, complete labels are stored as ever."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.sparse import csr_array

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.blocks import BlockReader
from d2ace.pipeline.data.label_choice import chosen_labels
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.manifest_parts import ImageHint
from d2ace.pipeline.data.rows import Rows, concatenate
from d2ace.pipeline.data.shard_writer import ShardWriter
from d2ace.pipeline.data.shards import read_labels, read_shard
from d2ace.pipeline.data.verification import verify
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.selectors.common.label_matrix import LabelMatrix, Origin

FIXTURES = Path(__file__).parent / "fixtures"
OLD_LABELS = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 1], [0, 0, 1]])
N, L = 23, 4
FORMS = ["unknown entries", "verified negatives", "soft", "looked at", "all of it"]


def entries(form: str) -> np.ndarray:
    """Labels (N, L) of which the rows from 12 on have everything, so that parts of a set are complete."""
    random = np.random.default_rng(5)
    dense = (random.random((N, L)) < 0.4).astype(np.float32)
    if form != "soft":
        dense[:12][random.random((12, L)) < 0.4] = np.nan
        dense[3] = np.nan
    if form in ("soft", "all of it"):
        dense[:12] *= random.integers(1, 5, (12, L)).astype(np.float32) / 4
    return dense


def matrix(form: str, dense: np.ndarray) -> LabelMatrix:
    labels = LabelMatrix.of(dense)
    if form in ("verified negatives", "all of it"):
        labels = LabelMatrix(labels.values, csr_array(dense == 0), "unknown")
    if form == "looked at":
        looked_at = (dense == 0) & (np.random.default_rng(7).random(dense.shape) < 0.3)
        looked_at[12:] = False
        origins = np.where(np.arange(labels.values.nnz) % 3, Origin.GIVEN, Origin.AUDITED).astype(np.uint8)
        return replace(labels, value_origins=origins, verified=csr_array(looked_at))
    if form != "all of it":
        return labels
    random = np.random.default_rng(6)
    origins = random.integers(0, 4, labels.values.nnz).astype(np.uint8)
    listed = random.integers(0, 4, labels.exceptions.nnz).astype(np.uint8)
    return LabelMatrix(labels.values, labels.exceptions, "unknown", origins, listed)


def write(folder, kind, labels, png=None, rows_at_once=5, shard_rows=8):
    random = np.random.default_rng(0)
    facts: dict = {"n_features": 3}
    features = random.normal(size=(N, 3)).astype(np.float32)
    if kind == "sparse":
        features = csr_array(features)
    if kind == "image":
        facts, features = {"image": ImageHint("L", 2, 3)}, [png(np.full((2, 3), i, np.uint8)) for i in range(N)]
    with ShardWriter(folder, kind=kind, labels=list("abcd"), shard_rows=shard_rows, **facts) as writer:
        for start in range(0, N, rows_at_once):
            here = slice(start, start + rows_at_once)
            count = len(range(N)[here])
            writer.write(Rows(features[here], labels.take(here), np.ones(count, np.int8)))
    return writer.manifest


@pytest.mark.parametrize("kind", ["dense", "sparse", "image"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_comes_back(tmp_path, png, form, kind):
    dense = entries(form)
    labels = matrix(form, dense)
    manifest = write(tmp_path / "set", kind, labels, png)
    verify(manifest)
    read = read_labels(manifest)
    np.testing.assert_array_equal(read.dense(), dense)
    origins = [[labels.origin(r, j) for j in range(L)] for r in range(N)]
    assert [[read.origin(r, j) for j in range(L)] for r in range(N)] == origins
    np.testing.assert_array_equal(read.audited(), labels.audited())
    assert manifest.unlisted == read.unlisted == labels.unlisted
    assert manifest.soft == (form in ("soft", "all of it"))
    known = ~np.isnan(dense)
    assert manifest.known_counts == (None if form == "soft" else tuple(known.sum(axis=0)))
    assert manifest.label_counts == tuple((dense >= 0.5).sum(axis=0))
    assert Manifest.load(manifest.folder) == manifest


@pytest.mark.parametrize("kind", ["dense", "image"])
@pytest.mark.parametrize("form", FORMS)
def test_readers_give_nan_where_unknown(tmp_path, png, form, kind):
    dense = entries(form)
    manifest = write(tmp_path / "set", kind, matrix(form, dense), png)
    ids = np.random.default_rng(1).integers(0, N, 40)
    for rows in (ShardRows(manifest), ShardRows(manifest, images=False)):
        reader = rows.open()
        batch = reader.gather(ids)
        assert batch.labels.dtype == np.float32
        np.testing.assert_array_equal(batch.labels, dense[ids])
        np.testing.assert_array_equal(reader.labels(ids[:7]), dense[ids[:7]])
    # blocks of any slice of a shard, as Ray hands them out
    part = BlockReader([read_shard(manifest, 1).slice(2, 4)], manifest)
    np.testing.assert_array_equal(part.labels(part.ids()), dense[part.ids()])


def test_columns_are_there_only_where_needed(tmp_path):
    def columns(manifest):
        return [set(pq.read_schema(path).names) - {"id", "split", "features"} for path in manifest.shard_paths()]

    complete = write(tmp_path / "complete", "dense", LabelMatrix.of(np.nan_to_num(entries("unknown entries"))))
    assert columns(complete) == [{"labels"}] * 3
    assert (complete.known_counts, complete.unlisted, complete.soft) == (None, "negative", False)
    partial = write(tmp_path / "partial", "dense", LabelMatrix.of(entries("unknown entries")))
    assert columns(partial) == [{"labels", "listed"}, {"labels", "listed"}, {"labels"}]
    whole = write(tmp_path / "whole", "dense", matrix("all of it", entries("all of it")))
    every = {"labels", "label_values", "listed", "label_origins", "listed_origins"}
    assert columns(whole)[0] == every
    looked_at = write(tmp_path / "looked at", "dense", matrix("looked at", entries("looked at")))
    assert [("verified" in each) for each in columns(looked_at)] == [True, True, False]
    assert set(read_shard(looked_at, 0).column_names) == {"id", "split", "features", "labels", "listed"}
    assert set(read_shard(whole, 0).column_names) == {"id", "split", "features", "labels", "label_values", "listed"}


@pytest.mark.parametrize("name", ["table-schema-2", "images-schema-2"])
def test_what_schema_2_stored_is_complete(name):
    manifest = Manifest.load(FIXTURES / name)
    assert (manifest.known_counts, manifest.unlisted, manifest.soft) == (None, "negative", False)
    verify(manifest)
    labels = read_labels(manifest)
    assert labels.is_complete and labels.is_hard
    np.testing.assert_array_equal(labels.dense(), OLD_LABELS)
    np.testing.assert_array_equal(ShardRows(manifest).open().labels(np.arange(5)), OLD_LABELS)


def test_complete_labels_are_stored_to_the_byte_as_schema_2_did(tmp_path):
    old = Manifest.load(FIXTURES / "table-schema-2")
    features, split = np.arange(10, dtype=np.float32).reshape(5, 2), np.array([1, 1, 2, 3, 1], np.int8)
    with ShardWriter(tmp_path / "new", kind="dense", labels=list("abc"), n_features=2, shard_rows=3) as writer:
        writer.write(Rows(features, LabelMatrix.of(OLD_LABELS), split))
    for before, now in zip(old.shard_paths(), writer.manifest.shard_paths(), strict=True):
        assert pq.read_table(now).equals(pq.read_table(before))
    assert [shard.rows for shard in writer.manifest.shards] == [shard.rows for shard in old.shards]
    # the fingerprint that runs keep of their data does not change with the schema
    assert old.fingerprint() == "3c26bb347d5c033262464ecb14b9b041ea721a7c3526069201e0072636031a24"


def test_the_fingerprint_tells_unlisted_meanings_apart(tmp_path):
    labels = LabelMatrix.of(entries("unknown entries"))
    listed = LabelMatrix(labels.values, labels.exceptions, "unknown")  # the same columns, another meaning
    one, other = write(tmp_path / "a", "dense", labels), write(tmp_path / "b", "dense", listed)
    assert [s.sha256 for s in one.shards] == [s.sha256 for s in other.shards]
    assert one.fingerprint() != other.fingerprint()


def test_chunks_must_mean_the_same_by_what_they_do_not_list(tmp_path):
    dense, ones = entries("unknown entries"), np.ones((N, 1), np.float32)
    with ShardWriter(tmp_path / "x", kind="dense", labels=list("abcd"), n_features=1) as writer:
        writer.write(Rows(ones, LabelMatrix.of(dense), np.ones(N, np.int8)))
        other = Rows(ones, matrix("verified negatives", dense), np.ones(N, np.int8))
        with pytest.raises(DataError, match="not listed are unknown here, negative before"):
            writer.write(other)


def test_verification_finds_other_known_counts(tmp_path):
    manifest = write(tmp_path / "set", "dense", LabelMatrix.of(entries("unknown entries")))
    changed = (manifest.known_counts[0] + 1, *manifest.known_counts[1:])
    Manifest(**{**vars(manifest), "known_counts": changed}).save()
    with pytest.raises(DataError, match="counts differ"):
        verify(Manifest.load(manifest.folder))
    shutil.rmtree(manifest.folder)


@pytest.mark.parametrize("form", FORMS)
def test_columns_of_labels_are_chosen_with_their_origins(form):
    dense = entries(form)
    labels, places = matrix(form, dense), np.array([3, 0, 2])
    chosen = chosen_labels(labels, places)
    np.testing.assert_array_equal(chosen.dense(), dense[:, places])
    for r in range(N):
        assert [chosen.origin(r, j) for j in range(3)] == [labels.origin(r, j) for j in places]


def test_a_label_that_a_source_lacks_is_negative_in_all_rows():
    dense = entries("unknown entries")
    chosen = chosen_labels(LabelMatrix.of(dense), np.array([1, -1]))
    np.testing.assert_array_equal(chosen.dense(), np.column_stack([dense[:, 1], np.zeros(N)]))


def test_chunks_of_rows_are_joined_and_taken():
    dense = entries("unknown entries")
    parts = [
        Rows(np.ones((n, 1), np.float32), LabelMatrix.of(dense[s : s + n]), np.ones(n, np.int8))
        for s, n in ((0, 9), (9, 14))
    ]
    whole = concatenate(parts)
    np.testing.assert_array_equal(whole.labels.dense(), dense)
    np.testing.assert_array_equal(whole.take(np.array([5, 3])).labels.dense(), dense[[5, 3]])
    assert whole.labels.origin(0, 0) in (Origin.GIVEN, None)
