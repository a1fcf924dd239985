"""Cells of labels that nobody knows, and soft ones: read where the user says so, else refused; in every format."""

import numpy as np
import pandas as pd
import pytest

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.from_tables.prepare import prepare
from d2ace.pipeline.data.shards import read_features, read_labels
from d2ace.pipeline.data.summary import read_summary
from d2ace.pipeline.data.summary_text import summary_text

NAN = np.nan
TRUTH = np.array([[1, 0, NAN], [NAN, 1, 0], [0, NAN, 1], [1, 0, 0]])
FEATURES = np.array([[0.5], [1.5], [2.5], [3.5]], np.float32)
NAMES = ["y_a", "y_b", "y_c"]


def table(path, cell, delimiter=","):
    """Write TRUTH with a text for unknown cells."""
    lines = [delimiter.join(["x", *NAMES])]
    for x, row in zip(FEATURES[:, 0], TRUTH, strict=True):
        lines.append(delimiter.join([f"{x}", *(cell if np.isnan(y) else f"{y:g}" for y in row)]))
    path.write_text("\n".join(lines) + "\n")
    return path


def arff(path, cell, sparse=False, kind="{0,1}"):
    lines = ["@relation t", "@attribute x numeric", *(f"@attribute {name} {kind}" for name in NAMES), "@data"]
    for x, row in zip(FEATURES[:, 0], TRUTH, strict=True):
        cells = [f"{x}", *(cell if np.isnan(y) else f"{y:g}" for y in row)]
        body = ", ".join(f"{i} {c}" for i, c in enumerate(cells) if c != "0") if sparse else ",".join(cells)
        lines.append(f"{{{body}}}" if sparse else body)
    path.write_text("\n".join(lines) + "\n")
    return path


def check(manifest, expected=TRUTH):
    np.testing.assert_array_equal(read_labels(manifest).dense(), expected.astype(np.float32))
    np.testing.assert_allclose(read_features(manifest, np.arange(4)), FEATURES)


@pytest.mark.parametrize("cell", ["", "-1", "nan", "?", "N/A", "-1.0"])
def test_cells_of_csv(tmp_path, cell):
    path = table(tmp_path / "t.csv", cell)
    with pytest.raises(DataError, match=r"t\.csv:2: "):
        prepare(path, tmp_path / "refused", labels=NAMES)
    for number, more in enumerate(([], ["unsure"])):
        check(prepare(path, tmp_path / f"out{number}", labels=NAMES, unknown=[cell.lower(), *more]))
    manifest = prepare(path, tmp_path / "zeros", labels=NAMES, unknown=[cell], assume_negative=True)
    check(manifest, np.nan_to_num(TRUTH, nan=0.0))
    assert manifest.known_counts is None
    with pytest.raises(DataError, match=r"t\.csv:2: "):
        prepare(path, tmp_path / "other", labels=NAMES, unknown=["nobody"])


def test_cells_of_tsv_with_decimal_commas(tmp_path):
    path = table(tmp_path / "t.tsv", "-1", "\t")
    path.write_text(path.read_text().replace(".", ","))
    check(prepare(path, tmp_path / "out", labels=NAMES, unknown=["-1"], decimal=","))


@pytest.mark.parametrize("column", ["float", "int", "text"])
def test_cells_of_parquet(tmp_path, column):
    frame = pd.DataFrame(TRUTH, columns=NAMES)
    if column == "int":
        frame = frame.astype("Int64")  # with nulls
    if column == "text":
        frame = frame.map(lambda y: "unsure" if np.isnan(y) else "yes" if y else "no")
    frame.insert(0, "x", FEATURES[:, 0])
    frame.to_parquet(tmp_path / "t.parquet", index=False)
    with pytest.raises(DataError):
        prepare(tmp_path / "t.parquet", tmp_path / "refused", labels=NAMES)
    unknown = ["unsure"] if column == "text" else ["nan"]
    check(prepare(tmp_path / "t.parquet", tmp_path / "out", labels=NAMES, unknown=unknown))


