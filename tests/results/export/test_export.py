"""An exported network says what the run says: in onnxruntime from image files, in torch.export and in transformers."""

import json
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pictures import file_of, smooth
from PIL import Image
from small_backbones import CONFIGS, RESNET
from small_run import write_run

from d2ace.pipeline import cli, models
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.errors import ConfigError, RunError
from d2ace.pipeline.data.from_images.prepare import prepare_images
from d2ace.pipeline.data.scaler import Scaler
from d2ace.pipeline.data.shards import read_labels
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.pipeline.models.api import MultiLabelModel, Output
from d2ace.pipeline.results.export import export
from d2ace.pipeline.results.export.agreement import compare_program
from d2ace.pipeline.results.export.metadata import Facts
from d2ace.pipeline.results.export.network import not_above
from d2ace.pipeline.results.export.samples import samples
from d2ace.pipeline.results.export.transformers_folder import write_transformers
from d2ace.pipeline.runs.decisions import Decisions, calibrated
from d2ace.pipeline.runs.run_data import make_run_data
from d2ace.pipeline.runs.run_folder import RunFolder, save_weights
from d2ace.pipeline.runs.trained_model import TrainedModel
from d2ace.pipeline.runs.trained_run import TrainedRun

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "onnx_predict.py"
NAMES, THRESHOLDS = ["sea", "sky", "tree|s"], [0.3, 0.5, 0.7]
COEFFICIENTS = np.array([[1.2, 0.9, 0.1], [1, 1, 0], [0.8, 0.8, -0.2]])
NEAR = 0.02
"""Probabilities of a photograph that Pillow and the run's own decoder resized differ by less."""


@pytest.fixture(scope="module")
def photographs(tmp_path_factory) -> list[Path]:
    """Twenty photographs of all sizes, turned, grey and PNG ones among them, beside ``labels.csv``."""
    folder, rng = tmp_path_factory.mktemp("photographs"), np.random.default_rng(3)
    lines = ["name," + ",".join(NAMES)]
    for number in range(20):
        height, width = (int(side) for side in rng.integers(40, 300, 2))
        exif = Image.Exif()
        exif[0x0112] = 6 if number % 3 == 2 else 1
        kind = "PNG" if number % 5 == 3 else "JPEG"
        path = folder / f"{number:02}.{kind.lower()}"
        pixels = smooth(height, width, 1 if number % 7 == 1 else 3, seed=number)
        path.write_bytes(file_of(pixels, kind, exif=exif))
        lines.append(f"{path.name}," + ",".join(map(str, rng.integers(0, 2, len(NAMES)))))
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return sorted(folder.glob("*.*g"))


@pytest.fixture(scope="module")
def run(photographs, tmp_path_factory) -> RunFolder:
    """A run of a small Swin with shifted windows; it was never trained, but its head is sure of itself."""
    out = tmp_path_factory.mktemp("run")
    manifest = prepare_images(photographs[0].parent / "labels.csv", out / "data", format="image-csv")
    settings = {"architecture": "swin", "config": CONFIGS["swin"] | {"depths": [2], "num_heads": [2]}}
    values = {
        "data": {"path": str(out / "data"), "scale": "imagenet"},
        "images": {"size": 24, "centre_share": 0.9},
        "model": {"name": "huggingface", "options": settings},
    }
    folder = RunFolder.create(out / "photographs-run", Config.make(values))
    data = make_run_data(Config.make(values), read_labels(manifest), ShardRows(manifest))
    folder.data.save(data)
    torch.manual_seed(1)
    weights = models.create("huggingface", data.context, **settings).state_dict()
    weights["head.linear.weight"] *= 30
    save_weights(folder.weights, weights)
    folder.write_metrics([{"epoch": 0, "macro_auc": 0.75}])
    folder.write_result({"best_epoch": 0, "best_value": 0.75, "test": {"macro_auc": 0.625}, "epochs": 1})
    Decisions(tuple(NAMES), np.array(THRESHOLDS), COEFFICIENTS, 0, {"rule": "f1"}).save(folder)
    return folder


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory) -> Path:
    pytest.importorskip("onnxscript", reason="pip install 'd2ace[export]'")
    out = tmp_path_factory.mktemp("exported") / "out"
    assert cli.main(["export", str(run.path), str(out)]) == 0
    return out


def test_image_files_get_the_labels_of_predict_in_onnxruntime(exported, run, photographs, tmp_path, capsys):
    assert cli.main(["predict", str(run.path), str(photographs[0].parent), str(tmp_path / "own.csv")]) == 0
    own = pd.read_csv(tmp_path / "own.csv").set_index("path").loc[[path.name for path in photographs]]
    example = runpy.run_path(str(EXAMPLE))
    names, probabilities, labels = example["predict"](exported, photographs)
    expected = own[NAMES].to_numpy()
    assert names == NAMES
    np.testing.assert_allclose(probabilities, expected, atol=NEAR)
    clear = np.abs(expected - np.diag(calibrated(np.diag(THRESHOLDS), COEFFICIENTS))) > NEAR
    assert clear.mean() > 0.8
    given = np.array([[name in found.split(";") for name in NAMES] for found in own["labels"].fillna("")])
    assert (labels == given)[clear].all()
    assert 0.1 < labels.mean() < 0.9
    example["main"]([str(exported), *map(str, photographs)])
    assert capsys.readouterr().out.count("sky ") == labels[:, 1].sum()


