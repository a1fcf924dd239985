"""Whole comparisons: what is run, kept, resumed and refused."""

import json
import os
import signal

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.errors import ConfigError, DataError, RunError
from d2ace.pipeline.runs.run_folder import RunFolder
from d2ace.pipeline.studies import origin
from d2ace.pipeline.studies.compare import compare, compare_methods, execution, read_table
from d2ace.pipeline.studies.compare.study import Study
from d2ace.pipeline.studies.compare.table import SCHEMA, ResultTable
from d2ace.pipeline.studies.ray_tasks import KEPT_MEMORY

pytestmark = pytest.mark.usefixtures("ray_session")


def test_every_run_becomes_a_row_with_its_complete_configuration(make_study, tmp_path):
    table = compare(make_study(), tmp_path / "out", parallel=2, quiet=True)
    assert list(zip(table["fold"], table["method"], strict=True)) == [
        (0, "uniform"),
        (0, "d2ace"),
        (1, "uniform"),
        (1, "d2ace"),
    ]
    assert table["error"].isna().all() and table["key"].is_unique
    assert table["reference"].tolist() == [True, False] * 2
    config = Config.make(json.loads(table["config"].iloc[1]))
    assert config.selector.options["pressure"] == 20 and config.data.fold == 0
    stored = pq.read_table(tmp_path / "out" / "table.parquet")
    assert stored.schema.equals(SCHEMA, check_metadata=False)
    assert not list((tmp_path / "out" / "parts").iterdir())


def test_a_stopped_comparison_goes_on_and_ends_with_the_same_table(make_study, tmp_path):
    whole = compare(make_study(), tmp_path / "whole", parallel=2, quiet=True)
    study = make_study()
    assert len(compare(study, tmp_path / "cut", limit=1, quiet=True)) == 1
    first = read_table(tmp_path / "cut")["finished"].iloc[0]
    resumed = compare(study, tmp_path / "cut", parallel=2, quiet=True)
    assert resumed["finished"].iloc[0] == first or first in set(resumed["finished"])
    numbers = [name for name in SCHEMA.names if name.startswith(("validation/", "test"))]
    for name in ("key", *numbers):
        for mine, other in zip(resumed[name], whole[name], strict=True):
            np.testing.assert_array_equal(mine, other)


def test_a_finished_comparison_trains_and_writes_nothing(make_study, tmp_path, monkeypatch):
    compare(make_study(), tmp_path, parallel=2, quiet=True)
    written = (tmp_path / "table.parquet").stat().st_mtime_ns
    monkeypatch.setattr(execution, "_train", lambda *_: pytest.fail("trained again"))
    assert len(compare(make_study(), tmp_path, quiet=True)) == 4
    renamed = make_study(name="other", methods={"u": {"name": "uniform"}}, reference="u")
    assert compare(renamed, tmp_path, quiet=True)["method"].unique().tolist() == ["u"]
    assert (tmp_path / "table.parquet").stat().st_mtime_ns == written


def test_a_folder_tells_of_the_study_that_was_compared_last(make_study, tmp_path):
    first = make_study(folds=None)
    changed = make_study(folds=None, config={"optimizer": {"lr": 0.1}, "train": {"epochs": 4, "batch_size": 32}})
    found = [compare(study, tmp_path, quiet=True) for study in (first, changed)]
    pd.testing.assert_frame_equal(read_table(tmp_path), found[1])
    assert len(found[1]) == 2 and len(read_table(tmp_path, every=True)) == 4
    assert len(compare_methods(read_table(tmp_path), "map").verdicts) == 1
    compare(first, tmp_path, quiet=True)  # trains nothing
    pd.testing.assert_frame_equal(read_table(tmp_path), found[0])
    names = json.loads((tmp_path / "study.json").read_text())
    names["runs"][0]["fold"] = "first"
    (tmp_path / "study.json").write_text(json.dumps(names))
    with pytest.raises(RunError, match=r"study\.json.*'fold' of a run: expected a whole number, got 'first'"):
        read_table(tmp_path)


def test_equal_runs_of_a_study_train_once(make_study, tmp_path, monkeypatch):
    trained, train = [], execution._train
    monkeypatch.setattr(execution, "_train", lambda todo, *rest: (trained.extend(todo), train(todo, *rest)))
    study = make_study(methods={"uniform": {"name": "uniform"}, "twin": {"name": "uniform"}})
    table = compare(study, tmp_path, parallel=2, quiet=True)
    assert [run.method for run in trained] == ["uniform", "uniform"] and table["key"].nunique() == 2
    assert sorted(zip(table["method"], table["fold"], strict=True)) == [
        ("twin", 0),
        ("twin", 1),
        ("uniform", 0),
        ("uniform", 1),
    ]
    assert not compare_methods(table, "map").values.empty


