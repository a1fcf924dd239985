"""Thresholds and calibration of a run: what is stored is what is read, and both scales decide alike."""

import numpy as np
import pytest
from scipy.special import expit, logit
from small_run import BEST, write_run

from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.runs.decisions import Decisions, calibrated, decisions_of, read_decisions, uncalibrated
from d2ace.pipeline.runs.trained_run import TrainedRun

COEFFICIENTS = np.array([[1.0, 1.0, 0.0], [0.5, 0.5, -1.0], [2.0, 0.5, 0.3], [0.0, 1.0, 1.0]])


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("decided") / "run", table, method="uniform")


def some_decisions(run, epoch=BEST):
    labels = TrainedRun.open(run.path).data.labels
    rng = np.random.default_rng(0)
    coefficients = np.abs(rng.normal(1, 0.3, (len(labels), 3)))
    return Decisions(labels, rng.uniform(0.1, 0.9, len(labels)), coefficients, epoch, {"rule": "f1"})


def test_what_is_stored_is_what_is_read(run):
    run.decisions.unlink(missing_ok=True)
    assert read_decisions(run.path) is None
    given = some_decisions(run)
    assert given.save(run) == run.path / "decisions.json"
    found = read_decisions(run.path)
    assert found.labels == given.labels and found.epoch == BEST and found.about == {"rule": "f1"}
    assert np.array_equal(found.raw_thresholds, given.raw_thresholds)
    assert np.array_equal(found.coefficients, given.coefficients)


def test_decisions_for_other_weights_are_left_aside_and_told(run, caplog):
    some_decisions(run).save(run)
    opened = TrainedRun.open(run.path)
    assert decisions_of(opened) is not None and not caplog.text
    some_decisions(run, epoch=BEST + 1).save(run)
    assert decisions_of(opened) is None
    assert f"for the weights of epoch {BEST + 2}, the run's best are now those of epoch {BEST + 1}" in caplog.text


def test_a_damaged_file_is_told_with_what_to_do(run):
    run.decisions.write_text('{"schema_version": 1, "labels": [{"name": "a"}], "best_epoch": 0}')
    with pytest.raises(RunError, match=r"decisions.json: damaged .*choose them again with d2ace decide"):
        read_decisions(run.path)
    run.decisions.write_text('{"schema_version": 9}')
    with pytest.raises(RunError, match="schema version 9, expected 1"):
        read_decisions(run.path)


def test_calibration_has_platt_and_temperature_as_special_cases_and_keeps_the_order():
    p = np.linspace(0.01, 0.99, 50)
    columns = np.tile(p[:, None], (1, 4))
    found = calibrated(columns, COEFFICIENTS)
    assert np.allclose(found[:, 0], p) and np.allclose(found[:, 1], expit(0.5 * logit(p) - 1))
    assert (np.diff(found, axis=0) > 0).all()
    assert np.isfinite(calibrated(np.array([0.0, 1.0, 0.0, 1.0], np.float32), COEFFICIENTS)).all()


def test_thresholds_on_either_scale_decide_alike():
    p = np.random.default_rng(1).uniform(0, 1, (500, 4))
    wanted = np.array([0.3, 0.4, 0.6, 0.9])
    raw = uncalibrated(wanted, COEFFICIENTS)
    assert np.array_equal(p > raw, calibrated(p, COEFFICIENTS) > wanted)
