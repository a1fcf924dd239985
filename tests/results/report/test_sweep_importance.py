"""Importance finds the knob that was made to matter, at the age all trials reached, and refuses to rank chance."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from page_reader import Page
from scipy import stats
from small_sweep import by_pressure, write_sweep, write_table

from d2ace.pipeline.results.report import report, sweep_report
from d2ace.pipeline.results.report.sweep_importance import importance
from d2ace.pipeline.results.report.sweep_source import SweepSource

SCORES = {
    "warmup": lambda point: 0.9 - 2 * point["warmup"],
    "pressure": by_pressure,
    "mixture_final": lambda point: 0.8 - 0.8 * (point["mixture_final"] - 0.5) ** 2,  # best in the middle
    "draws": lambda point: 0.6 + 0.2 * (point["draws"] == "systematic"),
}


@pytest.mark.parametrize("knob", SCORES)
def test_the_knob_that_matters_comes_first(tmp_path, knob):
    write_sweep(tmp_path, SCORES[knob], trials=40, scheduler="none")
    source = SweepSource.open(tmp_path)
    found = importance(source)
    assert found.reason == ""
    assert found.r2 > 0.5
    names = list(source.knobs)
    assert names[int(found.means.argmax())] == knob
    others = np.delete(found.means, names.index(knob))
    assert found.means.max() > 10 * others.max()


@pytest.mark.usefixtures("words_only")
def test_the_page_shows_the_ranking(tmp_path, monkeypatch):
    write_sweep(tmp_path, trials=40, scheduler="none")
    found = importance(SweepSource.open(tmp_path))
    monkeypatch.setattr(sweep_report, "importance", lambda _: found)  # once is enough
    told = Page(report(tmp_path).read_text())
    picture = next(v["aria-label"] for t, v in told.elements if t == "svg" and "loss of R²" in (v["aria-label"] or ""))
    assert picture.startswith(f"loss of R²: pressure {found.means.max():.3f} ± ")


@pytest.mark.usefixtures("words_only")
def test_noise_is_not_ranked(tmp_path):
    write_sweep(tmp_path, lambda _: 0.7, noise=0.05, trials=30, scheduler="none")
    found = importance(SweepSource.open(tmp_path))
    assert found.r2 <= 0
    text = Page(report(tmp_path).read_text()).text
    assert "A ranking of the knobs left out: from the settings of 30 trials" in text
    assert f"(out-of-bag R² {found.r2:.2f}); any order would be made up" in text
    assert "Permutation importance" not in text


def test_stopped_trials_are_compared_at_the_same_age(tmp_path):
    """Here the score of the best epoch depends on who was stopped, that of the third epoch on the pressure alone."""
    write_sweep(tmp_path, noise=0.0, trials=30)
    trials = pq.read_table(tmp_path / "table.parquet").to_pylist()
    for number, trial in enumerate(trials):
        point = json.loads(trial["point"])
        third = 0.6 + 0.1 * by_pressure(point)
        late = point["warmup"] > 0.12
        trial["curve"] = [0.5, 0.5, third, *([0.9] * 6 if late else [])]
        trial |= {"epochs": len(trial["curve"]), "score": max(trial["curve"]), "error": None}
        trial |= {"seconds": [1.0] * trial["epochs"], "status": "finished" if late else "stopped"}
        if number == 3:  # a failed trial would set another age
            trial |= {"status": "failed", "error": "lost", "epochs": 0, "curve": None, "score": None}
    write_table(tmp_path, trials)
    source = SweepSource.open(tmp_path)
    found = importance(source)
    assert (found.epoch, found.trials) == (2, 29)
    assert list(source.knobs)[int(found.means.argmax())] == "pressure"
    assert abs(stats.spearmanr(source.ranked["score"], source.places(source.ranked)[:, 0])[0]) > 0.5


@pytest.mark.usefixtures("words_only")
def test_knobs_that_played_no_part_are_not_ranked(tmp_path):
    """After one epoch of warm-up alone, only the learning rate can have mattered."""
    knobs = {"optimizer.lr": {"low": 1e-4, "high": 0.1, "log": True}}
    write_sweep(tmp_path, lambda point: 0.9 - point["optimizer.lr"], knobs=knobs, trials=12, noise=0.0)
    trials = pq.read_table(tmp_path / "table.parquet").to_pylist()
    for trial in trials:
        trial |= {"curve": trial["curve"][:1], "epochs": 1, "seconds": [1.0], "status": "stopped", "best_epoch": 0}
    write_table(tmp_path, trials)
    source = SweepSource.open(tmp_path)
    found = importance(source)
    ranked = dict(zip(source.knobs, np.isfinite(found.means), strict=True))
    assert ranked.pop("optimizer.lr") and not any(ranked.values())
    text = Page(report(tmp_path).read_text()).text
    assert f"Not ranked, since not every trial selected by then: {', '.join(ranked)}." in text
    assert "12 of 12 trials were best before their selection began (* in the table)" in text


def test_equal_scores_have_no_ranking(tmp_path):
    write_sweep(tmp_path, lambda _: 0.7, noise=0.0, trials=9)
    found = importance(SweepSource.open(tmp_path))
    assert found.reason.startswith("all trials have the same score in epoch 3")
    assert np.isnan(found.means).all()


@pytest.mark.parametrize(("trials", "ranked"), [(8, False), (9, True)])
def test_it_takes_eight_trials_that_did_not_fail(tmp_path, trials, ranked):
    write_sweep(tmp_path, trials=trials, scheduler="none", failed={1: "lost"})
    assert (importance(SweepSource.open(tmp_path)).reason == "") == ranked


def test_the_seed_of_the_sweep_decides(tmp_path):
    found = {}
    for name, seed in (("one", 0), ("same", 0)):
        write_sweep(tmp_path / name, trials=10, seed=seed)
        found[name] = importance(SweepSource.open(tmp_path / name))
    assert found["one"].means.tolist() == found["same"].means.tolist()
    assert found["one"].spreads.tolist() == found["same"].spreads.tolist()
