import numpy as np
import pyarrow as pa
import pytest

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.blocks import BlockReader
from d2ace.pipeline.data.shards import read_shard

KINDS = ["dense", "sparse", "image"]


def tables(manifest):
    return [read_shard(manifest, number) for number in range(len(manifest.shards))]


def check(reader, made, ids):
    rows = reader.gather(ids)
    np.testing.assert_array_equal(rows.ids, ids)
    assert rows.labels.dtype == np.float32
    np.testing.assert_array_equal(rows.labels, made.labels[ids])
    np.testing.assert_array_equal(reader.labels(ids), made.labels[ids])
    if rows.images is None:
        assert rows.features.dtype == np.float32
        np.testing.assert_array_equal(rows.features, made.features[ids])
    else:
        assert rows.features is None
        stored = [picture for table in tables(made.manifest) for picture in table["image"].to_pylist()]
        assert [bytes(image) for image in rows.images] == [stored[index] for index in ids]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shard_rows", [7, 1000])
def test_gather_gives_the_rows_in_the_order_asked_for(make_prepared, kind, shard_rows):
    made = make_prepared(kind, shard_rows=shard_rows)
    reader = BlockReader(tables(made.manifest)[::-1], made.manifest)
    random = np.random.default_rng(0)
    for ids in (np.arange(50), random.permutation(50), random.integers(0, 50, 200), np.array([3]), np.zeros(0, int)):
        check(reader, made, ids)
    np.testing.assert_array_equal(reader.ids(), np.arange(50))


@pytest.mark.parametrize("kind", KINDS)
def test_sliced_tables_and_several_chunks_are_read_in_place(make_prepared, kind):
    made = make_prepared(kind, shard_rows=1000)
    (whole,) = tables(made.manifest)
    pieces = [whole.slice(30, 20), pa.concat_tables([whole.slice(0, 11), whole.slice(11, 19)]), whole.slice(0, 0)]
    check(BlockReader(pieces, made.manifest), made, np.random.default_rng(1).permutation(50))


@pytest.mark.parametrize("kind", KINDS)
def test_large_offsets_work(make_prepared, kind):
    made = make_prepared(kind, shard_rows=1000)
    (whole,) = tables(made.manifest)
    large = {pa.list_(pa.int32()): pa.large_list(pa.int32()), pa.list_(pa.float32()): pa.large_list(pa.float32())}
    types = [large.get(f.type, f.type) for f in whole.schema]
    wide = whole.cast(pa.schema(list(zip(whole.schema.names, types, strict=True))))
    check(BlockReader([wide.slice(5)], made.manifest), made, np.array([49, 5, 20]))


def test_dense_features_are_not_copied_when_opened(make_prepared):
    made = make_prepared(shard_rows=1000)
    (table,) = tables(made.manifest)
    reader = BlockReader([table], made.manifest)
    buffer = table["features"].chunk(0).values.buffers()[1]
    assert reader._blocks[0].dense.ctypes.data == buffer.address


@pytest.mark.parametrize("bad", [-1, 50, 10**12])
def test_an_unknown_id_is_named(make_prepared, bad):
    made = make_prepared()
    reader = BlockReader(tables(made.manifest), made.manifest)
    with pytest.raises(DataError, match=rf"no row with id \[{bad}\] \(1\) in 4 blocks with 50 rows"):
        reader.gather(np.array([3, bad, 4]))
    with pytest.raises(DataError, match="no row with id"):
        reader.labels(np.array([bad]))


def test_a_gap_between_blocks_is_no_row(make_prepared):
    made = make_prepared()
    reader = BlockReader([tables(made.manifest)[index] for index in (0, 2)], made.manifest)
    with pytest.raises(DataError, match=r"id \[16, 20\] \(2\)"):
        reader.gather(np.array([1, 16, 20, 33]))
    assert reader.gather(np.array([33, 1])).ids.tolist() == [33, 1]


def test_bad_tables_are_refused(make_prepared):
    made = make_prepared()
    first, second = tables(made.manifest)[:2]
    with pytest.raises(DataError, match="two blocks hold the same row ids"):
        BlockReader([first, second, first], made.manifest)
    with pytest.raises(DataError, match="must be contiguous"):
        BlockReader([first.take([0, 2, 1])], made.manifest)
    with pytest.raises(DataError, match=r"no column .*features"):
        BlockReader([first.drop_columns(["features"])], made.manifest)
