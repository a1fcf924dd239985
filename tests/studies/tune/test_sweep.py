"""The description of a sweep: what is refused, and which configurations its points mean."""

import re

import pytest
import yaml

from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.studies.tune.sweep import Repeat, Sweep
from d2ace.tune_spaces.knobs import Choice, Real, Whole

LR = {"optimizer.lr": {"low": 0.001, "high": 0.1, "log": True}}


def test_points_are_random_but_the_same_for_the_same_seed(make_sweep):
    sweep = make_sweep(knobs=LR, trials=6)
    points = sweep.points()
    assert len(points) == 6 == sweep.n_trials
    assert points == make_sweep(knobs=LR, trials=6).points() != make_sweep(knobs=LR, trials=6, seed=1).points()
    assert points[:3] == make_sweep(knobs=LR, trials=3).points()  # more trials keep those that were there
    assert set(points[0]) == {"warmup", "pressure", "mixture_final", "importance", "draws", "optimizer.lr"}
    assert all(0.001 <= point["optimizer.lr"] <= 0.1 for point in points)
    assert len({point["pressure"] for point in points}) == 6


def test_a_grid_has_every_combination(make_sweep):
    knobs = {"optimizer.lr": {"choice": [0.1, 0.2]}, "train.batch_size": {"low": 16, "high": 64, "whole": True}}
    sweep = make_sweep(space="none", knobs=knobs, sampler="grid", trials=None)
    pairs = {(point["optimizer.lr"], point["train.batch_size"]) for point in sweep.points()}
    assert pairs == {(lr, size) for lr in (0.1, 0.2) for size in (16, 40, 64)}
    assert sweep.n_trials == 6


def test_a_point_becomes_settings_of_the_method_and_of_the_rest(make_sweep):
    sweep = make_sweep(config={"train": {"epochs": 20}}, knobs={**LR, "model.options.hidden": {"choice": [[8], [9]]}})
    point = {"warmup": 0.1, "pressure": 5.0, "optimizer.lr": 0.02, "model.options.hidden": [9]}
    config = sweep.make_config(point, Repeat(7, None))
    assert config.selector.options["warmup"] == 2
    assert config.selector.options["pressure"] == 5.0
    assert config.selector.options["neighbours"] == 3  # the base configuration's own stays
    assert config.optimizer.lr == 0.02
    assert config.model.options == {"hidden": [9]}
    assert config.run.seed == 7
    assert config.data.folds is None


def test_seeds_and_folds_multiply(make_sweep):
    sweep = make_sweep(seeds=[3, 4], folds=2)
    assert sweep.repeats() == [Repeat(3, 0), Repeat(3, 1), Repeat(4, 0), Repeat(4, 1)]
    config = sweep.make_config(sweep.points()[0], Repeat(4, 1))
    assert (config.run.seed, config.data.fold, config.data.folds) == (4, 1, 2)


def test_kinds_of_knobs(make_sweep):
    sections = make_sweep(
        space="none",
        knobs={
            "optimizer.lr": {"low": 0.1, "high": 1},
            "train.batch_size": {"low": 2, "high": 8, "whole": True, "log": True},
            "train.loss": {"choice": ["bce", "asl"]},
        },
    ).dimensions
    assert sections == {
        "optimizer.lr": Real(0.1, 1.0),
        "train.batch_size": Whole(2, 8, True),
        "train.loss": Choice(["bce", "asl"]),
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trails": 3}, "did you mean 'trials'"),
        ({"knobs": {"optimizer.lr": {"low": 1.0}}}, "either 'choice' or both 'low' and 'high'"),
        ({"knobs": {"optimizer.lr": {"low": 1.0, "high": 0.5}}}, "low < high"),
        ({"knobs": {"optimizer.lr": {"choice": []}}}, "at least one value"),
        ({"knobs": {"train.epochs": {"low": 5, "high": 9, "whole": True}}}, "all trials have the same epochs"),
        ({"knobs": {"selector.options.pressure": {"low": 5, "high": 9}}}, "come from its space"),
        ({"sampler": "grid"}, "choose grid_points"),
        ({"scheduler": "pbt", "sampler": "optuna"}, "starts from random points"),
        ({"seeds": []}, "seeds: expected at least one"),
        ({"scheduler": "hyperband"}, "'asha', 'pbt' or 'none'"),
    ],
)
def test_wrong_values_are_refused_when_the_sweep_is_made(make_sweep, changes, message):
    with pytest.raises(ConfigError, match=message):
        make_sweep(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"knobs": {"optimizer.rate": {"low": 1, "high": 2}}}, "unknown key 'optimizer.rate'"),
        ({"knobs": {"optimiser.lr": {"low": 1, "high": 2}}}, "did you mean 'optimizer'"),
        ({"space": "loss-rank"}, "is of method 'loss-rank', config.selector.name is 'd2ace'"),
        ({"space": "d2acee"}, "did you mean 'd2ace'"),
        ({"space": "none"}, "nothing to search"),
        ({"config": {"selector": {"name": "uniform", "options": {}}}}, "nothing to search: 'uniform'"),
        ({"config": {"train": {"epochs": 1}}}, "at least 2 epochs"),
        ({"config": {"train": {"epochz": 5}}}, "did you mean 'epochs'"),
        ({"space": "none", "knobs": LR, "scheduler": "pbt"}, "needs a method with a schedule"),
        ({"knobs": {"train.loss": {"choice": [7]}}}, "train.loss"),
    ],
)
def test_what_could_not_work_in_any_trial_is_refused_before_the_first(make_sweep, changes, message):
    sweep = make_sweep(**changes)
    with pytest.raises(ConfigError, match=message):
        sweep.check()


def test_a_good_sweep_passes_the_check(make_sweep):
    make_sweep(knobs=LR, seeds=[0, 1], folds=3, scheduler="pbt").check()


def test_data_of_a_file_lies_relative_to_it(make_sweep, tmp_path, table):
    values = make_sweep().model_dump(mode="json")
    values["config"]["data"]["path"] = "sub/table"
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(values))
    assert Sweep.load(tmp_path / "sweep.yaml").base.data.path == str(tmp_path / "sub" / "table")


def test_what_is_saved_is_read_back(make_sweep, tmp_path):
    sweep = make_sweep(knobs=LR, seeds=[1, 2])
    sweep.save(tmp_path / "sweep.yaml")
    assert Sweep.load(tmp_path / "sweep.yaml").model_dump() == sweep.model_dump()


def test_what_is_wrong_with_a_file_names_it(make_sweep, tmp_path):
    make_sweep(space="d2ac").save(tmp_path / "sweep.yaml")
    with pytest.raises(ConfigError, match=re.escape(f"{tmp_path / 'sweep.yaml'}: space: ")):
        Sweep.load(tmp_path / "sweep.yaml").check()


def test_a_sweep_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "bad.yaml").write_text("name: x\ntrials: [")
    with pytest.raises(ConfigError, match=r"bad\.yaml:2"):
        Sweep.load(tmp_path / "bad.yaml")
