"""What the report of a sweep says is what its folder holds, computed here once more, slowly."""

import json
import math
import statistics
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from page_reader import Page
from scipy import stats
from small_sweep import EPOCHS, by_pressure, write_sweep, write_table
from told_briefly import grow_less

from d2ace.pipeline.common.errors import ConfigError, RunError
from d2ace.pipeline.results.report import report
from d2ace.pipeline.results.report.sweep_source import SweepSource

CHANGED = "What best.yaml changes"
KNOBS = {
    "optimizer.lr": {"low": 1e-4, "high": 0.1, "log": True},
    "model.options.hidden": {"choice": [[64], [256, 128], [512, 512, 256]]},
    "train.batch_size": {"low": 16, "high": 128, "whole": True},
}
ERRORS = {2: "ValueError: lost <b>it</b>", 5: "RunError: not a number"}


def read(folder: Path) -> Page:
    page = Page(report(folder).read_text(encoding="utf-8"))
    assert page.problems == []
    return page


def rows(folder: Path) -> list[dict]:
    return pq.read_table(folder / "table.parquet").to_pylist()


def spoken(page: Page) -> list[str]:
    return [values.get("aria-label") or "" for tag, values in page.elements if tag == "svg"]


@pytest.fixture(scope="module", autouse=True)
def small_forest() -> Iterator[None]:
    """What a forest finds is the matter of ``test_sweep_importance``."""
    with pytest.MonkeyPatch.context() as patched:
        grow_less(patched.setattr)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("sweeps") / "small"
    write_sweep(path, knobs=KNOBS, trials=20, failed=ERRORS)
    return path


@pytest.fixture(scope="module")
def page(folder) -> Page:
    return read(folder)


def test_parts(page):
    assert page.headings == [
        "small",
        "Summary",
        "Best settings",
        "Importance of each knob",
        "Scores against settings",
        "Learning curves and time",
        "Failed trials",
        "Configuration and versions",
    ]


def test_summary(folder, page):
    trials = rows(folder)
    trained = sum(trial["epochs"] for trial in trials)
    elapsed = max(json.loads(line)["elapsed"] for line in (folder / "progress.jsonl").read_text().splitlines())
    assert f"Epochs trained{trained}of {20 * EPOCHS} possible, {100 * trained / 20 / EPOCHS:.1f} %" in page.text
    counts = {kind: sum(trial["status"] == kind for trial in trials) for kind in ("finished", "stopped", "failed")}
    assert f"Trials finished{counts['finished']}{counts['stopped']} stopped, 2 failed" in page.text
    spent = sum(sum(trial["seconds"] or []) for trial in trials)
    assert f"Time{elapsed / 60:.3g} min{spent / 60:.3g} min of training" in page.text
    for told in ("Space: d2ace, preset quick.", "random points; seed of the sweep 0", "ASHA", "3 runs (seeds 0, 1, 2)"):
        assert told in page.text


def test_knobs(page):
    ranges = page.column("Knobs", "range")
    assert ranges["pressure"] == "2 to 64, logarithmic"
    assert ranges["draws"] == "one of systematic, independent"
    assert ranges["model.options.hidden"] == "one of [64], [256, 128], [512, 512, 256]"
    assert ranges["train.batch_size"] == "whole numbers, 16 to 128"
    assert page.column("Knobs", "of")["optimizer.lr"] == "configuration"


def test_best_trials(folder, page):
    scored = sorted((t for t in rows(folder) if t["epochs"]), key=lambda t: -t["score"])
    expected = scored[:5]
    head, *shown = page.tables[f"The best 5 of {len(scored)} trials"]
    for trial, row in zip(expected, shown, strict=True):
        cells = dict(zip(head, row, strict=True))
        curve, runs = trial["curve"], trial["scores"]
        half = stats.t.ppf(0.975, len(runs) - 1) * statistics.stdev(runs) / math.sqrt(len(runs))
        assert cells["trial"] == trial["trial"]
        assert cells["macro_auc"] == f"{max(curve):.4f}"
        assert cells["95 % interval"] == f"[{max(curve) - half:.4f}, {max(curve) + half:.4f}]"
        assert cells["best epoch"].removesuffix("*") == str(curve.index(max(curve)) + 1)
        assert (cells["epochs"], cells["status"]) == (str(len(curve)), trial["status"])
        point = json.loads(trial["point"])
        assert cells["pressure"] == f"{point['pressure']:.4g}"
        assert json.loads(cells["model.options.hidden"]) == point["model.options.hidden"]