@pytest.mark.parametrize("cell", [NAN, -1.0])
def test_entries_of_npz(tmp_path, cell):
    np.savez(tmp_path / "t.npz", X=FEATURES, Y=np.where(np.isnan(TRUTH), cell, TRUTH), label_names=np.array(NAMES))
    with pytest.raises(DataError, match=f"a label is {cell}, expected 0 or 1.*say --unknown={cell:g} "):
        prepare(tmp_path / "t.npz", tmp_path / "refused")
    check(prepare(tmp_path / "t.npz", tmp_path / "out", unknown=[f"{cell:g}"]))


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(("cell", "kind"), [("?", "{0,1}"), ("?", "numeric"), ("-1", "numeric"), ("-1", "{-1,0,1}")])
def test_cells_of_arff(tmp_path, sparse, cell, kind):
    if sparse and kind == "{-1,0,1}":
        kind = "{0,-1,1}"  # what sparse rows leave out is the first value
    path = arff(tmp_path / "t.arff", cell, sparse, kind)
    with pytest.raises(DataError):
        prepare(path, tmp_path / "refused", labels=NAMES)
    check(prepare(path, tmp_path / "out", labels=NAMES, unknown=[cell]))


def test_an_unknown_feature_is_still_refused(tmp_path):
    path = table(tmp_path / "t.csv", "-1")
    path.write_text(path.read_text().replace("0.5,", "nan,"))
    with pytest.raises(DataError, match="column 'x' is nan"):
        prepare(path, tmp_path / "out", labels=NAMES, unknown=["-1", "nan"])


def test_soft_values_are_read_where_the_user_says_so(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,y_a,y_b\n0.5,0.25,1\n1.5,0,0.5\n2.5,-1,0.75\n")
    with pytest.raises(DataError, match=r"t\.csv:2: label 'y_a' is 0\.25, expected 0 or 1; say --soft-labels"):
        prepare(path, tmp_path / "refused", label_prefix="y_", unknown=["-1"])
    manifest = prepare(path, tmp_path / "out", label_prefix="y_", unknown=["-1"], soft_labels=True)
    np.testing.assert_array_equal(read_labels(manifest).dense(), np.float32([[0.25, 1], [0, 0.5], [NAN, 0.75]]))
    assert (manifest.soft, manifest.label_counts, manifest.known_counts) == (True, (0, 3), (2, 3))
    path.write_text(path.read_text().replace("0.25", "1.25"))
    with pytest.raises(DataError, match=r"is 1\.25, expected a number from 0 to 1"):
        prepare(path, tmp_path / "beyond", label_prefix="y_", unknown=["-1"], soft_labels=True)


def test_the_summary_counts_unknown_and_soft_entries_of_each_label(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,y_a,y_b\n0.5,0.25,1\n1.5,0,0.5\n2.5,-1,1\n3.5,-1,-1\n")
    manifest = prepare(path, tmp_path / "out", label_prefix="y_", unknown=["-1"], soft_labels=True)
    text = summary_text(manifest, read_summary(manifest))
    assert "unknown     3 entries (37.5 %); most: y_a 2, y_b 1" in text
    assert "soft        2 entries (40.0 %); most: y_a 1, y_b 1" in text


def test_filters_count_what_is_known(tmp_path):
    """Unknown entries are no positives: a label or row that has nothing else goes, as if they were not there."""
    path = table(tmp_path / "t.csv", "-1")
    path.write_text(path.read_text() + "4.5,-1,-1,0\n")
    manifest = prepare(path, tmp_path / "out", labels=NAMES, unknown=["-1"], drop_unlabelled=True, min_positives=1)
    assert manifest.labels == ("y_a",)
    np.testing.assert_array_equal(read_labels(manifest).dense(), [[1], [1]])


@pytest.mark.parametrize(("unknown", "message"), [(["yes"], "'yes' means 0 or 1"), ("-1", "must be a list of texts")])
def test_texts_that_cannot_mean_unknown(tmp_path, unknown, message):
    with pytest.raises(DataError, match=message):
        prepare(table(tmp_path / "t.csv", "-1"), tmp_path / "out", labels=NAMES, unknown=unknown)


def test_lists_of_labels_have_no_cells_to_be_unknown(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,tags\n1,a;b\n")
    with pytest.raises(DataError, match="unknown and soft_labels are of labels with columns of their own"):
        prepare(path, tmp_path / "out", label_column="tags", unknown=[""])


@pytest.mark.parametrize("form", ["csv", "npz"])
def test_a_mask_beside_the_data_says_what_is_known(tmp_path, form):
    """What the table says of an unknown entry does not count, nor the order of the mask's columns in a CSV file."""
    planted = pd.DataFrame(np.where(np.isnan(TRUTH), 1, TRUTH), columns=NAMES)
    planted.insert(0, "x", FEATURES[:, 0])
    planted.to_csv(tmp_path / "t.csv", index=False)
    known = (~np.isnan(TRUTH)).astype(int)
    if form == "csv":
        pd.DataFrame(known, columns=NAMES)[NAMES[::-1]].to_csv(tmp_path / "mask.csv", index=False)
    else:
        np.savez(tmp_path / "mask.npz", known)
    check(prepare(tmp_path / "t.csv", tmp_path / "out", labels=NAMES, label_mask=tmp_path / f"mask.{form}"))
    options = {"labels": NAMES, "label_mask": tmp_path / f"mask.{form}", "assume_negative": True}
    check(prepare(tmp_path / "t.csv", tmp_path / "zeros", **options), np.nan_to_num(TRUTH, nan=0.0))


def test_a_mask_joins_cells_that_say_unknown(tmp_path):
    mask = np.ones(TRUTH.shape, int)
    mask[3] = 0
    np.savez(tmp_path / "mask.npz", mask)
    options = {"labels": NAMES, "unknown": ["-1"], "label_mask": tmp_path / "mask.npz"}
    expected = TRUTH.copy()
    expected[3] = NAN
    check(prepare(table(tmp_path / "t.csv", "-1"), tmp_path / "out", **options), expected)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((3, 3)), "has 3 rows, t.csv has more"),
        (np.ones((5, 3)), "has 5 rows, t.csv has 4"),
        (np.ones((4, 2)), "a column for each of 3 labels"),
        (np.full((4, 3), 2), "expected a mask of 1"),
        (np.full((4, 3), "1"), "expected a mask of 1"),
    ],
)
def test_a_mask_that_does_not_fit(tmp_path, mask, message):
    np.savez(tmp_path / "mask.npz", mask)
    path = table(tmp_path / "t.csv", "-1")
    with pytest.raises(DataError, match=message):
        prepare(path, tmp_path / "out", labels=NAMES, unknown=["-1"], label_mask=tmp_path / "mask.npz")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["csv", "parquet", "npz"])
