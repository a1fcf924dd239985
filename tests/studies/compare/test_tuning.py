"""Tuning inside a comparison: the same grid for every arm, chosen on validation rows, test rows left alone."""

import json
import logging
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
from small_study import synthetic_table

from d2ace.pipeline.common.errors import ConfigError, RunError
from d2ace.pipeline.results.report.comparison_setup import configuration_section
from d2ace.pipeline.results.report.study_source import StudySource
from d2ace.pipeline.studies.compare import compare, compare_methods, execution, read_table, study_row, summary
from d2ace.pipeline.studies.compare.budget import draws_told
from d2ace.pipeline.studies.compare.table import SCHEMA, ResultTable
from d2ace.pipeline.studies.compare.tuning import chosen_settings, tuning_runs
from d2ace.pipeline.studies.compare.tuning_grid import DROPOUT, StudyTuning, combinations

TUNING = {"rates": [1e-4, 0.03, 10.0], "weight_decays": [0.0], "dropouts": [0.0], "seeds": [9]}


@pytest.fixture
def trained(monkeypatch):
    """Train runs in this process, without Ray; returns the runs that were."""
    runs = []

    def train(todo, table, bounds, session):
        for run in todo:
            runs.append(run)
            table.add(study_row.run_to_row(run, table.folder / ".neighbours", bounds.tested))

    monkeypatch.setattr(execution, "_train", train)
    return runs


@pytest.fixture
def tuned_study(make_study):
    return make_study(tuning=TUNING, folds=None, config={"train": {"epochs": 2, "batch_size": 64}})


def test_every_arm_tries_the_same_settings_with_seeds_apart_from_the_studys(make_study):
    study = make_study(tuning={"seeds": [7, 8]})
    runs = list(tuning_runs(study))
    tried = {}
    for run in runs:
        tried.setdefault(run.method, []).append((run.tuned, run.seed))
    assert tried["uniform"] == tried["d2ace"] and len(tried["uniform"]) == 5 * 2 * 2 * 2
    assert {run.seed for run in runs} == {7, 8} and {run.fold for run in runs} == {0}
    grid = {
        (c.optimizer.lr, c.optimizer.weight_decay, c.model.options["dropout"]) for c in (run.config for run in runs)
    }
    assert len(grid) == 20 and len({lr for lr, *_ in grid}) == 5


def test_a_network_without_dropout_is_tuned_without():
    grid = StudyTuning().grid(False, "adam")
    assert DROPOUT not in grid and len(list(combinations(grid))) == 5 * 2
    assert StudyTuning(dropouts=(0.5,)).grid(False, "adam")[DROPOUT] == (0.5,)  # asked for: its check tells


@pytest.mark.parametrize(
    ("common", "own", "decays"),
    [({}, {}, {1e-4, 1e-2}), ({"name": "adamw"}, {}, {1e-2, 1.0}), ({"name": "adamw"}, {"name": "sgd"}, {1e-4, 1e-2})],
)
def test_decays_are_those_that_do_something_with_the_optimizer_of_the_network(make_study, common, own, decays):
    networks = {"mlp": {"name": "mlp", "config": {"optimizer": own}}}
    study = make_study(tuning={}, networks=networks, config={"optimizer": common})
    assert {run.config.optimizer.weight_decay for run in tuning_runs(study)} == decays
    told = make_study(tuning={"weight_decays": [0.5]}, networks=networks, config={"optimizer": common})
    assert {run.config.optimizer.weight_decay for run in tuning_runs(told)} == {0.5}


def test_the_best_validation_rate_trains_all_runs_and_the_table_says_so(tuned_study, trained, tmp_path):
    table = compare(tuned_study, tmp_path, quiet=True)
    tried = read_table(tmp_path / "tuning")
    assert len(tried) == 6 and len(table) == 2
    values = {}
    for row in tried.to_dict("records"):
        rate = json.loads(row["tuned"])["optimizer.lr"]
        values[row["method"], rate] = row[f"validation/{row['monitor']}"][row["best_epoch"]]
    for row in table.to_dict("records"):
        chosen = json.loads(row["tuned"])
        mine = {rate: value for (method, rate), value in values.items() if method == row["method"]}
        best = max(mine, key=mine.__getitem__)
        assert chosen["settings"]["optimizer.lr"] == json.loads(row["config"])["optimizer"]["lr"] == best
        assert chosen["validation"] == mine[best] and chosen["runs"] == 3
        assert chosen["at_end"] == (["optimizer.lr"] if best in (1e-4, 10.0) else [])
    assert json.loads(table["tuned"][0])["settings"]["model.options.dropout"] == 0.0