def test_what_best_yaml_changes(folder, page):
    best = json.loads(max((t for t in rows(folder) if t["epochs"]), key=lambda t: t["score"])["point"])
    shown = page.column(CHANGED, "best.yaml")
    assert shown["selector.options.pressure"] == f"{best['pressure']:.4g}"
    assert shown["optimizer.lr"] == f"{best['optimizer.lr']:.4g}"
    assert page.column(CHANGED, "before")["optimizer.lr"] == "0.001"
    assert shown["selector.options.warmup"] == str(max(1, round(best["warmup"] * EPOCHS)))  # epochs, not a share
    assert "train.epochs" not in shown
    assert "selector.options" not in shown


@pytest.mark.parametrize(("noise", "verdict"), [(0.0001, "lies outside of it"), (0.5, "the two are not told apart")])
def test_the_runner_up(tmp_path, noise, verdict):
    write_sweep(tmp_path, noise=noise, scheduler="none", trials=4)
    text = read(tmp_path).text
    second = sorted(rows(tmp_path), key=lambda t: -t["score"])[1]
    assert f"The runner-up, {second['trial']} with {second['score']:.4f}" in text
    assert verdict in text
    assert "The best score is optimistic. Of 4 trials the luckiest wins" in text


def test_failed_trials_are_listed(page, folder):
    head, *shown = page.tables["Failed trials"]
    assert head == ["trial", "epochs", "macro_auc", "error", "settings"]
    assert [row[3] for row in shown] == list(ERRORS.values())
    assert [row[:3] for row in shown] == [["a1b2c_00002", "0", "–"], ["a1b2c_00005", "2", shown[1][2]]]
    assert "2 of 20 trials failed" in page.text
    assert f"pressure {json.loads(rows(folder)[2]['point'])['pressure']:.4g}" in shown[0][4]


def test_every_trial_is_drawn(page, folder):
    scored = [trial for trial in rows(folder) if trial["epochs"]]
    titles = page.text.count("a1b2c_00000: macro_auc ")
    assert titles == 1 + 8  # parallel coordinates and a slice a knob
    assert f"Parallel coordinates of {len(scored)} trials over warmup, pressure," in "".join(spoken(page))
    for knob in ("warmup", "importance", "model.options.hidden", "train.batch_size"):
        assert any(text.startswith(f"macro_auc of {len(scored)} trials against {knob},") for text in spoken(page))


def test_curves_and_time(page, folder):
    lines = [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]
    best, minutes = max(line["score"] for line in lines), lines[-1]["elapsed"] / 60
    start = f"from {lines[0]['score']:.4g} to {best:.4g}"
    assert f"Best macro_auc so far over minutes: {start} after {minutes:.4g} minutes" in spoken(page)
    whole = f"Best macro_auc so far over epochs of all trials: {start} after {len(lines)} epochs of all trials"
    assert whole in spoken(page)
    first = max((t for t in rows(folder) if t["epochs"]), key=lambda t: t["score"])["curve"]
    assert f"the best from {first[0]:.4g} to {first[-1]:.4g}" in " ".join(spoken(page))


def test_the_best_so_far_never_falls_back(tmp_path):
    for monitor, better in (("macro_auc", max), ("ranking_loss", min)):
        write_sweep(tmp_path / monitor, noise=0.2, monitor=monitor)
        source = SweepSource.open(tmp_path / monitor)
        trials = [trial["curve"] for trial in rows(tmp_path / monitor)]
        for epoch in range(EPOCHS):
            known = [value for curve in trials for value in curve[: epoch + 1]]
            assert source.leading[epoch] == pytest.approx(better(known))
        scores = source.progress["score"].to_numpy()
        expected = [better(scores[: n + 1]) for n in range(len(scores))]
        assert source.best_so_far(scores).tolist() == expected


def test_the_configuration_is_there_whole(page, folder):
    text = page.text[page.text.index("name: small\n") :]
    assert text.startswith((folder / "sweep.yaml").read_text())
    assert yaml.safe_load((folder / "sweep.yaml").read_text())["trials"] == 20
    assert {"d2ace", "optuna", "scikit-learn"} < {row[0] for row in page.tables["Versions"]}


def test_a_metric_that_is_better_when_lower(tmp_path):
    write_sweep(tmp_path, lambda point: 1 - by_pressure(point), monitor="ranking_loss")
    page = read(tmp_path)
    least = min(rows(tmp_path), key=lambda trial: trial["score"])
    assert next(iter(page.column("The best 5 of 12 trials", "ranking_loss"))) == least["trial"]
    assert f"Best ranking_loss{least['score']:.4f}validation, lower is better" in page.text
    assert f"to {least['score']:.4g} after" in " ".join(spoken(page))
    source = SweepSource.open(tmp_path)
    assert source.best["trial"] == least["trial"]
    assert source.places(source.ranked)[0, 1] > 0.8  # the pressure that makes the loss small


