"""What may change when a run goes on."""

import pytest
import torch

from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.training.changes import MAY_CHANGE, _differences, changed, may_change
from d2ace.pipeline.training.optim import build_scheduler, load_scheduler

CONFIG = Config.make({"data": {"path": "x"}, "train": {"epochs": 5}})


def test_more_epochs_other_workers_and_what_is_kept_may_change():
    overrides = ["train.epochs=40", "selector.ranges=2", "run.workers=2", "run.keep_checkpoints=1"]
    wanted = changed(CONFIG, overrides, finished_epochs=5)
    assert (wanted.train.epochs, wanted.run.workers, wanted.run.keep_checkpoints) == (40, 2, 1)
    assert wanted.selector.ranges == 2  # the plans are the same
    assert changed(CONFIG, ["optimizer.lr=1e-3"], 0) == CONFIG  # what it is already


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("optimizer.lr=0.5", "optimizer.lr"),
        ("selector.options.warmup=3", "selector.options.warmup"),
        ("run.seed=4", "run.seed"),
        ("data.path=y", "data.path"),
    ],
)
def test_other_changes_are_refused_with_the_list_of_what_may(override, key):
    with pytest.raises(ConfigError) as caught:
        changed(CONFIG, ["train.epochs=40", override], 5)
    assert str(caught.value).startswith(f"{key}: cannot change when a run goes on")
    assert ", ".join(MAY_CHANGE) in str(caught.value)


def test_fewer_epochs_than_are_done_are_refused():
    with pytest.raises(ConfigError, match=r"train\.epochs=3: the run has finished 5 epochs already"):
        changed(CONFIG, ["train.epochs=3"], 5)


def test_epochs_whose_warm_up_would_lie_before_embeddings_that_were_never_made_are_refused():
    selector = {"name": "d2ace", "neighbour_features": "embeddings", "options": {"warmup": 0.6}}
    config = Config.make({"data": {"path": "x"}, "train": {"epochs": 10}, "selector": selector})
    with pytest.raises(ConfigError, match=r"train\.epochs=5: the warm-up would take 3 epochs, .* finished 4, "):
        changed(config, ["train.epochs=5"], 4)
    assert changed(config, ["train.epochs=5"], 2).train.epochs == 5
    assert changed(config, ["train.epochs=7"], 6).train.epochs == 7 and changed(config, ["train.epochs=20"], 8)


@pytest.mark.parametrize(("options", "release"), [({}, 20), ({"release": 0.5}, 30), ({"release": 7}, 7)])
@pytest.mark.parametrize("epochs", [30, 90])
def test_a_policy_for_entries_begins_in_its_epoch_whatever_the_epochs(options, release, epochs):
    given = {"data": {"path": "x"}, "train": {"epochs": 60}, "selector": {"entries": {"policy": "correct"}}}
    given["selector"]["entries"]["options"] = options
    config = Config.make(given)
    wanted = changed(config, [f"train.epochs={epochs}"], 12)
    assert wanted.selector.entries.options == {"release": release, "ramp": 3} and wanted.train.epochs == epochs
    assert not [key for key in _differences(config.model_dump(mode="json"), wanted) if not may_change(key)]
    assert changed(config, ["run.workers=2"], 12).selector == config.selector
    given["train"]["epochs"] = 90
    by_hand = _differences(config.model_dump(mode="json"), Config.make(given))  # of config.yaml
    assert ("selector.entries.options.release" in by_hand) == (options != {"release": 7})


def test_flags_that_grew_quickly_in_a_short_run_are_not_taken_back_when_it_gets_longer():
    given = {"data": {"path": "x"}, "train": {"epochs": 2}, "selector": {"entries": {"policy": "correct"}}}
    wanted = changed(Config.make(given), ["train.epochs=10"], 2)
    assert wanted.selector.entries.options == {"release": 1, "ramp": 1}
    assert not [key for key in _differences(given, wanted) if not may_change(key)]


def test_the_learning_rate_follows_the_longer_schedule():
    def scheduler(total):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        return build_scheduler(optimizer, kind="cosine", total_steps=total)

    short, long = scheduler(10), scheduler(40)
    for made, steps in ((short, 10), (long, 11)):
        for _ in range(steps):
            made.optimizer.step()
            made.step()
    resumed = scheduler(40)
    resumed.optimizer.load_state_dict(short.optimizer.state_dict())
    load_scheduler(resumed, short.state_dict())
    first = [group["lr"] for group in resumed.optimizer.param_groups]
    assert first == resumed.get_last_lr() == [long.lr_lambdas[0](10)] and first[0] > 0.5  # not the end of the short one
    resumed.optimizer.step()
    resumed.step()
    assert resumed.get_last_lr() == long.get_last_lr() and resumed.get_last_lr()[0] > 0.5
