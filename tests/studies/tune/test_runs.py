"""The runs of a point: what ``fit`` gives, interrupted or not."""

import numpy as np
import pytest

from d2ace.pipeline import fit
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_labels
from d2ace.pipeline.feeds.row_store import materialise
from d2ace.pipeline.studies.tune import runs
from d2ace.pipeline.studies.tune.runs import TrialData, copy_states, train_side_by_side
from d2ace.pipeline.training.metrics import METRICS

pytestmark = pytest.mark.usefixtures("ray_session")


@pytest.fixture
def data(table, tmp_path):
    manifest = Manifest.load(table)
    return TrialData(materialise(manifest), read_labels(manifest), tmp_path / ".neighbours")


@pytest.fixture
def keep_all(monkeypatch):
    """Keep the state after every epoch."""
    monkeypatch.setattr(runs, "KEEP_EVERY_S", 0.0)


@pytest.fixture
def configs(make_sweep):
    sweep = make_sweep(seeds=[0, 5], config={"train": {"reduction": "exact"}})
    return [sweep.make_config(sweep.points()[0], repeat) for repeat in sweep.repeats()]


def numbers(epochs):
    """The records of all epochs without the clock's."""
    return [[{name: record[name] for name in (*METRICS, "epoch")} for record in records] for records in epochs]


def test_each_run_is_the_one_that_fit_makes(configs, data, tmp_path):
    epochs = list(train_side_by_side(configs, tmp_path / "trial", data))
    assert len(epochs) == 6
    for number, config in enumerate(configs):
        full = fit(config.with_overrides([f"run.storage={tmp_path}", f"run.name=full{number}"]), quiet=True)
        for records, record in zip(epochs, full.history, strict=True):
            assert {name: records[number][name] for name in METRICS} == {name: record[name] for name in METRICS}
    assert numbers(epochs)[-1][0] != numbers(epochs)[-1][1]


@pytest.mark.usefixtures("keep_all")
def test_an_interrupted_point_goes_on_and_tells_its_first_epochs_again(configs, data, tmp_path):
    whole = numbers(train_side_by_side(configs, tmp_path / "whole", data))
    broken = train_side_by_side(configs, tmp_path / "broken", data)
    first = [next(broken) for _ in range(3)]
    broken.close()
    again = list(train_side_by_side(configs, tmp_path / "broken", data))
    assert numbers(again) == whole
    assert again[:3] == first  # seconds too: they were not trained twice
    assert numbers(train_side_by_side(configs, tmp_path / "broken", data)) == whole


@pytest.mark.usefixtures("keep_all")
def test_a_point_killed_between_the_checkpoints_of_its_runs_goes_back_to_the_earlier_one(configs, data, tmp_path):
    whole = numbers(train_side_by_side(configs, tmp_path / "whole", data))
    broken = train_side_by_side(configs, tmp_path / "broken", data)
    for _ in range(3):
        next(broken)
    (tmp_path / "broken" / "1" / "checkpoints" / "epoch-00003-step-0000000").rename(tmp_path / "gone")
    assert numbers(train_side_by_side(configs, tmp_path / "broken", data)) == whole


def test_a_copied_state_goes_on_with_another_schedule(configs, data, make_sweep, tmp_path):
    donor = train_side_by_side(configs, tmp_path / "donor", data, keep_at=3)
    first = [next(donor) for _ in range(3)]
    copy_states(tmp_path / "donor", tmp_path / "heir")
    changed = [config.with_overrides(["selector.options.pressure=60"]) for config in configs]
    heir = list(train_side_by_side(changed, tmp_path / "heir", data))
    rest = [*first, *donor]
    assert heir[:3] == first
    assert numbers(heir[3:4]) == numbers(rest[3:4])  # its law was frozen before the change
    assert numbers(heir[4:]) != numbers(rest[4:])
    assert len(heir) == 6
    assert np.isfinite([record["macro_auc"] for records in heir for record in records]).all()


def test_states_are_kept_now_and_then_and_at_the_end(configs, data, tmp_path):
    whole = list(train_side_by_side(configs, tmp_path / "trial", data))
    kept = [path.name for path in sorted((tmp_path / "trial" / "1" / "checkpoints").iterdir())]
    assert kept == ["epoch-00006-step-0000000"]
    assert list(train_side_by_side(configs, tmp_path / "trial", data)) == whole  # nothing is trained twice