def test_one_trial_of_one_run(tmp_path):
    write_sweep(tmp_path, trials=1, seeds=(0,))
    page = read(tmp_path)
    assert page.column("All trials with a score, the best first", "95 % interval") == {"a1b2c_00000": "–"}
    assert "a single run, which has no interval" in page.text
    assert "It is of the same validation rows that chose its epoch" in page.text
    assert "hollow" not in page.text and "A dot ends a trial" not in page.text  # none was stopped
    assert "expected at least 8 trials that did not fail, got 1" in page.text


@pytest.mark.usefixtures("words_only")
def test_one_trial_more_than_the_best_is_not_left_out(tmp_path):
    write_sweep(tmp_path, trials=6)
    assert len(read(tmp_path).tables["All trials with a score, the best first"]) == 7


@pytest.mark.usefixtures("words_only")
def test_one_trial_of_several_runs_has_no_runner_up(tmp_path):
    write_sweep(tmp_path, trials=1)
    assert "There is no other trial to compare the best with" in read(tmp_path).text


@pytest.mark.usefixtures("words_only")
def test_runs_that_agree_exactly_have_no_interval(tmp_path):
    write_sweep(tmp_path, noise=0.0, trials=2)
    assert "The best trial's runs have the same score" in read(tmp_path).text


def test_all_failed_but_one(tmp_path):
    failed = {number: "lost" for number in range(10) if number != 3}
    write_sweep(tmp_path, trials=10, scheduler="none", failed=failed)
    page = read(tmp_path)
    assert "9 of 10 trials failed" in page.text
    assert "expected at least 8 trials that did not fail, got 1" in page.text
    statuses = [row[5] for row in page.tables["All trials with a score, the best first"][1:]]
    assert sorted(statuses) == ["failed"] * 4 + ["finished"]  # some of them had trained before


def test_nothing_was_trained(tmp_path):
    write_sweep(tmp_path, trials=3, failed={0: "lost", 2: "lost"})
    write_table(tmp_path, [trial for trial in rows(tmp_path) if trial["error"]])
    with pytest.raises(RunError, match="no trial has any: lost"):
        report(tmp_path)


def test_a_population(tmp_path):
    later = {1: [{"pressure": 7.5}, {"pressure": 8.25, "draws": "independent"}], 4: [{"importance": 0.5}]}
    write_sweep(tmp_path, scheduler="pbt", later=later)
    page = read(tmp_path)
    shown = page.tables["Settings that trials took over"][1:]
    assert [row[:2] for row in shown] == [["a1b2c_00001", "2"], ["a1b2c_00001", "3"], ["a1b2c_00004", "2"]]
    assert "pressure 7.5 → 8.25" in shown[1][2]
    assert "2 of 12 trials took over" in page.text
    assert "A ranking of the knobs left out: the trials of a population change their settings" in page.text
    source = SweepSource.open(tmp_path)
    numbers = source.ranked["trial"].tolist()
    last = math.log(8.25 / 2) / math.log(32)
    assert source.places(source.ranked)[numbers.index("a1b2c_00001"), 1] == pytest.approx(last)


def test_no_population_without_one(page):
    assert "Population" not in page.headings


@pytest.mark.usefixtures("words_only")
def test_without_progress(folder, tmp_path):
    write_sweep(tmp_path, trials=2)
    (tmp_path / "progress.jsonl").unlink()
    assert "Best score against time left out: progress.jsonl is not there" in read(tmp_path).text


@pytest.mark.usefixtures("words_only")
def test_a_method_without_a_space(tmp_path):
    config = {"data": {"path": "x"}, "selector": {"name": "uniform"}, "train": {"epochs": EPOCHS}}
    write_sweep(tmp_path, lambda point: point["optimizer.lr"], config=config, knobs=KNOBS, sampler="grid", trials=None)
    page = read(tmp_path)
    assert "Space: none, only further knobs." in page.text
    assert "a grid of at most 3 values a knob" in page.text
    assert "27 trials" in page.text


def test_a_sweep_that_is_not_finished(tmp_path):
    write_sweep(tmp_path, trials=2)
    (tmp_path / "table.parquet").unlink()
    with pytest.raises(RunError, match="not finished; go on with it"):
        report(tmp_path)


def test_a_damaged_sweep(tmp_path):
    write_sweep(tmp_path, trials=2)
    (tmp_path / "table.parquet").write_bytes(b"PAR")
    with pytest.raises(RunError, match="cannot be read as the table of a sweep"):
        report(tmp_path)
    (tmp_path / "sweep.yaml").write_text("name: x\nconfig: {}\ntrails: 3\n")
    with pytest.raises(ConfigError, match="did you mean 'trials'"):
        report(tmp_path)


@pytest.mark.usefixtures("words_only")
def test_where_it_goes(folder, tmp_path):
    expected = report(folder).read_text()
    assert report(folder / "table.parquet", tmp_path / "here.html").read_text() == expected
    assert report(folder) == folder / "report.html"
