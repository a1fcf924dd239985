"""What studies may take at a time and in all is looked at before anything else is."""

import pytest
import yaml

from d2ace.pipeline.cli import main
from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.studies.compare import compare
from d2ace.pipeline.studies.incremental import run_study
from d2ace.pipeline.studies.tune import resume_sweep, tune


@pytest.mark.parametrize("train", [compare, run_study, tune], ids=lambda train: train.__name__)
def test_nothing_is_trained_with_no_run_at_a_time(tmp_path, train):
    with pytest.raises(ConfigError, match="parallel: expected at least 1, got 0"):
        train(tmp_path / "none.yaml", tmp_path / "out", parallel=0)


def test_no_sweep_goes_on_with_no_trial_at_a_time(tmp_path):
    with pytest.raises(ConfigError, match="parallel: expected at least 1, got -2"):
        resume_sweep(tmp_path, parallel=-2)


@pytest.mark.parametrize("minutes", [-1.0, float("nan")])
@pytest.mark.parametrize("train", [compare, run_study], ids=lambda train: train.__name__)
def test_minutes_are_a_number_from_0(tmp_path, train, minutes):
    with pytest.raises(ConfigError, match=r"minutes: expected 0 or more, got (-1|nan)"):
        train(tmp_path / "none.yaml", tmp_path / "out", minutes=minutes)


def test_a_limit_is_a_number_of_runs(tmp_path):
    with pytest.raises(ConfigError, match="limit: expected 0 or more, got -1"):
        compare(tmp_path / "none.yaml", tmp_path / "out", limit=-1)


def test_a_command_hands_on_that_nothing_may_run_at_a_time(tmp_path, capsys, monkeypatch):
    methods = {"methods": {"er": {"method": {"name": "er"}, "memory": {"per_class": 2}}}, "reference": "er"}
    study = {"name": "s", "data": {"a": {"protocols": ["B0-C2"], "sequence": {"data": {"path": "a"}}}}, **methods}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    monkeypatch.chdir(tmp_path)
    assert main(["incremental", "study.yaml", "out", "--parallel", "0"]) == 2
    assert "parallel: expected at least 1, got 0" in capsys.readouterr().err