def test_runs_that_tune_look_at_no_test_row(tuned_study, trained, tmp_path):
    compare(tuned_study, tmp_path, limit=1, quiet=True)
    tried = read_table(tmp_path / "tuning")
    assert len(tried) == 1 and tried["error"].isna().all()
    tested = [name for name in SCHEMA.names if name.startswith("test")]
    assert tried[tested].isna().all(axis=None)
    assert not ResultTable(tmp_path).done()


def test_tuning_goes_on_where_it_was_and_an_arm_is_trained_when_it_is_tuned(tuned_study, trained, tmp_path):
    assert compare(tuned_study, tmp_path, limit=3, quiet=True).empty  # one arm is tuned, but no run is left
    part = compare(tuned_study, tmp_path, limit=4, quiet=True)
    assert [run.tuned for run in trained[:3]] == [run.tuned for run in trained[3:6]]
    assert part["method"].tolist() == ["uniform"] and len(trained) == 7
    assert sorted(compare(tuned_study, tmp_path, quiet=True)["method"]) == ["d2ace", "uniform"]
    assert len(trained) == 8
    assert len(compare(tuned_study, tmp_path, quiet=True)) == 2 and len(trained) == 8


def test_no_run_of_the_study_starts_when_tuning_took_the_time(tuned_study, trained, tmp_path):
    assert compare(tuned_study, tmp_path, minutes=0, quiet=True).empty
    assert len(trained) == 6


def test_runs_that_tune_and_runs_of_the_study_share_one_ray(tuned_study, tmp_path, monkeypatch):
    happened = []

    @contextmanager
    def session(run):
        happened.append("Ray is there")
        yield
        happened.append("Ray may end")

    def rows(todo, neighbours, bounds):
        happened.append(len(todo))
        return (study_row.run_to_row(run, neighbours, bounds.tested) for run in todo)

    monkeypatch.setattr(execution, "ray_session", session)
    monkeypatch.setattr(execution, "wait_for_room", lambda *_: None)
    monkeypatch.setattr(execution, "_rows", rows)
    level = logging.getLogger("d2ace").level
    assert len(compare(tuned_study, tmp_path, quiet=True)) == 2
    assert logging.getLogger("d2ace").level == level  # runs are quiet, but what comes after them is not
    assert happened == ["Ray is there", 6, "Ray is there", 2, "Ray may end", "Ray may end"]


def tried_rows(study, values, protocol="clean"):
    """Return the rows of tuning runs that ended with these validation values, by method and place in the grid."""
    rows, seen = [], {}
    for run in tuning_runs(study):
        place = seen[run.method] = seen.get(run.method, -1) + 1
        value = values[run.method][place]
        curve = {"validation/map": [0.0, value, 0.1], "best_epoch": 1, "monitor": "map", "error": None}
        failed = {"validation/map": None, "best_epoch": None, "monitor": None, "error": "RunError: made to fail"}
        names = {"data": run.data, "network": run.network, "method": run.method, "tuned": run.tuned}
        names["protocol"] = protocol
        rows.append(names | (curve if value is not None else failed))
    return pd.DataFrame(rows)


def test_the_mean_over_tuning_seeds_in_the_best_epoch_decides(make_study):
    study = make_study(tuning={**TUNING, "seeds": [8, 9]})
    values = {"uniform": [0.2, 0.2, 0.9, 0.1, 0.6, 0.6], "d2ace": [0.5, 0.5, 0.9, None, 0.4, 0.4]}
    chosen = {arm.method: found for arm, found in chosen_settings(study, tried_rows(study, values)).items()}
    rates = {method: found.settings["optimizer.lr"] for method, found in chosen.items()}
    assert rates == {"uniform": 10.0, "d2ace": 1e-4}  # a setting with a failed run is not chosen
    assert chosen["uniform"].at_end == ("optimizer.lr",) and chosen["uniform"].runs == 6
    assert chosen["uniform"].validation == pytest.approx(0.6)
    papers = chosen_settings(study, tried_rows(study, values, "papers"))  # judged by the last epoch, .1 for all
    assert [found.validation for found in papers.values()] == [pytest.approx(0.1)] * 2
    values["d2ace"] = [None] * 6
    assert [arm.method for arm in chosen_settings(study, tried_rows(study, values))] == ["uniform"]
    assert not chosen_settings(study, tried_rows(study, {**values, "uniform": [0.5] * 6}).iloc[:5])  # not all ended


def test_a_run_ends_when_validation_no_longer_rises(make_study, trained, tmp_path):
    config = {"optimizer": {"lr": 1e-9}, "train": {"epochs": 12, "batch_size": 64, "patience": 2}}
    table = compare(make_study(config=config, folds=None), tmp_path, quiet=True)
    for row in table.to_dict("records"):
        curve = row["validation/macro_auc"]
        assert len(curve) < 12 and len(curve) - 1 - row["best_epoch"] == 2
        assert len(row["test/map"]) == len(row["rows_drawn"]) == len(curve)


