"""A run says from which epoch it selects, and is refused when it never would."""

import pytest

from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.training.checks import check
from d2ace.pipeline.training.selection_start import selection_line
from d2ace.selectors import api


def configured(*overrides):
    return Config.make({"data": {"path": "nowhere"}}).with_overrides(list(overrides))


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (("train.epochs=10",), "selection from epoch 7 of 10 (d2ace)"),
        (("train.epochs=100",), "selection from epoch 61 of 100 (d2ace)"),
        (("train.epochs=2", "selector.name=loss-rank"), "selection from epoch 2 of 2 (loss-rank)"),
        (("train.epochs=20", "selector.options.warmup=0.5"), "selection from epoch 11 of 20 (d2ace)"),
        (("train.epochs=20", "selector.options.warmup=12"), "selection from epoch 13 of 20 (d2ace)"),
        (("train.epochs=5", "selector.name=balanced"), "selection from epoch 1 of 5 (balanced)"),
        (("train.epochs=5", "selector.name=uniform"), "no selection: every epoch of uniform is a permutation"),
        (("train.epochs=1",), "no selection: every epoch of d2ace is a permutation"),
    ],
)
def test_a_run_says_from_which_epoch_it_selects(overrides, line):
    config = configured(*overrides)
    check(config)
    assert selection_line(config).startswith(line)


@pytest.mark.parametrize("name", [name for name in api.names() if "warmup" in api.options(name)])
def test_a_run_that_ends_in_its_warm_up_is_refused_unless_asked_for(name, tmp_path):
    losses = tmp_path / "losses.parquet"
    losses.touch()  # a reference must be there, but is not read yet
    reference = [f"selector.options.reference={losses}"] if name == "learnability" else []
    chosen = [f"selector.name={name}", "train.epochs=8", "selector.options.warmup=8", *reference]
    with pytest.raises(ConfigError, match=r"no batch in this run of 8 epochs: its warm-up takes 8.*allow_uniform"):
        check(configured(*chosen))
    check(configured(*chosen, "selector.allow_uniform=true"))


def test_a_pressure_of_one_selects_nothing():
    with pytest.raises(ConfigError, match="its settings give all rows the same chance"):
        check(configured("selector.options.pressure=1"))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("warmup=-3", "warmup must be"),
        ("neighbours=many", "neighbours"),
        ("mixture=hardnes", "did you mean 'hardness'"),
    ],
)
def test_settings_out_of_range_are_told_before_anything_starts(setting, message):
    with pytest.raises(ConfigError, match=message):
        check(configured(f"selector.options.{setting}"))
