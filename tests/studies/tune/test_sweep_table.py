"""The table of a sweep from what its trials left."""

import json
import math
import shutil

import numpy as np
import pytest
from scipy import stats
from small_table import write_table

from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.studies import origin
from d2ace.pipeline.studies.tune.progress import SweepProgress
from d2ace.pipeline.studies.tune.ranking import before_selection, best_trial, interval
from d2ace.pipeline.studies.tune.summary import describe
from d2ace.pipeline.studies.tune.table import SweepFolder
from d2ace.pipeline.studies.tune.trial import TrialLog
from d2ace.pipeline.training.best_epoch import SETTLED


@pytest.fixture
def folder(tmp_path):
    return SweepFolder(tmp_path)


def leave_trial(folder, name, point, *epochs):
    """Write what a trial leaves that had the given scores of its runs in each epoch."""
    log = TrialLog(folder.path / "trials" / name)
    log.begin(point)
    for epoch, scores in enumerate(epochs):
        log.add([{"epoch": epoch, "macro_auc": score, "seconds": 0.5} for score in scores], "macro_auc")


def trial(name, point, error=None):
    return {"trial": name, "point": point, "error": error}


def assert_same_settings(loaded: Config, expected: Config) -> None:
    """A file's relative paths are relative to it, so where runs go differs."""
    assert loaded.model_dump(exclude={"run"}) == expected.model_dump(exclude={"run"})


def test_a_row_a_trial(folder, make_sweep):
    sweep = make_sweep(seeds=[0, 1], config={"train": {"epochs": 3}})
    points = sweep.points()
    leave_trial(folder, "a_00000", points[0], [0.5, 0.7], [0.8, 0.9], [0.6, 0.7])
    leave_trial(folder, "a_00002", points[2], [0.4, 0.3])
    leave_trial(folder, "a_00010", points[1], [0.2, 0.3], [0.1, 0.1])
    trials = [trial("a_00010", points[1], "boom"), trial("a_00002", points[2]), trial("a_00000", points[0])]
    table = folder.write(trials, sweep)
    assert table["trial"].tolist() == ["a_00000", "a_00002", "a_00010"]
    assert table["status"].tolist() == ["finished", "stopped", "failed"]
    assert table["epochs"].tolist() == [3, 1, 2]
    np.testing.assert_allclose(table["score"], [0.85, 0.35, 0.25])
    assert table["best_epoch"].tolist() == [1, 0, 0]
    np.testing.assert_allclose(table["scores"][0], [0.8, 0.9])
    np.testing.assert_allclose(table["curve"][0], [0.6, 0.85, 0.65])
    np.testing.assert_allclose(table["seconds"][0], [1, 1, 1])
    assert [json.loads(point) for point in table["point"]] == [points[0], points[2], points[1]]
    assert table.equals(folder.table)
    assert best_trial(table, sweep)["trial"] == "a_00000"
    assert_same_settings(Config.load(folder.path / "best.yaml"), sweep.make_config(points[0]))


def test_the_smallest_loss_is_the_best(folder, make_sweep):
    sweep = make_sweep(config={"train": {"monitor": "ranking_loss", "epochs": 2}})
    for number, losses in enumerate(([0.3, 0.2], [0.1, 0.4])):
        log = TrialLog(folder.path / "trials" / f"a_{number}")
        log.begin({})
        entries = [log.add([{"ranking_loss": loss, "seconds": 1.0}], "ranking_loss") for loss in losses]
        assert entries[-1]["best"] == min(losses)
    table = folder.write([trial("a_0", {}), trial("a_1", {})], sweep)
    assert best_trial(table, sweep)["trial"] == "a_1"
    assert table["score"].tolist() == [0.2, 0.1]