def test_both_formats_carry_labels_thresholds_calibration_and_preprocessing(exported):
    about = json.loads((exported / "metadata.json").read_text())
    assert [label["name"] for label in about["labels"]] == NAMES
    assert [label["raw_threshold"] for label in about["labels"]] == THRESHOLDS
    shown = [label["threshold"] for label in about["labels"]]
    np.testing.assert_allclose(shown, calibrated(np.array(THRESHOLDS), COEFFICIENTS))
    assert about["thresholds"] == {"rule": "f1"}
    assert (about["opset"], about["input"]["shape"]) == (18, ["batch", 3, 24, 24])
    steps = about["preprocessing"]
    assert (steps["height"], steps["width"], steps["fit"], steps["centre_share"]) == (24, 24, "crop", 0.9)
    import onnx

    model = onnx.load(exported / "model.onnx")
    assert json.loads({entry.key: entry.value for entry in model.metadata_props}["d2ace"]) == about
    assert model.opset_import[0].version == 18
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    extra = {"d2ace": ""}
    torch.export.load(exported / "model.pt2", extra_files=extra)
    assert json.loads(extra["d2ace"]) == about


def test_transformers_loads_the_whole_network(exported, run):
    from transformers import AutoModelForImageClassification

    loaded = AutoModelForImageClassification.from_pretrained(exported / "transformers").eval()
    assert loaded.config.id2label == dict(enumerate(NAMES))
    scaled = torch.randn(3, 3, 24, 24)
    with torch.no_grad():
        found = torch.sigmoid(loaded(pixel_values=scaled).logits)
    own = torch.sigmoid(TrainedModel(TrainedRun.open(run.path), torch.device("cpu")).logits(scaled))
    torch.testing.assert_close(found, own, rtol=1e-3, atol=1e-4)
    scaling = json.loads((exported / "transformers" / "preprocessor_config.json").read_text())
    assert scaling["image_mean"] == [0.485, 0.456, 0.406]


def test_a_resnet_with_statistics_of_its_own_is_one_of_transformers(tmp_path):
    """Batch normalisation of this project computes in evaluation what transformers' own does; groups do not."""
    pytest.importorskip("transformers", reason="pip install 'd2ace[vision]'")
    context, scaler = models.ModelContext(3, (3, 24, 24), (5, 3, 9), 20), Scaler.of_images("imagenet", 3)
    pixels = torch.randint(0, 256, (3, 3, 24, 24), dtype=torch.uint8)
    for batch_norm, said in (("batch", "is the whole network"), ("group", "no transformers/ folder: .* GroupNorm")):
        network = models.create("huggingface", context, architecture="resnet", config=RESNET, batch_norm=batch_norm)
        found = write_transformers(network.eval(), tuple(NAMES), scaler, pixels, tmp_path / batch_norm)
        assert re.search(said, found)
        assert (tmp_path / batch_norm).exists() == (batch_norm == "batch")


def test_the_card_says_what_the_run_knows(exported, run):
    card = (exported / "README.md").read_text()
    for said in ("| `macro_auc` | 0.7500 | 0.6250 |", "`tree\\|s`", "| test | 4 |", "| 0.3 |", "tolerance 1e-04"):
        assert said in card
    assert str(run.path.parent) not in card
    assert card.startswith("---\nlibrary_name: onnx\n")


def test_nothing_is_overwritten(exported, run):
    with pytest.raises(RunError, match="exists already"):
        export(run.path, exported)


def test_a_file_that_says_something_else_is_refused(exported, run):
    inputs = samples(TrainedRun.open(run.path), None).inputs[:9]
    wrong = np.full((9, len(NAMES)), 0.5, np.float32), np.zeros((9, len(NAMES)), bool)
    with pytest.raises(RunError, match="does not agree with the run's own, nothing was written"):
        compare_program(exported / "model.pt2", inputs, wrong)


class Fickle(MultiLabelModel):
    """Looks at a number, and goes on as it says: no graph can hold that."""

    name = "fickle"

    def __init__(self, context):
        super().__init__(context)
        self.linear = torch.nn.Linear(context.input_shape[0], context.n_labels)

    def forward(self, features, labels=None):
        logits = self.linear(features)
        return Output(logits if features.sum().item() > 0 else -logits)


@pytest.fixture
def fickle(table, tmp_path):
    run = write_run(tmp_path / "run", table, method="uniform")
    place = f"{__name__}:Fickle"
    Config.make(Config.load(run.config).model_dump() | {"model": {"name": place}}).save(run.config)
    save_weights(run.weights, models.create(place, run.data.load().context).state_dict())
    return run


def test_a_network_that_cannot_be_exported_is_refused_before_anything_is_written(fickle, tmp_path):
    pytest.importorskip("onnxscript", reason="pip install 'd2ace[export]'")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ConfigError, match=r"network '.*Fickle' cannot be exported, nothing was written: .*data-dep"):
        export(fickle.path, tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == before


def test_without_the_packages_it_says_what_to_install(fickle, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConfigError, match=r"pip install 'd2ace\[export\]'"):
        export(fickle.path, tmp_path / "out")


def test_a_table_is_scaled_inside(table, tmp_path):
    opened = TrainedRun.open(write_run(tmp_path / "run", table, method="uniform").path)
    model, scaler = TrainedModel(opened, torch.device("cpu")), opened.data.scaler
    raw = samples(opened, None).inputs
    probabilities, labels = Facts(opened, None, None).deployed(model.network)(raw)
    expected = torch.sigmoid(model.logits(torch.from_numpy(scaler.transform(raw.numpy()))))
    torch.testing.assert_close(probabilities, expected)
    assert torch.equal(labels, probabilities > 0.5)


def test_a_probability_is_above_a_rounded_threshold_when_it_is_above_the_threshold():
    thresholds = np.random.default_rng(0).random(2000)
    rounded = not_above(thresholds)
    assert rounded.dtype == np.float32
    assert (rounded <= thresholds).all()
    assert (np.nextafter(rounded, np.float32(1)) > thresholds).all()
