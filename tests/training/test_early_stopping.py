"""A run that no longer improves ends, on all workers alike; and goes on as if it had never stopped."""

import json
from types import SimpleNamespace

import pytest
from small_table import orders, write_table

from d2ace.pipeline import fit
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.results.report import report
from d2ace.pipeline.studies.tune.execution import tune
from d2ace.pipeline.studies.tune.sweep import Sweep
from d2ace.pipeline.training.checks import check_data
from d2ace.pipeline.training.driver import resume
from d2ace.pipeline.training.hooks.early_stopping import EarlyStopping

STILL = ("optimizer.name=sgd", "optimizer.momentum=0", "optimizer.lr=1e-30", "train.epochs=6")
"""Nothing is learnt: the first epoch stays the best."""


@pytest.mark.usefixtures("words_only")
def test_a_run_that_does_not_improve_stops_and_says_so(make_config, capsys):
    result = fit(make_config("run.name=a", "train.patience=2", *STILL))
    assert len(result.history) == 3 and result.stopped_early and result.best_epoch == 0
    assert "stopped early: macro_auc was best in epoch 1 and has not improved for 2 epochs (train.patience=2); " in (
        capsys.readouterr().out
    )
    kept = json.loads((result.folder / "result.json").read_text())
    assert kept["stopped_early"] is True and kept["epochs"] == 3
    page = report(result.folder).read_text()
    assert "3 of 6 epochs (stopped early: macro_auc did not improve for 2 epochs)" in page


def test_a_stopped_run_stays_stopped_and_goes_on_with_more_patience_as_if_never_stopped(make_config):
    whole = fit(make_config("run.name=whole", *STILL), quiet=True)
    assert not whole.stopped_early
    stopped = fit(make_config("run.name=a", "train.patience=2", *STILL), quiet=True)
    assert len(resume(stopped.folder, quiet=True).history) == 3
    again = resume(stopped.folder, quiet=True, overrides=["train.patience=null"])
    assert not again.stopped_early and len(again.history) == 6
    assert orders(again.folder) == orders(whole.folder)
    assert [record["macro_auc"] for record in again.history] == [record["macro_auc"] for record in whole.history]


def test_a_run_whose_last_epoch_ends_its_patience_was_not_stopped(make_config, capsys):
    result = fit(make_config("run.name=a", "train.patience=5", *STILL))
    assert len(result.history) == 6 and not result.stopped_early
    assert "stopped early" not in capsys.readouterr().out


class Others:
    """A worker that is not the first: it knows of no metric, and hears the first one's decision."""

    first = False

    def __init__(self, heard):
        self._heard = heard

    def agree(self, value):
        return self._heard


@pytest.mark.parametrize("heard", [True, False])
def test_other_workers_do_what_the_first_decides(heard):
    selector = SimpleNamespace(entries=None)
    config = SimpleNamespace(train=SimpleNamespace(patience=2, monitor="map", epochs=9), selector=selector)
    training = SimpleNamespace(config=config, ranks=Others(heard))
    hook = EarlyStopping(SimpleNamespace(best=None), SimpleNamespace(tell=pytest.fail))
    hook.after_epoch(training, SimpleNamespace(number=3))
    assert hook.over is heard


@pytest.mark.parametrize(("policy", "until"), [("correct", 4 + 3), ("mixture", 4 + 1)])
def test_no_run_stops_before_an_epoch_could_be_trained_with_all_flags_of_its_policy(policy, until):
    entries = {"policy": policy, "options": {"release": 4}}
    config = Config.make(
        {"data": {"path": "x"}, "train": {"patience": 2, "epochs": 12}, "selector": {"entries": entries}}
    )
    told = []
    ranks = SimpleNamespace(first=True, agree=lambda value: value)
    best = {"epoch": 0, "settled": 1}
    hook = EarlyStopping(SimpleNamespace(best=best), SimpleNamespace(tell=told.append))
    for number in range(until - 1):
        hook.after_epoch(SimpleNamespace(config=config, ranks=ranks), SimpleNamespace(number=number))
        assert not hook.over
    hook.after_epoch(SimpleNamespace(config=config, ranks=ranks), SimpleNamespace(number=until - 1))
    assert hook.over and "was best in epoch 1 and has not improved" in told[0]  # the gate stayed shut
    best |= {"epoch": until - 1, "settled": 2}
    hook.after_epoch(SimpleNamespace(config=config, ranks=ranks), SimpleNamespace(number=until - 1))
    assert not hook.over
    hook.after_epoch(SimpleNamespace(config=config, ranks=ranks), SimpleNamespace(number=until + 1))
    assert hook.over and f"best in epoch {until} of those with all flags of the policy and has not" in told[1]


def test_without_patience_nobody_is_asked():
    training = SimpleNamespace(config=SimpleNamespace(train=SimpleNamespace(patience=None)))
    hook = EarlyStopping(SimpleNamespace(best={"epoch": 0}), SimpleNamespace())
    hook.after_epoch(training, SimpleNamespace(number=30))
    assert not hook.over


def test_patience_without_validation_rows_is_refused(make_config):
    config = make_config("train.patience=2", "data.validation_fraction=0")
    with pytest.raises(ConfigError, match=r"train\.patience=2 needs validation rows"):
        check_data(config, Manifest.load(config.data.path))


@pytest.mark.parametrize("value", ["0", "-1", "soon"])
def test_patience_is_a_number_of_epochs(make_config, value):
    with pytest.raises(ConfigError, match=r"train\.patience"):
        make_config(f"train.patience={value}")


def test_sweeps_train_all_epochs(tmp_path):
    data = str(write_table(tmp_path / "table"))
    settings = {"data": {"path": data}, "train": {"patience": 2}, "run": {"workers": 0}}
    sweep = Sweep.make({"name": "s", "config": settings, "trials": 2})
    with pytest.raises(ConfigError, match=r"train\.patience=2: trials of a sweep are compared epoch by epoch"):
        tune(sweep, tmp_path / "sweep", quiet=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table"]