def test_runs_keep_freed_memory_unless_the_user_decides(make_study, tmp_path, monkeypatch):
    def environment(run, neighbours, tested):
        return {name: os.environ.get(name) for name in KEPT_MEMORY}

    monkeypatch.setattr(execution, "run_to_row", environment)
    mine = next(iter(KEPT_MEMORY))
    runs, bounds = list(make_study().runs())[:1], execution.Bounds(1, None, float("inf"), None, quiet=True)
    row = next(execution._rows(runs, tmp_path, bounds))
    assert row == KEPT_MEMORY
    monkeypatch.setenv(mine, "7")
    row = next(execution._rows(runs, tmp_path, bounds))
    assert row == {**KEPT_MEMORY, mine: None}  # this Ray was started before the user's choice


def test_no_run_starts_after_the_time_is_up(make_study, tmp_path):
    assert len(compare(make_study(), tmp_path, parallel=1, minutes=0, quiet=True)) == 1
    assert len(compare(make_study(), tmp_path, parallel=1, minutes=10, quiet=True)) == 4


def test_parts_of_a_killed_comparison_count(make_study, tmp_path):
    compare(make_study(), tmp_path / "out", parallel=2, quiet=True)
    rows = pq.read_table(tmp_path / "out" / "table.parquet").to_pylist()
    killed = ResultTable(tmp_path / "killed")
    killed.add(rows[0])
    (tmp_path / "killed" / "parts" / ".half.parquet.tmp").write_bytes(b"PAR1")
    assert ResultTable(tmp_path / "killed").done() == {rows[0]["key"]}
    assert len(read_table(tmp_path / "killed")) == 1


def test_a_failed_run_is_a_row_and_is_tried_again(make_study, tmp_path):
    (tmp_path / "bad.parquet").write_bytes(b"no table")
    bad = {"name": "learnability", "options": {"reference": str(tmp_path / "bad.parquet")}}
    methods = {"uniform": {"name": "uniform"}, "bad": bad}
    study = make_study(methods=methods)
    table = compare(study, tmp_path, parallel=2, quiet=True).set_index("method")
    assert table.loc["uniform", "error"].isna().all()
    assert table.loc["bad", "error"].str.contains("bad.parquet").all()
    assert all(value is None for value in table.loc["bad", "test/map"])
    assert len(ResultTable(tmp_path).done()) == 2
    only_bad = make_study(methods={"bad": methods["bad"]}, reference="bad")
    with pytest.raises(RunError, match=r"every run failed, the first with: SelectionError: .*bad\.parquet"):
        compare(only_bad, tmp_path, quiet=True)


def test_a_killed_run_is_a_row_with_its_reason_and_the_others_are_trained(make_study, tmp_path, monkeypatch):
    run = execution.run_to_row

    def killed(which, neighbours, tested):
        if which.method == "d2ace" and which.fold == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return run(which, neighbours, tested)

    monkeypatch.setattr(execution, "run_to_row", killed)
    table = compare(make_study(), tmp_path, parallel=1, quiet=True).set_index(["method", "fold"])
    assert table.loc[("d2ace", 0), "error"].startswith("its process was killed (WorkerCrashedError")
    assert table["error"].notna().sum() == 1 and len(table) == 4
    monkeypatch.undo()
    assert compare(make_study(), tmp_path, parallel=2, quiet=True)["error"].isna().all()  # it is tried again


def test_two_comparisons_do_not_write_one_folder(make_study, tmp_path, monkeypatch):
    def second(*_):
        compare(make_study(name="second"), tmp_path, quiet=True)

    monkeypatch.setattr(execution, "_train", second)
    with pytest.raises(RunError, match=rf"process {os.getpid()} on \S+ is writing this comparison"):
        compare(make_study(), tmp_path, quiet=True)


def test_a_method_that_would_never_select_is_told_before_any_run(make_study, tmp_path):
    study = make_study(methods={"uniform": {"name": "uniform"}, "late": {"name": "d2ace", "options": {"warmup": 50}}})
    with pytest.raises(ConfigError, match="'d2ace' would choose no batch"):
        compare(study, tmp_path, quiet=True)
    assert not len(ResultTable(tmp_path).done())


def test_progress_is_a_line_a_run_in_a_log(make_study, tmp_path, capsys):
    compare(make_study(folds=None), tmp_path, parallel=1)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["1/2", "2/2"]
    assert "table x mlp x uniform, fold 0, seed 0" in lines[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reference": "unifrom"}, "did you mean 'uniform'"),
        ({"methods": {}}, "methods"),
        ({"methods": {"uniform": {"name": "unifrm"}}}, "no selection method is called 'unifrm'"),
        ({"methods": {"uniform": {"nme": "uniform"}}}, "unknown key 'methods.uniform.nme'; did you mean 'name'"),
        ({"folds": 1}, "folds"),
        ({"protocl": "clean"}, "unknown key 'protocl'; did you mean 'protocol'"),
        ({"seeds": [-1]}, "seeds"),
        ({"seeds": [0, 3, 0]}, "seeds: names 0 twice"),
        ({"config": {"selector": {"name": "loss-rank"}}}, r"config\.selector is decided by the study's 'methods'"),
        ({"config": {"run": {"seed": 7}}}, r"config\.run\.seed is decided by the study's 'seeds'"),
        ({"networks": {"m": {"config": {"data": {"folds": 3}}}}}, r"networks\.m\.config\.data\.folds is decided by"),
    ],
)
def test_wrong_studies_are_told_before_anything_runs(make_study, changes, message):
    with pytest.raises(ConfigError, match=message):
        make_study(**changes)


