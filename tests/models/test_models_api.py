"""The registry, the context, and the settings of the plain networks."""

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from d2ace.pipeline import models
from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.models.api import ModelContext, prior_logits

TABLE = ModelContext(3, (4,), (5, 0, 10), 10)
IMAGE = ModelContext(3, (3, 32, 32), (5, 0, 10), 10)


def test_unknown_networks_and_settings_say_what_was_meant():
    with pytest.raises(ConfigError, match="no network is called 'mpl'; did you mean 'mlp'"):
        models.create("mpl", TABLE)
    with pytest.raises(ConfigError, match="network 'mlp' has no setting 'droput'; did you mean 'dropout'"):
        models.create("mlp", TABLE, droput=0.5)
    with pytest.raises(ConfigError, match="did you mean 'widths'"):
        models.check_options("small-cnn", {"width": (8,)})
    models.check_options("mlp", {"hidden": [4]})


def test_options_are_listed_with_their_defaults():
    assert {key: p.default for key, p in models.options("mlp").items()} == {
        "hidden": (512, 512),
        "dropout": 0.0,
        "activation": "relu",
        "prior_bias": True,
    }


@pytest.mark.parametrize(
    ("name", "context", "settings", "message"),
    [
        (
            "mlp",
            TABLE,
            {"dropout": 1.0},
            "dropout of network 'mlp' must be a number of at least 0 and below 1, got 1.0",
        ),
        ("mlp", TABLE, {"dropout": "much"}, "got 'much'"),
        ("mlp", TABLE, {"hidden": [8, 0]}, r"list of positive whole numbers, got \[8, 0\]"),
        ("mlp", TABLE, {"hidden": 8}, "list of positive whole numbers, got 8"),
        ("mlp", TABLE, {"activation": "rellu"}, "did you mean 'relu'"),
        ("small-cnn", IMAGE, {"widths": []}, "list of positive whole numbers"),
        ("small-cnn", IMAGE, {"widths": [8, 12]}, "multiples of 8"),
        ("small-cnn", TABLE, {}, r"takes an image \(C, H, W\), but the data has rows of shape \(4,\)"),
    ],
)
def test_refuses_settings_out_of_range(name, context, settings, message):
    with pytest.raises(ConfigError, match=message):
        models.create(name, context, **settings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, (4,), (), 10), "at least one label"),
        ((3, (4,), (1, 2), 10), "2 label counts for 3 labels"),
        ((3, (4,), (1, 2, 3), 10, np.zeros((3, 2))), r"shape \(3, 3\), got \(3, 2\)"),
    ],
)
def test_a_context_that_does_not_fit_together_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        ModelContext(*arguments)


@pytest.mark.parametrize(("name", "context"), [("mlp", TABLE), ("small-cnn", IMAGE)])
def test_the_prior_bias_starts_at_the_label_frequencies(name, context):
    torch.manual_seed(0)
    model = models.create(name, context)
    start = model(torch.zeros(2, *context.input_shape)).logits.sigmoid()
    torch.testing.assert_close(start[0], torch.tensor([6 / 12, 1 / 12, 11 / 12]))
    assert torch.isfinite(prior_logits(context)).all()
    plain = models.create(name, context, prior_bias=False)
    torch.testing.assert_close(plain(torch.zeros(1, *context.input_shape)).logits, torch.zeros(1, 3))


def test_mlp_without_hidden_layers_is_logistic_regression():
    model = models.create("mlp", TABLE, hidden=[])
    assert [tuple(p.shape) for p in model.parameters()] == [(3, 4), (3,)]


def test_small_cnn_costs_about_ten_megaflops_for_a_small_image():
    for channels, limit in ((1, 10e6), (3, 10.5e6)):
        context = ModelContext(3, (channels, 32, 32), (5, 0, 10), 10)
        with FlopCounterMode(display=False) as counter:
            models.create("small-cnn", context)(torch.zeros(1, channels, 32, 32))
        assert counter.get_total_flops() <= limit
