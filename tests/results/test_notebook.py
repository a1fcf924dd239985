"""A run as frames and pictures."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from small_run import write_run
from small_table import write_table

from d2ace.pipeline import Run, evaluate
from d2ace.pipeline.common.errors import ConfigError, RunError
from d2ace.pipeline.training.metrics import evaluate_predictions

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "quickstart.ipynb"


@pytest.fixture(scope="module")
def run(digit_run):
    return Run.load(digit_run)


def test_metrics_are_those_of_the_epochs(run, digit_run):
    records = [json.loads(line) for line in (digit_run / "metrics.jsonl").read_text().splitlines()]
    assert list(run.metrics.index) == [1, 2] and run.metrics.index.name == "epoch"
    assert run.metrics["macro_auc"].tolist() == [record["macro_auc"] for record in records]
    assert run.test == json.loads((digit_run / "result.json").read_text())["test"]


def test_draws_are_those_of_the_order_files(run, digit_run):
    for epoch in (1, 2):
        order = np.load(digit_run / "order" / f"epoch-{epoch - 1:05d}.npy")
        rows, counts = np.unique(order, return_counts=True)
        drawn = run.draws[epoch][run.draws[epoch] > 0]
        assert drawn.index.tolist() == rows.tolist() and drawn.tolist() == counts.tolist()


def test_predictions_and_truth_give_the_metrics_of_the_run(run):
    predicted, truth = run.predictions("test"), run.truth("test")
    assert predicted.shape == truth.shape and list(predicted.columns) == list(run.labels.index)
    found = evaluate_predictions(predicted.to_numpy(), truth.to_numpy(np.float32))
    assert found["macro_auc"] == pytest.approx(run.test["macro_auc"], abs=1e-6)
    assert found["macro_auc"] == pytest.approx(evaluate(run.folder)["macro_auc"])


def test_labels_are_counted_in_each_split_and_judged(run):
    for split in ("train", "validation", "test"):
        rows = run.truth(split) == 1
        assert run.labels[f"{split}_positives"].tolist() == rows.sum().tolist()
    assert run.labels["average_precision"].mean() == pytest.approx(run.test["map"], abs=1e-5)
    drawn = run.draws.sum(axis=1)
    expected = drawn.mean() * run.labels["train_positives"]
    seen = run.truth("train").mul(drawn, axis=0).sum()
    np.testing.assert_allclose(run.labels["exposure"], seen / expected, rtol=1e-6)


def test_pictures_are_svg_in_plain_colours(run, tmp_path):
    pictures = [run.plot_metrics(), run.plot_metrics("macro_auc", "map"), run.plot_draws(), run.plot_labels()]
    for picture in [*pictures, run.plot_labels("exposure")]:
        saved = picture.save(tmp_path / "picture.svg").read_text()
        assert saved == picture._repr_svg_()
        assert ElementTree.fromstring(saved).tag == "{http://www.w3.org/2000/svg}svg" and "var(--" not in saved
    with pytest.raises(ConfigError, match="the run has no 'macro_acu'; did you mean 'macro_auc'"):
        run.plot_metrics("macro_acu")
    with pytest.raises(ConfigError, match="labels have no 'exposur'; did you mean 'exposure'"):
        run.plot_labels("exposur")


def test_a_cell_shows_a_few_lines(run):
    shown = run._repr_html_()
    assert "finished, 2 of 2 epochs" in shown and "small-cnn" in shown and f"{run.test['macro_auc']:.4f}" in shown
    assert len(shown) < 1000


def test_a_run_that_is_not_finished_has_what_it_has(tmp_path):
    folder = write_run(tmp_path / "cut", write_table(tmp_path / "table"), finished=False).path
    cut = Run.load(folder)
    assert cut.test == {} and cut.labels["average_precision"].isna().all() and cut.labels["exposure"].notna().any()
    assert "stopped, " in cut._repr_html_()
    with pytest.raises(RunError, match="not a run folder"):
        Run.load(tmp_path)


def test_the_example_is_plain_and_without_results():
    cells = json.loads(EXAMPLE.read_text())["cells"]
    assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []
    assert any("Run.load" in "".join(cell["source"]) for cell in cells)