def test_wrong_settings_of_runs_are_told_with_where_they_stand(make_study, tmp_path):
    with pytest.raises(ConfigError, match=r"table x mlp x uniform: unknown key 'train\.epoch'; did you mean 'epochs'"):
        compare(make_study(config={"train": {"epoch": 3}}), tmp_path)
    with pytest.raises(DataError, match="nowhere"):
        compare(make_study(data={"table": {"path": "nowhere"}}), tmp_path)


def test_settings_of_data_and_networks_come_over_the_common_ones(make_study, table):
    study = make_study(
        data={"table": {"path": str(table), "config": {"train": {"epochs": 7}, "optimizer": {"lr": 0.2}}}},
        networks={"mlp": {"config": {"optimizer": {"lr": 0.1}}}},
    )
    config = next(study.runs()).config
    assert (config.train.epochs, config.train.batch_size, config.optimizer.lr) == (7, 32, 0.1)


def test_runs_are_known_by_the_content_of_named_files_not_by_their_place(make_study, tmp_path, monkeypatch):
    def key(path):
        method = {"name": "d2ace", "neighbour_features": str(path)}
        (run,) = make_study(methods={"d2ace": method}, reference="d2ace", folds=None).runs()
        return run.key

    first, moved = tmp_path / "first.npy", tmp_path / "moved.npy"
    np.save(first, np.zeros((230, 2)))
    before = key(first)
    np.save(moved, np.zeros((230, 2)))
    assert key(moved) == before
    np.save(first, np.ones((230, 2)))
    assert key(first) != before
    monkeypatch.setattr(origin, "package_version", lambda name: "9.9")
    assert key(moved) != before  # other versions compute other numbers


def test_runs_are_known_by_the_settings_of_their_preset(make_study):
    def key(**method):
        study = make_study(methods={"d2ace": {"name": "d2ace", **method}}, reference="d2ace", folds=None)
        return next(study.runs()).key

    recommended = {"warmup": 0.6, "draws": "systematic", "importance": 0.5}
    assert key() == key(options=recommended) != key(preset="paper")
    assert key(preset="paper", options=recommended) == key()


def test_the_model_of_a_reference_run_counts(make_study, make_config, tmp_path):
    def key():
        method = {"name": "learnability", "options": {"reference": str(run.path)}}
        (found,) = make_study(methods={"l": method}, reference="l", folds=None).runs()
        return found.key

    run = RunFolder.create(tmp_path / "run", make_config())
    run.weights.write_bytes(b"one")
    before = key()
    (run.path / "report.html").write_text("read since")
    assert key() == before
    run.weights.write_bytes(b"another")
    assert key() != before


def test_study_files_are_read_with_paths_beside_them(table, tmp_path):
    (tmp_path / "study.yaml").write_text(
        f"name: s\ndata: {{t: {{path: {table.name}}}}}\n"
        "networks: {mlp: {}}\nmethods: {uniform: {name: uniform}}\n"
    )
    (tmp_path / table.name).symlink_to(table)
    assert len(list(Study.load(tmp_path / "study.yaml").runs())) == 5
    (tmp_path / "bad.yaml").write_text("name: [\n")
    with pytest.raises(ConfigError, match=r"bad\.yaml:2: not valid YAML"):
        Study.load(tmp_path / "bad.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        Study.load(tmp_path / "missing.yaml")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("config: {optimiser: {}}", "t x mlp x uniform: unknown key 'optimiser'"),
        ("folds: 4294967296", "folds: .*less than or equal to 10000"),
        ("threads: 9223372036854775808", "threads: .*less than"),
        ("data: {t: {path: nowhere}}", "data.t: .*nowhere"),
    ],
)
def test_what_is_wrong_in_a_study_names_its_file(table, tmp_path, more, message):
    keys = {
        "name": "name: s",
        "data": f"data: {{t: {{path: {table}}}}}",
        "networks": "networks: {mlp: {}}",
        "methods": "methods: {uniform: {name: uniform}}",
    }
    (tmp_path / "study.yaml").write_text("\n".join((keys | {more.split(":")[0]: more}).values()))
    with pytest.raises((ConfigError, DataError), match=rf"study\.yaml: {message}"):
        list(Study.load(tmp_path / "study.yaml").runs())


def test_what_is_no_table_is_refused(tmp_path):
    with pytest.raises(RunError, match="no comparison is here"):
        read_table(tmp_path)
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "table.parquet")
    with pytest.raises(RunError, match="it has no column 'key'"):
        read_table(tmp_path)
    (tmp_path / "table.parquet").write_bytes(b"not parquet")
    with pytest.raises(RunError, match="cannot be read as Parquet"):
        read_table(tmp_path)
