"""A run's data is found where it lies now: moved alone, moved with the runs, or not at all."""

import shutil

import pytest
from small_run import write_run
from small_table import write_table

from d2ace.pipeline import evaluate
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.errors import DataError, RunError
from d2ace.pipeline.results.explanation import explain
from d2ace.pipeline.results.report.run_source import RunSource
from d2ace.pipeline.runs.own_data import own_data
from d2ace.pipeline.runs.run_folder import RunFolder


@pytest.fixture
def project(tmp_path):
    """A folder with data and the folder of a run of it."""
    data = write_table(tmp_path / "project" / "data" / "t", shard_rows=1000)
    run = write_run(tmp_path / "project" / "runs" / "a", data)
    Config.load(run.config, [f"run.storage={run.path.parent}"]).save(run.config)
    return tmp_path / "project"


def found(run, place=None):
    folder = RunFolder.open(run)
    return own_data(folder, Config.load(folder.config), folder.data.load(), place).folder


def test_data_that_was_moved_together_with_the_runs_is_found(project):
    moved = project.rename(project.with_name("moved"))
    assert found(moved / "runs" / "a") == moved / "data" / "t"
    assert evaluate(moved / "runs" / "a") == evaluate(moved / "runs" / "a", moved / "data" / "t")


def test_a_run_that_was_moved_alone_still_knows_its_data(project):
    run = shutil.move(project / "runs" / "a", project / "elsewhere")
    assert found(run) == project / "data" / "t"


def test_data_that_was_moved_is_told_and_taken_with_the_runs_own_splits(project, monkeypatch):
    run, before = project / "runs" / "a", evaluate(project / "runs" / "a", split="validation")
    known = RunFolder(run).data.load()
    moved = (project / "data" / "t").rename(project / "t")
    with pytest.raises(RunError, match=r"not in .*data/t any more; if it was moved, .*: --data PATH"):
        evaluate(run, split="validation")
    monkeypatch.chdir(project)
    assert evaluate(run, "t", split="validation") == before
    assert explain(run, int(known.splits.train[0]), 0, data="t").labels == known.labels
    assert RunSource.open(run, "t").manifest().folder == moved


def test_other_data_is_refused_where_the_runs_own_is_meant(project):
    run = project / "runs" / "a"
    other = write_table(project / "other", shift=1.0)
    with pytest.raises(RunError, match=r"other is no longer what this run was made from"):
        explain(run, 0, data=other)
    with pytest.raises(DataError, match="is it a folder that `d2ace prepare` wrote"):
        found(run, project / "nowhere")


def test_other_data_is_evaluated_by_its_own_split(project):
    other = write_table(project / "other", shift=1.0)
    with pytest.raises(DataError, match="no rows are marked 'validation'"):
        evaluate(project / "runs" / "a", other, split="validation")