def test_methods_that_leave_out_rows_are_refused_unless_asked(make_study, trained, tmp_path):
    methods = {"uniform": {"name": "uniform"}, "part": {"name": "rs2", "options": {"share": 0.5}}}
    with pytest.raises(ConfigError, match=r"part may leave out rows.*'unequal: allowed'"):
        compare(make_study(methods=methods, folds=None), tmp_path, quiet=True)
    assert not trained
    table = compare(make_study(methods=methods, folds=None, unequal="allowed"), tmp_path, quiet=True)
    told = draws_told(table)
    drawn = {row["method"]: int(np.sum(row["rows_drawn"])) for row in table.to_dict("records")}
    steps = {row["method"]: int(np.sum(row["steps"])) for row in table.to_dict("records")}
    assert abs(drawn["part"] / drawn["uniform"] - 0.5) < 0.01 and steps["part"] < steps["uniform"]
    assert len(told) == 1 and f"part {drawn['part']} ({steps['part']})" in told[0]


def test_equal_budgets_are_not_told():
    assert not draws_told(synthetic_table())


def test_the_baseline_stands_beside_what_is_known_for_the_set(make_study):
    known = json.dumps({"macro_auc": 0.99, "from": "a paper"})
    table = synthetic_table(("uniform", "d2ace"), ("birds", "yeast"), noise=0.0)
    table["known"] = [known if data == "birds" else None for data in table["data"]]
    told = summary.text(compare_methods(table, "macro_auc"))
    (line,) = [line for line in told.splitlines() if "known" in line]
    assert line.startswith("birds / mlp: uniform 0.") and line.endswith("worse.") and "known 0.9900 (a paper)" in line
    assert "known" not in summary.text(compare_methods(table, "map"))
    study = make_study()
    data = {"table": {"path": study.data["table"].path, "known": {"map": 0.5}}}
    run = next(make_study(data=data).runs())
    assert json.loads(run.known) == {"map": 0.5, "from": None}
    with pytest.raises(ConfigError, match="no metric is called 'mpa'; did you mean 'map'"):
        make_study(data={"table": {**data["table"], "known": {"mpa": 0.5}}})


def test_text_and_report_show_what_was_chosen():
    table = synthetic_table(("uniform", "d2ace"), ("birds", "yeast"))
    chosen = {"settings": {"optimizer.lr": 0.03}, "runs": 5, "validation": 0.7, "at_end": ["optimizer.lr"]}
    table["tuned"] = json.dumps(chosen)
    comparison = compare_methods(table, "macro_auc")
    section = configuration_section(StudySource("s", table, comparison, ""))
    for page in (summary.text(comparison), summary.markdown(comparison), str(section.body)):
        assert "0.03*" in page and "wider range" in page


@pytest.mark.parametrize(
    ("tuning", "message"),
    [
        ({"rate": [1e-3]}, "unknown key 'tuning.rate'; did you mean 'rates'"),
        ({"rates": []}, "tuning.rates"),
        ({"rates": [1e-3, 1e-3]}, r"tuning.rates: names 0.001 twice"),
        ({"rates": [-1]}, r"rates\.0: Input should be greater than 0 \(got -1\)$"),
        ({"rates": 0.001}, "tuning.rates: expected a list"),
        ({"seeds": [0, 5]}, "seeds of the study too"),
    ],
)
def test_wrong_tuning_is_told_before_anything_runs(make_study, tuning, message):
    with pytest.raises(ConfigError, match=message):
        make_study(tuning=tuning)


def test_few_rates_are_told():
    assert StudyTuning().advice == ""
    assert StudyTuning(rates=(1e-3, 3e-3, 1e-2, 3e-2)).advice.startswith("tuning tries 4 learning rates: ")
    assert StudyTuning(rates=(1e-3,)).advice.startswith("tuning tries 1 learning rate: ")


def test_tuning_of_which_every_run_failed_is_an_error(tuned_study, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(study_row, "train_run", lambda *_, **__: 1 / 0)
    with pytest.raises(RunError, match="every run failed, the first with: ZeroDivisionError"):
        compare(tuned_study, tmp_path, quiet=True)


def test_tables_of_older_versions_are_read(tmp_path):
    older = synthetic_table(("uniform", "d2ace"), ("birds",)).drop(columns=["tuned", "known", "rows_drawn", "steps"])
    older.to_parquet(tmp_path / "table.parquet")
    table = read_table(tmp_path)
    assert table["tuned"].isna().all() and not compare_methods(table, "map").tuned
    assert isinstance(compare_methods(table, "map").values, pd.DataFrame)