def test_the_best_epoch_of_a_trial_is_that_of_a_run_with_a_policy_for_entries(folder, make_sweep):
    log = TrialLog(folder.path / "trials" / "a_0")
    log.begin({})
    epochs = [(0.8, 1), (0.85, 1), (0.84, 0), (0.82, 2), (0.83, 2)]
    best = [
        log.add(
            [{"macro_auc": value, SETTLED: level, "seconds": 1.0}, {"macro_auc": value, SETTLED: 2, "seconds": 1.0}],
            "macro_auc",
        )["best"]
        for value, level in epochs
    ]
    assert best == [0.8, 0.85, 0.85, 0.82, 0.83]
    table = folder.write([trial("a_0", {})], make_sweep(config={"train": {"epochs": 5}}))
    assert table["best_epoch"].tolist() == [4] and table["score"].tolist() == [0.83]


def test_points_of_a_population_are_all_known(folder, make_sweep):
    log = TrialLog(folder.path / "trials" / "a_0")
    for point in ({"pressure": 2.0}, {"pressure": 2.0}, {"pressure": 3.0}):
        log.begin(point)
    log.add([{"macro_auc": 0.5, "seconds": 1.0}], "macro_auc")
    table = folder.write([trial("a_0", {"pressure": 2.0})], make_sweep(scheduler="pbt"))
    assert json.loads(table["points"][0]) == [{"pressure": 2.0}, {"pressure": 3.0}]
    assert json.loads(table["point"][0]) == {"pressure": 3.0}


def test_a_sweep_in_which_nothing_was_trained_says_why(folder, make_sweep):
    with pytest.raises(RunError, match="no trial trained an epoch: out of luck"):
        folder.write([trial("a_0", {}, "out of luck")], make_sweep())


def test_the_interval_is_students(folder):
    scores = np.array([0.7, 0.74, 0.71])
    test = stats.ttest_1samp(scores, 0.0)
    np.testing.assert_allclose(interval(scores), list(test.confidence_interval()))
    assert all(math.isnan(value) for value in interval(scores[:1]))


def test_the_summary_names_the_best_and_the_failures(folder, make_sweep):
    sweep = make_sweep(seeds=[0, 1], config={"train": {"epochs": 2}})
    leave_trial(folder, "a_0", {"pressure": 2.5}, [0.5, 0.7], [0.8, 0.9])
    table = folder.write([trial("a_0", {}), trial("a_1", {}, "boom"), trial("a_2", {}, "boom")], sweep)
    text = describe(sweep, table)
    assert "3 trials: 1 finished, 0 stopped, 2 failed; 2 of 6 epochs" in text
    assert "trial a_0, validation macro_auc 0.8500 (mean of 2 runs, 95 % interval 0.2147 to 1.4853) in epoch 2" in text
    assert "    pressure = 2.5" in text
    assert "2 failed: boom" in text


def test_a_winner_that_had_not_selected_is_marked_and_the_best_that_had_is_named(folder, make_sweep):
    sweep = make_sweep(config={"train": {"epochs": 4}})
    late, early = ({"warmup": share, "pressure": 2.0} for share in (0.5, 0.25))
    leave_trial(folder, "a_0", late, [0.9], [0.5], [0.5], [0.5])
    leave_trial(folder, "a_1", early, [0.5], [0.8], [0.5], [0.5])
    table = folder.write([trial("a_0", late), trial("a_1", early)], sweep)
    assert [before_selection(row, sweep) for _, row in table.iterrows()] == [True, False]
    remark = "its best epoch, 1, lies before its selection begins in epoch 3: the settings of d2ace played no part"
    text = describe(sweep, table)
    assert "1 of 2 trials were best before their selection began: a_0" in text and remark in text
    assert "best while selecting: trial a_1, 0.8000 in epoch 2" in text
    assert (folder.path / "best.yaml").read_text().startswith(f"# Trial a_0: {remark}")
    assert_same_settings(Config.load(folder.path / "best.yaml"), sweep.make_config(late))


def test_a_winner_that_selected_has_no_remark(folder, make_sweep):
    sweep = make_sweep(config={"train": {"epochs": 2}})
    leave_trial(folder, "a_0", {"warmup": 0.25}, [0.5], [0.7])
    assert "selection" not in describe(sweep, folder.write([trial("a_0", {"warmup": 0.25})], sweep))
    assert "#" not in (folder.path / "best.yaml").read_text()


