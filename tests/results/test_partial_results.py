"""What is said of a run whose data has unknown labels: none of them is read as a 0 anywhere."""

import logging

import numpy as np
import pytest
import torch
from page_reader import Page
from partial_table import UNTRAINED, partial_labels, write_partial
from small_config import small_config

from d2ace.pipeline import fit
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.pipeline.results.evaluation import evaluate
from d2ace.pipeline.results.explanation import explain
from d2ace.pipeline.results.report import report
from d2ace.pipeline.results.report.label_precision import label_precision
from d2ace.pipeline.results.report.run_source import RunSource
from d2ace.pipeline.results.simulation import simulate
from d2ace.pipeline.runs.run_folder import RunFolder
from d2ace.pipeline.runs.trained_model import TrainedModel
from d2ace.pipeline.runs.trained_run import TrainedRun
from d2ace.pipeline.training.metrics import evaluate_predictions, label_average_precision

FORMS = {"unknown": {}, "negatives": {"list_negatives": True}, "filled": {"filled": True}}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs of three epochs on the same labels said in two ways, and with unknown entries taken for 0."""
    place = tmp_path_factory.mktemp("partial")
    settings = ("train.epochs=3", "run.record_observations=true")
    found = {}
    for form, options in FORMS.items():
        table = write_partial(place / f"table-{form}", shard_rows=1000, **options)
        found[form] = fit(small_config(table, place / "runs", *settings, f"run.name={form}"), quiet=True).folder
    return found


def truth_of(run, split):
    ids = getattr(RunFolder.open(run).data.load().splits, split)
    return ids, partial_labels()[1][ids]


def test_evaluation_counts_known_entries_and_says_how_many(runs, caplog):
    with caplog.at_level(logging.WARNING, "d2ace"):
        found = evaluate(runs["unknown"])
    ids, truth = truth_of(runs["unknown"], "test")
    model = TrainedModel(TrainedRun.open(runs["unknown"]), torch.device("cpu"))
    reader = ShardRows(Manifest.load(model.run.config.data.path)).open()
    probabilities = np.concatenate([p.probabilities.numpy() for p in model.predict(reader, ids)])
    assert found == evaluate_predictions(probabilities, truth)
    assert f"{100 * (~np.isnan(truth)).mean():.1f} % of the entries are known" in caplog.text
    assert found == evaluate(runs["negatives"]) != evaluate(runs["filled"])


def test_an_explanation_tells_unknown_from_absent(runs):
    ids, truth = truth_of(runs["unknown"], "train")
    mixed = int(np.flatnonzero((truth == 1).any(axis=1) & (truth == 0).any(axis=1) & np.isnan(truth[:, 0]))[0])
    found = explain(runs["unknown"], int(ids[mixed]))
    np.testing.assert_array_equal(found.values, truth[mixed])
    np.testing.assert_array_equal(found.known, ~np.isnan(truth[mixed]))
    assert [origin is None for origin in found.origins] == np.isnan(truth[mixed]).tolist()
    has = {line.split()[0]: line for line in str(found).splitlines() if line.startswith("label")}
    for label, value in enumerate(truth[mixed]):
        words = has[f"label{label}"].split()
        assert words[1] == ("unknown" if np.isnan(value) else "yes") or (
            value == 0 and words[1] not in ("unknown", "yes")
        )
    assert f"unknown: {int(np.isnan(truth[mixed]).sum())} of 5 labels: label0" in str(found)
    other = explain(runs["negatives"], int(ids[mixed]))
    assert str(other).replace(str(runs["negatives"]), "") == str(found).replace(str(runs["unknown"]), "")
    nothing = int(np.flatnonzero(np.isnan(truth).all(axis=1))[0])
    assert "labels: none known" in str(explain(runs["unknown"], int(ids[nothing])))


def test_a_simulation_does_not_depend_on_how_unknown_entries_are_said(runs):
    found = {form: simulate(run, "hard-imbalance") for form, run in runs.items()}
    one, other, filled = found["unknown"], found["negatives"], found["filled"]
    np.testing.assert_array_equal(one.other.draws, other.other.draws)
    assert not np.array_equal(one.other.draws, filled.other.draws)
    _, truth = truth_of(runs["unknown"], "train")
    np.testing.assert_array_equal(one.positives, (truth == 1).sum(axis=0))


def test_labels_are_judged_in_known_rows(runs):
    ids, truth = truth_of(runs["unknown"], "test")
    found = label_precision(RunSource.open(runs["unknown"]))
    np.testing.assert_allclose(found.chance, np.nanmean(truth, axis=0))
    model = TrainedModel(TrainedRun.open(runs["unknown"]), torch.device("cpu"))
    reader = ShardRows(Manifest.load(model.run.config.data.path)).open()
    probabilities = np.concatenate([p.probabilities.numpy() for p in model.predict(reader, ids)])
    np.testing.assert_array_equal(found.precision, label_average_precision(probabilities, truth))


def test_the_report_says_how_much_is_known(runs):
    page = Page((report(runs["unknown"])).read_text())
    known = ~np.isnan(partial_labels()[1])
    shares = page.column("Labels, the least known first", "known share")
    assert shares == {f"label{j}": f"{100 * known[:, j].mean():.1f} %" for j in range(5)}
    _, truth = truth_of(runs["unknown"], "train")
    rows = page.column("Labels, the rarest first", "known in")
    assert rows == {f"label{j}": str(int((~np.isnan(truth[:, j])).sum())) for j in range(5)}
    assert rows[f"label{UNTRAINED}"] == "0"
    share = page.column("What the metrics of each split of this run rest on", "known entries")
    assert share["train"] == f"{100 * (~np.isnan(truth)).mean():.1f} %"


@pytest.mark.usefixtures("words_only")
def test_the_report_says_nothing_of_it_where_all_is_known(runs):
    assert "Labels, the least known first" not in Page(report(runs["filled"]).read_text()).tables
