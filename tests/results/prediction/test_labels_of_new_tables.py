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