@pytest.mark.parametrize("sampler", ["random", "optuna"])
def test_nobody_is_stopped_within_the_longest_warm_up(make_sweep, sampler):
    sweep = make_sweep(sampler=sampler, config={"train": {"epochs": 40}})
    starts = [sweep.selection_start(point) for point in make_sweep(config={"train": {"epochs": 40}}).points()]
    assert sweep.first_rung == (10 if sampler == "optuna" else max(starts)) + 4
    assert make_sweep(grace_epochs=3).first_rung == 3
    entries = {"policy": "correct", "options": {"release": 0.5, "ramp": 4}}
    late = make_sweep(sampler=sampler, config={"train": {"epochs": 40}, "selector": {"entries": entries}})
    assert late.first_rung == 20 + 3 + 4  # the epoch from which all flags count, and a tenth of the run
    knobs = {"optimizer.lr": {"choice": [0.1, 0.2]}}
    assert make_sweep(knobs=knobs, config={"selector": {"name": "uniform", "options": {}}}).first_rung == 1


def test_a_sweep_does_not_go_on_with_other_data_settings_or_versions(folder, make_sweep, table, tmp_path, monkeypatch):
    data = shutil.copytree(table, tmp_path / "data")
    sweep = make_sweep(config={"data": {"path": str(data)}})
    folder.keep_origin(sweep)
    folder.require_origin(sweep)
    with pytest.raises(RunError, match=r"is not as it was: settings in sweep\.yaml"):
        folder.require_origin(make_sweep(config={"data": {"path": str(data)}, "optimizer": {"lr": 0.5}}))
    monkeypatch.setattr(origin, "package_version", lambda name: "9.9")
    with pytest.raises(RunError, match=r"version of d2ace \(.* then, 9\.9 now\)"):
        folder.require_origin(sweep)
    monkeypatch.undo()
    moved = data.rename(tmp_path / "moved")
    with pytest.raises(RunError, match=r"the sweep's data is not in .*data; if it was moved, .*: --data PATH"):
        folder.require_origin(sweep)
    folder.require_origin(sweep, sweep.with_data(str(moved)))
    assert sweep.with_data(str(moved)).base.data.path == str(moved)
    write_table(data, shift=1.0)
    with pytest.raises(RunError, match=r"not as it was: prepared data\."):
        folder.require_origin(sweep)


def test_a_folder_without_a_sweep_is_named(folder):
    with pytest.raises(RunError, match="no sweep is here"):
        _ = folder.sweep
    with pytest.raises(RunError, match="cannot be read as the table"):
        _ = folder.table


def test_an_epoch_whose_score_is_no_number_does_not_cost_the_table(folder, make_sweep):
    leave_trial(folder, "a_0", {"pressure": 2.0}, [float("nan")])
    leave_trial(folder, "a_1", {"pressure": 3.0}, [0.5], [float("nan")])
    trials = [trial("a_0", {"pressure": 2.0}, "not a number"), trial("a_1", {"pressure": 3.0}, "not a number")]
    table = folder.write(trials, make_sweep())
    assert table["epochs"].tolist() == [0, 1]
    assert best_trial(table, make_sweep())["trial"] == "a_1"


def test_a_line_that_a_kill_cut_off_is_left_out(folder):
    whole = '{"elapsed": 1.0, "trial": "a_0", "epoch": 1, "score": 0.5}\n'
    (folder.path / "progress.jsonl").write_text(whole + whole[:20])
    assert len(folder.progress) == 1
    SweepProgress(folder.path / "progress.jsonl", "macro_auc", 2, True)
    assert (folder.path / "progress.jsonl").read_text() == whole


def test_equal_runs_have_no_interval():
    assert all(math.isnan(value) for value in interval(np.array([0.5, 0.5, 0.5])))
