"""New rows of a table predicted without being prepared: columns by name, whatever their order and format."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from small_run import write_run

from d2ace.pipeline import predict
from d2ace.pipeline.cli import main
from d2ace.pipeline.common.errors import ConfigError, DataError
from d2ace.pipeline.data.from_tables.prepare import prepare
from d2ace.pipeline.results.prediction.new_tables import TableOptions
from d2ace.pipeline.results.prediction.output import Output
from d2ace.pipeline.runs.trained_run import TrainedRun

FEATURES, LABELS = ["size", "mass", "price", "age"], ["red", "id", "big"]


def rows(count, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(count, len(FEATURES))).astype(np.float32), columns=FEATURES)
    for place, label in enumerate(LABELS):
        frame[label] = (frame[FEATURES[place]] > 0.3).astype(int)
    return frame


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    home = tmp_path_factory.mktemp("tables")
    rows(120).to_csv(home / "all.csv", index=False)
    prepare(home / "all.csv", home / "data", labels=LABELS)
    return write_run(home / "run", home / "data", method="uniform")


@pytest.fixture(scope="module")
def new():
    return rows(9, seed=1)


@pytest.fixture(scope="module")
def expected(run, new, tmp_path_factory):
    """What the same rows give, prepared."""
    home = tmp_path_factory.mktemp("expected")
    new.to_csv(home / "new.csv", index=False)
    data = prepare(home / "new.csv", home / "data", labels=LABELS).folder
    return np.stack(pq.read_table(predict(run.path, data, home / "out"))["probabilities"].to_pylist())


def probabilities(path):
    return np.stack(pq.read_table(path)["probabilities"].to_pylist())


def arff(frame):
    head = [f"@attribute {name} numeric" for name in frame.columns]
    return "\n".join(["@relation new", *head, "@data", *(",".join(map(str, row)) for row in frame.to_numpy())]) + "\n"


def write_as(kind, frame, folder):
    path = folder / f"new.{kind}"
    if kind == "parquet":
        frame.to_parquet(path, index=False)
    elif kind == "npz":
        np.savez(path, X=frame.to_numpy(), feature_names=np.array(list(frame.columns)))
    elif kind == "arff":
        path.write_text(arff(frame))
    else:
        frame.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet", "arff", "npz"])
def test_columns_are_found_by_name_and_surplus_ones_left_out_and_told(run, new, expected, tmp_path, caplog, kind):
    frame = new[FEATURES[::-1]].assign(extra=7.0)
    with caplog.at_level("INFO", "d2ace"):
        out = predict(run.path, write_as(kind, frame, tmp_path), tmp_path / "out")
    np.testing.assert_allclose(probabilities(out), expected, rtol=1e-5)
    assert "column 'extra' was not in the run's data; left out" in caplog.text
    assert "another order; read by their names" in caplog.text
    names = pq.read_table(out).schema.names
    assert "truth" not in names and "split" not in names and {"p(id)", "red", "big"} <= set(names)


def test_names_of_rows_known_labels_and_splits_come_along(run, new, expected, tmp_path):
    frame = new.drop(columns="big").assign(who=[f"row {number}" for number in range(9)], part=["test"] * 4 + [""] * 5)
    source = write_as("csv", frame, tmp_path)
    assert main(["predict", str(run.path), str(source), str(tmp_path / "o.csv"), "--id-column", "who",
                 "--split-column", "part"]) == 0  # fmt: skip
    found = pd.read_csv(tmp_path / "o.csv", keep_default_na=False)
    assert found["name"].tolist() == frame["who"].tolist() and found["split"].tolist() == frame["part"].tolist()
    for row, line in zip(new.itertuples(), found.itertuples(), strict=True):
        assert line.truth.split(";") == ([name for name in ("red", "id") if getattr(row, name)] or [""])
        assert line.unknown == "big"
    assert found["red"].to_numpy() == pytest.approx(expected[:, 0], abs=1e-6)


def test_a_folder_of_tables_is_read_in_the_order_of_their_names(run, new, expected, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    new[FEATURES][:4].to_csv(folder / "a.csv", index=False)
    new[["age", *FEATURES[:3]]][4:].to_parquet(folder / "b.parquet", index=False)
    for source in (folder, folder.as_uri()):
        out = predict(run.path, source, tmp_path / f"out{len(str(source))}.parquet")
        np.testing.assert_allclose(probabilities(out), expected, rtol=1e-5)


def truths(path):
    table = pq.read_table(path)
    return table["truth"].to_pylist(), table["unknown"].to_pylist() if "unknown" in table.schema.names else None


@pytest.mark.parametrize("kind", ["csv", "parquet", "npz", "arff"])
def test_cells_of_labels_may_be_empty_or_soft(run, new, expected, tmp_path, kind):
    frame = new.astype({"red": float, "id": float})
    frame.loc[0, ["red", "id"]] = [np.nan, 0.75]
    if kind == "npz":
        np.savez(tmp_path / "new.npz", X=frame[FEATURES], Y=frame[LABELS], label_names=LABELS, feature_names=FEATURES)
    elif kind == "arff":
        (tmp_path / "new.arff").write_text(arff(frame.astype(object).where(frame.notna(), "?")))
    else:
        write_as(kind, frame, tmp_path)
    out = predict(run.path, tmp_path / f"new.{kind}", tmp_path / "out")
    np.testing.assert_allclose(probabilities(out), expected, rtol=1e-5)
    found, unknown = truths(out)
    assert "id" in found[0] and "red" not in found[0] and unknown[0] == ["red"] and unknown[1] == []


def test_a_feature_may_name_the_rows(run, new, expected, tmp_path):
    out = predict(
        run.path, write_as("csv", new[FEATURES], tmp_path), tmp_path / "out", tables=TableOptions(id_column="age")
    )
    np.testing.assert_allclose(probabilities(out), expected, rtol=1e-5)
    assert [float(name) for name in pq.read_table(out)["name"].to_pylist()] == pytest.approx(new["age"].tolist())


def test_missing_columns_and_bad_cells_are_told_and_leave_nothing(run, new, tmp_path):
    lacking = write_as("csv", new[FEATURES].rename(columns={"price": "prize"}), tmp_path)
    with pytest.raises(DataError, match=r"lacks 'price', which the run run was trained on; did you mean 'prize'"):
        predict(run.path, lacking, tmp_path / "out")
    bad = write_as("csv", new[FEATURES].astype(object).replace(new["age"][3], "old"), tmp_path)
    with pytest.raises(DataError, match=r"new.csv:5: column 'age' is 'old', expected a number"):
        predict(run.path, bad, tmp_path / "out")
    plain = tmp_path / "plain.npz"
    np.savez(plain, X=np.zeros((2, 3)))
    with pytest.raises(DataError, match="has 3 features, the run run was trained on 4"):
        predict(run.path, plain, tmp_path / "out")
    with pytest.raises(ConfigError, match="the rows of a table have none"):
        predict(run.path, write_as("csv", new[FEATURES], tmp_path), tmp_path / "out", page=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.csv", "plain.npz"]


def test_a_run_of_an_older_version_finds_its_columns_in_its_data(run, new, expected, tmp_path, monkeypatch):
    from dataclasses import replace

    opened = TrainedRun.open(run.path)
    older = replace(opened, data=replace(opened.data, feature_names=None))
    monkeypatch.setattr("d2ace.pipeline.results.prediction.open_to_score", lambda _: older)
    source = write_as("csv", new[FEATURES[::-1]], tmp_path)
    np.testing.assert_allclose(probabilities(predict(run.path, source, tmp_path / "out")), expected, rtol=1e-5)


def test_a_column_of_a_label_may_name_the_rows(run, new, tmp_path):
    new.to_csv(tmp_path / "new.csv", index=False)
    predict(run.path, tmp_path / "new.csv", tmp_path / "o.csv", tables=TableOptions(id_column="id"))
    assert pd.read_csv(tmp_path / "o.csv")["name"].tolist() == new["id"].tolist()


def test_a_folder_is_predicted_through_a_link_to_nothing(tmp_path):
    (tmp_path / "link").symlink_to("big/rows")
    output = Output.of(tmp_path / "link")
    assert output.target == tmp_path / "big" / "rows" and output.parts == tmp_path / "big" / "rows.partial"
    (tmp_path / "file").symlink_to("big/rows.csv")
    assert Output.of(tmp_path / "file").is_file