def test_a_mask_is_written_as_the_options_say_or_as_by_default(tmp_path, form):
    names = ["y_a", "y_b", "y_ß"]
    path = tmp_path / f"t.{form}"
    frame = pd.DataFrame(np.nan_to_num(TRUTH, nan=1.0), columns=names)
    frame.insert(0, "x", FEATURES[:, 0])
    known = pd.DataFrame((~np.isnan(TRUTH)).astype(float), columns=names)
    known.to_csv(tmp_path / "mask.csv", index=False, sep=";", decimal=",", encoding="latin-1")
    known.astype(int).to_csv(tmp_path / "plain.csv", index=False)
    said, options = {"delimiter": ";", "decimal": ",", "encoding": "latin-1"}, {"labels": names}
    if form == "csv":
        frame.to_csv(path, index=False, sep=";", decimal=",", encoding="latin-1")
    elif form == "parquet":
        frame.to_parquet(path, index=False)
    else:
        np.savez(path, X=FEATURES, Y=frame[names].to_numpy(), label_names=np.array(names))
        options = {}
    for mask in ("mask.csv", "plain.csv"):
        check(prepare(path, tmp_path / "out", label_mask=tmp_path / mask, overwrite=True, **options, **said))
    known.to_csv(tmp_path / "mask.csv", index=False, sep="|")
    with pytest.raises(DataError, match=r"mask\.csv:1: .* say --delimiter '\|'"):
        prepare(path, tmp_path / "out", label_mask=tmp_path / "mask.csv", overwrite=True, **options, **said)


def test_options_of_text_are_refused_beside_a_mask_that_is_none(tmp_path):
    np.savez(tmp_path / "t.npz", X=FEATURES, Y=np.nan_to_num(TRUTH), label_names=np.array(NAMES))
    np.savez(tmp_path / "mask.npz", ~np.isnan(TRUTH))
    with pytest.raises(DataError, match="delimiter does not apply to npz files"):
        prepare(tmp_path / "t.npz", tmp_path / "out", label_mask=tmp_path / "mask.npz", delimiter=";")
