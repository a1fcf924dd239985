"""New images predicted without being prepared: as after ``prepare``, bad ones told, and going on after a kill."""

import csv
import json
import os
import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from buckets import bucket
from image_files import encode, jpeg, picture, write
from page_reader import Page
from small_run import write_run

from d2ace.pipeline import predict
from d2ace.pipeline.cli import main
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.errors import ConfigError, DataError, RunError
from d2ace.pipeline.data.from_images.prepare import prepare_images
from d2ace.pipeline.results import prediction
from d2ace.pipeline.results.prediction.new_images import image_pieces
from d2ace.pipeline.results.prediction.new_tables import TableOptions
from d2ace.pipeline.results.prediction.output import Output
from d2ace.pipeline.results.prediction.predictor import Predictor
from d2ace.pipeline.results.prediction.source import open_source
from d2ace.pipeline.runs.run_folder import RunFolder, save_weights
from d2ace.pipeline.runs.trained_run import TrainedRun, open_to_score

BAD = {"a/broken.jpg": b"no image", "cut.png": encode(picture(9), "PNG")[:60], "empty.jpg": b""}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    home = tmp_path_factory.mktemp("images")
    for number in range(40):
        write(home, f"images/{number}.jpg", jpeg(number, size=(32, 32)))
    lines = [f"images/{number}.jpg,{number % 2},{number % 3 // 2}" for number in range(40)]
    write(home, "labels.csv", "\n".join(["path,red,7", *lines]) + "\n")
    prepare_images(home, home / "data", format="image-csv", files="labels.csv", labels=["red", "7"], quiet=True)
    torch.manual_seed(0)
    run = write_run(home / "run", home / "data", method="uniform")
    Config.load(run.config, ["images.size=[32, 32]", "images.threads=1"]).save(run.config)
    return run


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Seventy images of many kinds and sizes, so that there are two pieces, and three bad ones."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(64):
        write(folder, f"a/{number:03d}.jpg", jpeg(number, size=(20 + number, 30)))
    for number, mode in enumerate(("L", "RGBA", "P", "RGB", "LA", "CMYK")):
        kind = "JPEG" if mode == "CMYK" else "PNG"
        write(folder, f"b {number}.{kind.lower()}", encode(picture(number, mode=mode), kind))
    for name, content in BAD.items():
        write(folder, name, content)
    write(folder, "notes.txt", "no image")
    return folder


def read(path):
    return pq.read_table(path).to_pandas().set_index("path")


@pytest.fixture(scope="module")
def predicted(run, photos, tmp_path_factory):
    return predict(run.path, photos, tmp_path_factory.mktemp("predicted") / "out", page=60)


def test_images_are_predicted_as_after_prepare(run, photos, predicted, tmp_path):
    names = sorted(str(path.relative_to(photos)) for path in photos.rglob("*.*") if path.suffix != ".txt")
    table = pd.DataFrame({"path": [name for name in names if name not in BAD]})
    table.to_csv(tmp_path / "paths.csv", index=False)
    manifest = prepare_images(
        tmp_path, tmp_path / "prepared", format="image-csv", files="paths.csv", images=str(photos), quiet=True
    )
    prepared = pq.read_table(predict(run.path, manifest.folder, tmp_path / "out")).to_pandas()
    rows = read(predicted)
    assert rows.index.tolist() == table["path"].tolist() and (np.diff(rows["id"]) > 0).all()
    found, expected = (np.stack(each["probabilities"]) for each in (rows, prepared))
    plain = ~rows.index.str.contains("jpeg")  # prepare writes a CMYK image anew, with the losses of a JPEG
    np.testing.assert_allclose(found[plain], expected[plain], rtol=1e-4, atol=1e-6)
    assert np.isfinite(found).all()


def test_bad_images_are_counted_listed_and_told(run, photos, predicted, tmp_path, capsys):
    listed = list(csv.DictReader((predicted / "_unreadable.csv").open()))
    assert sorted(line["path"] for line in listed) == sorted(BAD) and all(line["reason"] for line in listed)
    assert json.loads((predicted / "_labels.json").read_text())["unreadable"] == len(BAD)
    assert main(["predict", str(run.path), str(photos), str(tmp_path / "rows.csv"), "--top", "2"]) == 0
    told = capsys.readouterr()
    assert f"{len(BAD)} of {70 + len(BAD)} images cannot be read" in told.err and "1 other file" in told.err
    rows, whole = pd.read_csv(tmp_path / "rows.csv", keep_default_na=False, dtype={"labels": str}), read(predicted)
    assert rows["path"].tolist() == whole.index.tolist() and (tmp_path / "rows.unreadable.csv").is_file()
    assert [row.split(";") for row in rows["top"]] == [list(top[:2]) for top in whole["top"]]
    assert rows["7"].to_numpy() == pytest.approx(whole["7"].to_numpy(), abs=1e-6)


