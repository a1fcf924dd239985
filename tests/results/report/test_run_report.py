"""What the report of a run says is what lies in the run folder, computed here once more, slowly."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from page_reader import Page
from sklearn.metrics import average_precision_score
from small_run import BEST, EPOCHS, write_run

from d2ace.pipeline import fit
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.errors import ConfigError, RunError
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_features, read_labels
from d2ace.pipeline.results.report import report
from d2ace.pipeline.results.report.entries_section import gate_sentence
from d2ace.pipeline.results.report.label_precision import label_precision
from d2ace.pipeline.results.report.labels import exposure
from d2ace.pipeline.results.report.pages_section import pages_section
from d2ace.pipeline.results.report.run_source import RunSource
from d2ace.pipeline.results.report.selection import branch_shares, draw_shares
from d2ace.pipeline.runs.trained_model import TrainedModel
from d2ace.pipeline.runs.trained_run import TrainedRun
from d2ace.pipeline.training.metrics import HIGHER_IS_BETTER, METRICS


def records(run) -> list[dict]:
    return [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]


def cards(source: str) -> dict[str, str]:
    start = source.index('<dl class="cards">')
    block = source[start : source.index("</dl>", start)]
    parts = [part.split("</dt><dd>") for part in block.split("<dt>")[1:]]
    return {name: rest.split("</dd>")[0] for name, rest in parts}


def copied(run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run.path, tmp_path / "copy"))


def test_every_metric_is_there(run, page):
    test = json.loads((run.path / "result.json").read_text())["test"]
    validation = records(run)[BEST]
    head, *rows = page.tables[f"Metrics of the best epoch, {BEST + 1} (↑ higher is better)"]
    assert head == ["metric", "validation", "test"]
    better = {name: "↑" if HIGHER_IS_BETTER[name] else "↓" for name in METRICS}
    assert rows == [[f"{name} {better[name]}", f"{validation[name]:.4f}", f"{test[name]:.4f}"] for name in METRICS]


def test_every_epoch_is_there(run, page):
    shown = page.column("Training loss and validation metrics", "macro_f1")
    assert shown == {str(record["epoch"] + 1): f"{record['macro_f1']:.4f}" for record in records(run)}
    assert page.column("Training loss and validation metrics", "train loss")["3"] == "0.5000"


def test_cards(run, source):
    seconds = sum(record["seconds"] for record in records(run))
    selected = sum(record["selection/selection_s"] for record in records(run))
    shown = cards(source)
    assert shown["Best epoch"] == str(BEST + 1)
    assert shown["Training"] == f"{seconds:.3g} s"
    assert shown["Selection"] == f"{100 * selected / seconds:.2f} %"


def test_the_data_section_says_what_the_metrics_of_this_run_rest_on(run, page):
    data = run.data.load()
    labels = read_labels(Manifest.load(Config.load(run.config).data.path)).dense()
    head, *rows = page.tables["What the metrics of each split of this run rest on"]
    assert head[:3] == ["split", "rows", "macro_auc: labels"]
    for name, *shown in rows:
        part = labels[getattr(data.splits, name)]
        counts = part.sum(axis=0)
        both = ((counts > 0) & (counts < len(part))).sum()
        expected = [len(part), f"{both} of {labels.shape[1]}", (counts > 0).sum(), part.any(axis=1).sum()]
        assert shown[:4] == [str(value) for value in expected]
        assert shown[5] == (", ".join(f"label{j}" for j in np.flatnonzero(counts == 0)) or "none")
    assert [row[0] for row in rows] == ["train", "validation", "test"]


def test_average_precision_of_labels_is_that_of_the_weights(run, page):
    model = TrainedModel(TrainedRun.open(run.path), torch.device("cpu"))
    manifest, ids = Manifest.load(model.run.config.data.path), model.run.data.splits.test
    features = model.run.data.scaler.transform(read_features(manifest, ids))
    scores = model.logits(torch.from_numpy(features)).numpy()
    labels = read_labels(manifest).dense(ids)
    expected = {
        f"label{j}": f"{average_precision_score(labels[:, j], scores[:, j]):.4f}" for j in range(labels.shape[1])
    }
    assert page.column("Labels, the rarest first", "average precision") == expected
    chance = page.column("Labels, the rarest first", "random order")
    assert chance == {f"label{j}": f"{labels[:, j].mean():.4f}" for j in range(labels.shape[1])}


def test_average_precision_over_labels_is_map(table, tmp_path):
    """With labels on which the metric is known: the mean over labels is what ``evaluate`` calls map."""
    from d2ace.pipeline.training.metrics import evaluate_predictions

    run = write_run(tmp_path / "run", table)
    model = TrainedModel(TrainedRun.open(run.path), torch.device("cpu"))
    manifest, ids = Manifest.load(table), model.run.data.splits.test
    features = model.run.data.scaler.transform(read_features(manifest, ids))
    probabilities = torch.sigmoid(model.logits(torch.from_numpy(features))).numpy()
    metrics = evaluate_predictions(probabilities, read_labels(manifest).dense(ids))
    assert label_precision(RunSource.open(run.path)).precision.mean() == pytest.approx(metrics["map"], abs=1e-6)


@pytest.mark.usefixtures("words_only")
@pytest.mark.parametrize("method", ["d2ace", "infobatch"])  # infobatch draws fewer rows in some epochs
def test_exposure_counts_draws(table, tmp_path, method):
    run = write_run(tmp_path / "run", table, method)
    shown = Page(report(run.path).read_text()).column("Labels, the rarest first", "exposure")
    drawn = [np.load(path) for path in sorted((run.path / "order").iterdir())]
    assert (len({len(rows) for rows in drawn}) > 1) == (method == "infobatch")
    labels, train = read_labels(Manifest.load(table)).dense(), run.data.load().splits.train
    for j, name in enumerate(run.data.load().labels):
        seen = sum(int(labels[row, j]) for rows in drawn for row in rows)
        expected = labels[train, j].sum() * sum(map(len, drawn)) / len(train)
        assert shown[name] == f"{seen / expected:.3f}"


def test_exposure_of_uniform_draws_is_one():
    from scipy.sparse import csr_array

    labels = csr_array(np.array([[1, 0, 1], [1, 0, 0], [0, 0, 1], [1, 0, 1]]))
    found = exposure(np.array([[1, 1, 1, 1], [4, 0, 0, 0], [2, 2, 2, 2]]), labels)
    assert found[[0, 2]][:, [0, 2]].tolist() == [[1, 1], [1, 1]]
    assert found[1, [0, 2]] == pytest.approx([4 / 3, 4 / 3])
    assert np.isnan(found[:, 1]).all()  # no row has the label


def test_shares_of_draws_and_branches():
    draws = np.array([[0, 1, 1, 2, 3, 4, 5, 9], [1, 1, 1, 1, 1, 1, 1, 1]])
    assert draw_shares(draws).tolist() == [[1 / 8, 2 / 8, 1 / 8, 1 / 8, 3 / 8], [0, 1, 0, 0, 0]]
    shares = branch_shares([None, np.array([0, 1, 1, 2], np.uint8)], 2)
    assert np.isnan(shares[0]).all()
    assert shares[1].tolist() == [0.25, 0.5]  # branch 2 is none


def test_all_pictures_of_d2ace(page):
    spoken = {(values.get("aria-label") or "").split(" over ")[0] for tag, values in page.elements if tag == "svg"}
    assert spoken > {"train loss", "label weight of 5 labels", "share", "pressure", "share of draws", "share of rows"}
    assert sum("Heat map of 5 labels" in text for text in spoken) == 2
    assert page.headings[1:] == [
        "Summary",
        "Data",
        "Learning curves",
        "Errors and other pages",
        "Labels",
        "Selection",
        "Draws",
        "Label correlation",
        "Rows drawn most and least",
        "Drawn most",
        "Drawn least",
        "Cost",
        "Configuration and versions",
    ]


def test_the_configuration_is_there_whole(run, page):
    shown = page.text[page.text.index("data:\n") :]
    assert shown.startswith((run.path / "config.yaml").read_text())
    assert yaml.safe_load((run.path / "config.yaml").read_text())["selector"]["name"] == "d2ace"


@pytest.mark.usefixtures("words_only")
@pytest.mark.parametrize("method", ["uniform", "balanced", "infobatch", "loss-rank"])
def test_methods_without_branches_lack_what_they_do_not_have(table, tmp_path, method):
    page = Page(report(write_run(tmp_path / method, table, method).path).read_text())
    assert "Label correlation" not in page.headings
    assert "Mixture" not in page.text
    assert "abel weights" not in page.text
    assert "Rows by draws in an epoch" in page.text
    assert not page.problems


@pytest.mark.usefixtures("words_only")
def test_without_its_data_a_run_still_has_a_report(run, tmp_path):
    folder = copied(run, tmp_path)
    config = folder / "config.yaml"
    path = yaml.safe_load(config.read_text())["data"]["path"]
    config.write_text(config.read_text().replace(path, str(tmp_path / "gone")))
    page = Page(report(folder).read_text())
    assert "Average precision of each label left out: " in page.text
    assert "Exposure of each label left out: " in page.text
    assert str(tmp_path / "gone") in page.text
    assert "training rows" in page.tables["Labels, the rarest first"][0]
    assert "average precision" not in page.tables["Labels, the rarest first"][0]


@pytest.mark.usefixtures("words_only")
def test_other_data_is_not_taken_for_the_runs_own(run, tmp_path):
    from small_table import write_table

    folder = copied(run, tmp_path)
    config = folder / "config.yaml"
    path = yaml.safe_load(config.read_text())["data"]["path"]
    config.write_text(config.read_text().replace(path, str(write_table(tmp_path / "other", shift=1.0))))
    text = Page(report(folder).read_text()).text
    for part in ("Average precision", "Exposure"):
        assert re.search(f"{part} of each label left out: [^.]* is no longer what this run was made from", text)


@pytest.mark.usefixtures("words_only")
def test_without_a_selection_log(run, tmp_path):
    folder = copied(run, tmp_path)
    shutil.rmtree(folder / "selection.parquet")
    page = Page(report(folder).read_text())
    assert "What was selected left out: selection.parquet is not there." in page.text
    assert "Average precision against frequency" in page.text


@pytest.mark.usefixtures("words_only")
def test_without_checkpoints_there_are_no_correlations(run, tmp_path):
    folder = copied(run, tmp_path)
    shutil.rmtree(folder / "checkpoints")
    assert "Label correlation" not in Page(report(folder).read_text()).headings


@pytest.mark.usefixtures("words_only")
def test_an_unfinished_run(table, tmp_path):
    page = Page(report(write_run(tmp_path / "run", table, finished=False).path).read_text())
    assert "Test metrics left out: the run is not finished." in page.text
    assert "the run is not finished; go on with it" in page.text
    assert next(iter(page.tables)) == "Metrics of the last epoch (↑ higher is better)"
    assert not page.problems


@pytest.mark.usefixtures("words_only")
def test_an_epoch_that_was_not_finished_does_not_count(run, tmp_path):
    """A killed run has a selection file of an epoch whose metrics are not written."""
    folder = copied(run, tmp_path)
    lines = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_text("".join(lines[:-1]))
    (folder / "result.json").unlink()
    page = Page(report(folder).read_text())
    assert f"{EPOCHS - 1} of {EPOCHS} epochs" in page.text
    assert len(page.tables["Training loss and validation metrics"]) == EPOCHS
    spoken = next(
        v["aria-label"] for t, v in page.elements if t == "svg" and "Histogram" in (v.get("aria-label") or "")
    )
    draws = np.stack(pd.read_parquet(folder / "selection.parquet").sort_values("epoch")["draws_per_row"].tolist())
    assert f"mean {draws[:-1].sum(axis=0).mean():.4g}" in spoken


def test_a_run_without_epochs(run, tmp_path):
    folder = copied(run, tmp_path)
    (folder / "metrics.jsonl").unlink()
    with pytest.raises(RunError, match="expected a run with finished epochs"):
        report(folder)


def test_a_damaged_run(run, tmp_path):
    folder = copied(run, tmp_path)
    (folder / "result.json").write_text("{")
    with pytest.raises(RunError, match=r"result\.json: cannot be read"):
        report(folder)
    (folder / "config.yaml").write_text("data: {path: x}\ntrain: {epocs: 3}\n")
    with pytest.raises(ConfigError, match="did you mean 'epochs'"):
        report(folder)


def test_nothing_to_report_on(tmp_path):
    for source in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(RunError, match=r"expected a run folder .*table\.parquet"):
            report(source)
    assert not list(tmp_path.iterdir())


def test_other_pages_of_the_run_are_linked_where_they_lie(run, tmp_path):
    folder = copied(run, tmp_path)
    before = pages_section(RunSource.open(folder), folder / "report.html").body
    assert "d2ace errors copy" in before and "<a" not in before
    names = ["errors.html", "diff-other run.html", "audit/audit.html"]
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("a page")
    for target, above in ((folder / "report.html", ""), (tmp_path / "here.html", "copy/")):
        section = pages_section(RunSource.open(folder), target)
        links = [values["href"] for tag, values in Page(section.body).elements if tag == "a"]
        assert links == [f"{above}{name.replace(' ', '%20')}" for name in names]
    assert "d2ace errors" not in section.body


@pytest.mark.usefixtures("words_only")
def test_where_it_goes(run, tmp_path):
    folder = copied(run, tmp_path)
    assert report(folder) == folder / "report.html"
    assert report(folder, tmp_path / "here.html").read_text() == (folder / "report.html").read_text()


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        ({"flagged": 0, "gate_open": False, "wrong_share": None, "skill": None}, "has not begun to flag"),
        ({"flagged": 0, "gate_open": False, "wrong_share": 0.04, "skill": 0.3}, "of 0.30. The gate is shut"),
        ({"flagged": 1234, "gate_open": True, "wrong_share": 0.4, "skill": 0.75}, "open: 1,234 entries are flagged"),
        (
            {"flagged": 0, "gate_open": False, "wrong_share": 0.0, "separation": 2.1},
            "up to 2.1 deviations apart. The gate is shut",
        ),
        ({"flagged": 12, "gate_open": True, "wrong_share": None, "skill": None}, "The gate is open: 12 entries"),
    ],
)
def test_what_the_gate_decided_is_told(record, sentence):
    assert sentence in gate_sentence({f"selection/entries_{name}": value for name, value in record.items()})


@pytest.mark.usefixtures("words_only")
def test_a_run_with_a_policy_has_a_section_on_entries(make_config):
    entries = 'selector.entries={"policy": "correct", "options": {"release": 1, "gate": 0, "skill": 0}}'
    result = fit(make_config("run.name=a", "train.epochs=3", entries), quiet=True)
    page = report(result.folder).read_text()
    assert "Missing and wrong labels" in page and "Policy correct." in page and "entries are flagged" in page
    assert "About how many are wrong, by label" in page
    without = report(fit(make_config("run.name=b", "train.epochs=1"), quiet=True).folder).read_text()
    assert "Missing and wrong labels" not in without
