"""What new tables say of their labels: by name, unknown where they say nothing, and clear where they cannot be read."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from small_run import write_run

from d2ace.pipeline import predict
from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.from_tables.prepare import prepare

FEATURES, LABELS = ["size", "mass", "price"], ["red", "big", "old", "new"]
TRUTH = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0]])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    home = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, len(FEATURES))).astype(np.float32), columns=FEATURES)
    for place, label in enumerate(LABELS):
        frame[label] = (rng.random(60) < 0.3 + 0.1 * place).astype(int)
    frame.to_csv(home / "all.csv", index=False)
    prepare(home / "all.csv", home / "data", labels=LABELS)
    return write_run(home / "run", home / "data", method="uniform").path


def archive(path, names, labels, **arrays):
    values = {"X": np.ones((len(labels), len(FEATURES))), "feature_names": np.array(FEATURES)}
    named = {} if names is None else {"label_names": np.array(names)}
    np.savez(path, Y=labels, **values, **named, **arrays)
    return path


def known(out):
    """Return what is true and what is unknown of each row, as sets of names; None where nothing is known."""
    rows = pq.read_table(out).to_pydict()
    truth = [None if names is None else set(names) for names in rows["truth"]]
    return truth, [set(names) for names in rows.get("unknown", [()] * len(truth))]


def true_names(places):
    return [{LABELS[place] for place in places if row[place]} for row in TRUTH]


@pytest.mark.parametrize("places", [[0, 1, 2, 3], [3, 1, 0, 2], [2, 0]], ids=str)
def test_labels_of_an_archive_are_found_by_name_and_unknown_where_it_lacks_them(run, tmp_path, places):
    file = archive(tmp_path / "new.npz", [LABELS[place] for place in places], TRUTH[:, places])
    truth, unknown = known(predict(run, file, tmp_path / "out"))
    assert truth == true_names(places)
    assert unknown == [set(LABELS) - {LABELS[place] for place in places}] * len(TRUTH)


def test_labels_of_an_archive_that_the_run_does_not_know_are_left_out_and_told(run, tmp_path, caplog):
    extra = np.ones((len(TRUTH), 2), int)
    file = archive(tmp_path / "new.npz", ["x", *LABELS, "y"], np.hstack([extra[:, :1], TRUTH, extra[:, 1:]]))
    with caplog.at_level("INFO", "d2ace"):
        truth, _ = known(predict(run, file, tmp_path / "out"))
    assert truth == true_names(range(4))
    assert "the run does not know the labels 'x', 'y'; left out" in caplog.text


def test_labels_without_names_count_by_place_where_their_number_agrees(run, tmp_path):
    truth, _ = known(predict(run, archive(tmp_path / "new.npz", None, TRUTH), tmp_path / "out"))
    assert truth == true_names(range(4))
    few = archive(tmp_path / "few.npz", None, TRUTH[:, :3])
    with pytest.raises(DataError, match=r"few.npz: Y has 3 columns, expected 4: add label_names"):
        predict(run, few, tmp_path / "other.csv")
    assert not list(tmp_path.glob("other*"))


def test_a_folder_may_mix_archives_with_and_without_labels_and_text(run, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    np.savez(folder / "a.npz", X=np.ones((2, 3)))
    np.savez(folder / "b.npz", X=np.ones((1, 3)), label_names=np.array(["new", "other"]))
    archive(folder / "c.npz", LABELS[::-1], TRUTH[:, ::-1])
    pd.DataFrame(np.ones((1, 3)), columns=FEATURES).assign(big=1).to_csv(folder / "d.csv", index=False)
    truth, unknown = known(predict(run, folder, tmp_path / "out"))
    assert truth == [None] * 3 + true_names(range(4)) + [{"big"}]
    assert unknown == [set(LABELS)] * 3 + [set()] * 4 + [set(LABELS) - {"big"}]


CELLS = [["", "1", "0.25", "?"], ["nan", "0", "0.5", "yes"], ["", "", "", ""]]
WANTED = [{"big"}, {"old", "new"}, None], [{"red", "new"}, {"red"}, set(LABELS)]


def written(folder, kind, cells):
    """Write a table with such cells of labels."""
    frame = pd.DataFrame(np.ones((len(cells), 3)), columns=FEATURES)
    labels = pd.DataFrame(cells, columns=LABELS)
    path = folder / f"new.{kind}"
    if kind == "csv":
        pd.concat([frame, labels], axis=1).to_csv(path, index=False)
        return path
    labels = labels.replace({"": "nan", "?": "nan", "yes": "1"})
    if kind == "parquet":
        pd.concat([frame, labels.astype(float)], axis=1).to_parquet(path, index=False)
    elif kind == "npz":
        archive(path, LABELS, labels.to_numpy(float))
    else:
        names = [f"@attribute {name} numeric" for name in (*FEATURES, *LABELS)]
        lines = [",".join(["1", "1", "1", *("?" if cell == "nan" else cell for cell in row)]) for row in labels.values]
        path.write_text("\n".join(["@relation new", *names, "@data", *lines]) + "\n")
    return path


@pytest.mark.parametrize("kind", ["csv", "parquet", "npz", "arff"])
def test_a_template_of_labels_may_be_empty_and_hold_soft_and_unknown_ones(run, tmp_path, kind):
    assert known(predict(run, written(tmp_path, kind, CELLS), tmp_path / "out")) == WANTED
    (tmp_path / "empty").mkdir()
    out = predict(run, written(tmp_path / "empty", kind, [[""] * 4] * 2), tmp_path / "nothing")
    assert not {"truth", "unknown"} & set(pq.read_table(out).schema.names)


@pytest.mark.parametrize("kind", ["csv", "parquet", "npz", "arff"])
def test_cells_that_are_no_label_are_told_without_options_that_predict_lacks(run, tmp_path, kind):
    with pytest.raises(DataError, match=r"new\..*is -1(\.0)?, expected a number from 0 to 1$"):
        predict(run, written(tmp_path, kind, [["1", "0", "0", "-1"]]), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == [f"new.{kind}"]


def test_text_that_is_no_label_is_told_by_its_label(run, tmp_path):
    frame = pd.DataFrame(np.ones((2, 3)), columns=FEATURES).assign(red=["", "maybe"])
    frame.to_csv(tmp_path / "new.csv", index=False)
    frame.to_parquet(tmp_path / "new.parquet", index=False)
    frame.assign(red=pd.to_datetime(["2026-01-01", "2026-01-02"])).to_parquet(tmp_path / "dates.parquet", index=False)
    for name, message in (
        ("new.csv", r"new.csv:3: label 'red' is 'maybe', expected 0 or 1, true or false, yes or no$"),
        ("new.parquet", r"label 'red' is 'maybe', expected 0 or 1, true or false, yes or no$"),
        ("dates.parquet", r"column 'red' has type timestamp.*expected numbers"),
    ):
        with pytest.raises(DataError, match=message):
            predict(run, tmp_path / name, tmp_path / "out")