def test_a_bucket_is_a_source(run, photos, predicted, tmp_path):
    with bucket(photos.parent) as port:
        address = f"s3://anonymous@b/{photos.name}?scheme=http&endpoint_override=127.0.0.1:{port}&region=us-east-1"
        rows = read(predict(run.path, address, tmp_path / "out"))
    assert rows.equals(read(predicted))
    assert (tmp_path / "out" / "_unreadable.csv").read_text() == (predicted / "_unreadable.csv").read_text()


def test_no_readable_image_is_an_error_that_leaves_nothing(run, tmp_path):
    write(tmp_path, "in/bad.jpg", b"")
    with pytest.raises(DataError, match=r"none of 1 images can be read: bad.jpg: empty"):
        predict(run.path, tmp_path / "in", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_killed_prediction_goes_on(run, photos, predicted, tmp_path, monkeypatch, caplog):
    done, call = [], Predictor.__call__

    def killed(self, piece):
        if done:
            raise KeyboardInterrupt
        done.append(piece.number)
        return call(self, piece)

    monkeypatch.setattr(Predictor, "__call__", killed)
    with pytest.raises(KeyboardInterrupt) as stopped:
        predict(run.path, photos, tmp_path / "out", page=60)
    assert "go on with: d2ace predict" in stopped.value.__notes__[0]
    (tmp_path / "out.partial" / ".work-left").write_bytes(b"half a part")
    with pytest.raises(DataError, match="pieces of a prediction with other options"):
        predict(run.path, photos, tmp_path / "out", top=3)
    again = []
    monkeypatch.setattr(Predictor, "__call__", lambda self, piece: again.append(piece.number) or call(self, piece))
    with caplog.at_level("INFO", "d2ace"):
        assert read(predict(run.path, photos, tmp_path / "out", page=60)).equals(read(predicted))
    assert (done, again) == ([0], [1]) and "1 of 2 parts" in caplog.text
    files = [sorted(path.relative_to(out) for path in out.rglob("*")) for out in (predicted, tmp_path / "out")]
    assert files[0] == files[1] and not (tmp_path / "out.partial").exists()


def begun_fingerprint(run, source, tmp_path):
    """Return what a prediction into a folder of its own goes on by."""
    opened = open_to_score(run.path)
    found, output = open_source(source, opened), Output.of(tmp_path / "out")
    return prediction._fingerprint(opened, prediction._job(opened, found, output, 5, None, 0), found, TableOptions())


def test_other_files_or_weights_are_another_prediction(run, photos, tmp_path):
    here, copied = tmp_path / "in", RunFolder(tmp_path / "run")
    shutil.copytree(photos, here)
    shutil.copytree(run.path, copied.path)
    first = begun_fingerprint(copied, here, tmp_path)
    assert begun_fingerprint(copied, here, tmp_path) == first
    changed = next(path for path in here.rglob("*.jpg"))
    os.utime(changed, ns=(1, 1))  # of the same size
    second = begun_fingerprint(copied, here, tmp_path)
    weights = {name: value + 1 for name, value in TrainedRun.open(copied.path).weights().items()}
    save_weights(copied.weights, weights)  # of the same epoch
    assert len({first, second, begun_fingerprint(copied, here, tmp_path)}) == 3


def test_the_page_shows_each_image_with_its_labels(run, predicted):
    page = (predicted / "_page" / "index.html").read_text()
    assert not Page(page).problems
    rows = read(predicted)
    shown = rows[rows["id"] < 60]
    assert page.count('class="row"') == len(shown) == len(list((predicted / "_page" / "thumbnails").iterdir()))
    assert f"{len(rows) - len(shown)} rows more have no thumbnail" in page
    first = page[page.index('class="row"') :].partition("</figure>")[0]
    assert shown.index[0] in first and 'src="thumbnails/0000000.jpg"' in first
    assert first.count("data-decided") == len(shown["labels"].iloc[0])
    assert "a/broken.jpg" in page


def test_what_cannot_be_predicted_is_told(run, photos, tmp_path):
    write(tmp_path, "in/rows.csv", "a,b\n1,2\n")
    for source, message in (
        (tmp_path / "in", r"trained on images .*none is one|the file there is none; .*image-csv"),
        (tmp_path / "nowhere", "there is no such file or folder"),
    ):
        with pytest.raises(DataError, match=message):
            predict(run.path, source, tmp_path / "out")
    with pytest.raises(RunError, match="exists already"):
        predict(run.path, photos, photos)
    with pytest.raises(ConfigError, match=r"NAME.csv, NAME.parquet, or into a folder"):
        predict(run.path, photos, tmp_path / "out.json")
    with pytest.raises(ConfigError, match="threshold must be"):
        predict(run.path, photos, tmp_path / "out", threshold=1.5)


def test_pieces_hold_every_image_once_in_order():
    for count in (1, 64, 65, 5000, 200_000):
        names = [str(number) for number in range(count)]
        pieces = image_pieces(names)
        assert [name for piece in pieces for name in piece.images] == names
        assert [piece.first for piece in pieces] == list(np.cumsum([0, *(piece.rows for piece in pieces)])[:-1])
        assert len(pieces) <= max(64, count // 1024 + 1)
