"""Predictions that are written into a bucket, and tables that are read from one."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from small_run import write_run

from d2ace.pipeline import predict
from d2ace.pipeline.cli import main
from d2ace.pipeline.common.errors import DataError, RunError
from d2ace.pipeline.common.storage import folder_lock
from d2ace.pipeline.common.storage.any_path import any_path, fetched, fetched_folder
from d2ace.pipeline.data import digit_scenes
from d2ace.pipeline.data.from_tables.prepare import prepare
from d2ace.pipeline.results.prediction import predictor


@pytest.fixture
def service(bucket, monkeypatch):
    monkeypatch.setattr(folder_lock, "SETTLE_S", 0.0)
    return bucket


def rows(folder):
    """Return the rows of a folder of Parquet files, in the order of their ids."""
    with fetched_folder(any_path(folder)) as files:
        table = pa_table(sorted(files.glob("part-*.parquet")))
    return table.to_pylist()


def pa_table(files):
    return pq.ParquetDataset(files).read()


def test_a_folder_of_predictions_goes_on_in_a_bucket_and_is_whole_with_its_labels(service, tmp_path, monkeypatch):
    data = digit_scenes.build(tmp_path / "digits", rows=100).folder
    run = write_run(tmp_path / "run", data, method="uniform").path
    out, wanted = service.address("b/predicted/one"), tmp_path / "out"
    predict(run, data, wanted, page=5)
    made, call = [], predictor.Predictor.__call__

    def killed(self, piece):
        made.append(piece.number)
        if len(made) == 1:
            raise KeyboardInterrupt
        return call(self, piece)

    monkeypatch.setattr(predictor.Predictor, "__call__", killed)
    with pytest.raises(KeyboardInterrupt):
        predict(run, data, out, page=5)
    assert any_path(out).files() == {}  # nothing was done: nothing is left
    service.fail("PutObject", "busy", 3)
    predict(run, data, out, page=5)
    assert rows(out) == rows(wanted)
    found = any_path(out).files()
    assert set(found) == {path.relative_to(wanted).as_posix() for path in wanted.rglob("*") if path.is_file()}
    assert sum("thumbnails" in name for name in found) == 5
    assert [key for key in service.written if not key.endswith((".lock", "/"))][-1] == "predicted/one/_labels.json"
    with pytest.raises(RunError, match="exists already"):
        predict(run, data, out)
    (any_path(service.address("b/others")) / "letter").write(b"")
    with pytest.raises(DataError, match="holds pieces of a prediction with other options"):
        predict(run, data, service.address("b/others"))


def test_tables_in_a_bucket_are_predicted_into_a_file_there(service, tmp_path, capsys):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, 3)).round(3), columns=["a", "b", "c"])
    frame.assign(y=(frame["a"] > 0).astype(int), z=(frame["b"] > 0).astype(int)).to_csv(tmp_path / "t.csv", index=False)
    data = prepare(tmp_path / "t.csv", tmp_path / "data", labels=["y", "z"]).folder
    run = write_run(tmp_path / "run", data, method="uniform").path
    frame[["c", "a", "b"]].assign(who=[f"r{place}" for place in range(40)]).to_csv(tmp_path / "new.csv", index=False)
    any_path(service.address("b/new.csv")).write(tmp_path / "new.csv")
    command = ["predict", str(run), "--id-column", "who"]
    source, out = service.address("b/new.csv"), service.address("b/predicted.csv")
    assert (
        main([*command, source, out]) == 0 and main([*command, str(tmp_path / "new.csv"), str(tmp_path / "o.csv")]) == 0
    )
    assert f"predictions: {out}\n" in capsys.readouterr().out
    with fetched(any_path(out)) as file:
        assert file.read_text() == (tmp_path / "o.csv").read_text()
    assert set(any_path(service.address("b")).files()) == {"new.csv", "predicted.csv", "predicted.labels.json"}
    any_path(source).write(b"a,b,c,who\n1,2,x,r0\n")
    assert main([*command, source, service.address("b/again.csv")]) == 2
    assert "s3://b/new.csv:2: column 'c' is 'x', expected a number" in capsys.readouterr().err
    assert not any(name.startswith("again") for name in any_path(service.address("b")).files())
