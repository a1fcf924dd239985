"""Replaying a run's observations: the run's own method gives the run, others something else."""

import shutil

import numpy as np
import pytest

from d2ace.pipeline import fit
from d2ace.pipeline.cli import main
from d2ace.pipeline.common.errors import ConfigError, RunError
from d2ace.pipeline.results.simulation import simulate
from d2ace.selectors import api

SETTINGS = {"warmup": 1, "neighbours": 3, "pressure": 20}


@pytest.fixture(scope="module")
def make_run(table, tmp_path_factory, ray_session):
    def make(method, options, record=True):
        return fit(
            {
                "data": {"path": str(table)},
                "model": {"options": {"hidden": [16]}},
                "selector": {"name": method, "options": options},
                "optimizer": {"lr": 0.03},
                "train": {"epochs": 4, "batch_size": 32},
                "run": {"storage": str(tmp_path_factory.mktemp("runs")), "workers": 0, "record_observations": record},
            },
            quiet=True,
        ).folder

    return make


@pytest.fixture(scope="module")
def uniform_run(make_run):
    return make_run("uniform", {})


@pytest.fixture(scope="module")
def d2ace_run(make_run):
    return make_run("d2ace", SETTINGS)


def test_a_uniform_run_replayed_through_d2ace(uniform_run):
    found = simulate(uniform_run, "d2ace", SETTINGS)
    rows = np.load(uniform_run / "training_rows.npy")
    assert found.epochs == 4
    assert (found.own.draws == 4).all() and len(found.own.draws) == len(rows)
    np.testing.assert_array_equal(found.own.exposure, 4 * found.positives)
    np.testing.assert_array_equal(found.own.effective_sample_size, np.ones(4))
    assert found.other.draws.sum() == 4 * len(rows)
    assert found.other.draws.max() > 6
    assert found.other.effective_sample_size[0] == 1 and (found.other.effective_sample_size[1:-1] < 0.95).all()
    assert 0.3 < found.shared_draws < 1
    assert np.isnan(found.rank_correlation)


def test_the_runs_own_method_gives_the_run(d2ace_run):
    found = simulate(d2ace_run, "d2ace", SETTINGS)
    rows = np.load(d2ace_run / "training_rows.npy")
    drawn = np.concatenate([np.load(path) for path in (d2ace_run / "order").iterdir()])
    np.testing.assert_array_equal(found.own.draws, [(drawn == row).sum() for row in rows])
    np.testing.assert_array_equal(found.other.draws, found.own.draws)
    assert found.shared_draws == 1 and found.rank_correlation == pytest.approx(1)
    milder = simulate(d2ace_run, "d2ace", {**SETTINGS, "pressure": 1.01, "draws": "independent"})
    assert milder.other.effective_sample_size.min() > 0.999 > found.own.effective_sample_size.min()
    assert milder.rank_correlation < 0.9


@pytest.mark.parametrize("method", sorted(set(api.names()) - {"learnability"}))  # that needs a reference model
def test_every_method_can_be_simulated(uniform_run, method):
    found = simulate(uniform_run, method)
    assert found.other.method == method and found.other.draws.sum() > 0
    assert method in str(found)


def test_only_the_epochs_recorded_without_a_gap_are_replayed(d2ace_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(d2ace_run, run)
    (run / "observations" / "epoch-00002.npz").unlink()
    found = simulate(run, "uniform")
    assert found.epochs == 2 and (found.other.draws == 2).all()


def test_the_command_prints_both_methods(uniform_run, capsys):
    arguments = ["simulate", str(uniform_run), "--method", "d2ace"]
    assert main([*arguments, *(f"--option={key}={value}" for key, value in SETTINGS.items())]) == 0
    shown = capsys.readouterr().out
    assert f"4 recorded epochs of {uniform_run}" in shown
    for word in ("uniform (the run)", "rows never drawn", "effective sample size, mean", "draws in common", "label4"):
        assert word in shown


def test_mistakes_are_told(uniform_run, make_run):
    with pytest.raises(ConfigError, match="no selection method is called 'd2cae'; did you mean 'd2ace'"):
        simulate(uniform_run, "d2cae")
    with pytest.raises(ConfigError, match="has no setting 'presure'; did you mean 'pressure'"):
        simulate(uniform_run, "d2ace", {"presure": 3})
    with pytest.raises(RunError, match=r"train with run\.record_observations=true"):
        simulate(make_run("uniform", {}, record=False), "d2ace")
