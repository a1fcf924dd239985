"""When a run's policy for entries begins and has all its flags; one that could take no effect is refused."""

import pytest

from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.training.checks import check
from d2ace.pipeline.training.entry_release import epochs_until_settled, ramp_from, release_of
from d2ace.pipeline.training.local_run import LocalRun
from d2ace.selectors.entries import api as policies


def entries(policy, **options):
    return f"selector.entries={ {'policy': policy, 'options': options} }"


@pytest.mark.parametrize("name", ["correct", "mixture"])
@pytest.mark.parametrize("epochs", [2, 3, 4, 5, 20])
def test_by_default_every_run_has_an_epoch_with_all_flags(make_config, name, epochs):
    config = make_config(f"train.epochs={epochs}", entries(name))
    check(config)
    assert epochs_until_settled(config) <= epochs
    if name == "correct" and epochs >= 4:
        assert ramp_from(config, epochs) == 3  # as ever
    assert ramp_from(config, epochs) == {"mixture": None, "correct": min(3, epochs - release_of(config, epochs))}[name]


WRONG = [
    ("correct", 5, {"release": 9}, r"flags begin after 9 epochs \(release\), so .* at least 10"),
    ("correct", 5, {"release": 4, "ramp": 2}, r"after 4 epochs \(release\) and grow over 2 \(ramp\), so .* epoch 6"),
    ("soft", 10, {"ramp": 8}, r"of 10 epochs: .* grow over 8 \(ramp\), so .* epoch 11, .* train.epochs to at least 11"),
    ("mixture", 4, {"release": 4}, r"first epoch with all of them would be epoch 5"),
    ("reject", 5, {"release": "soon"}, r"selector.entries.options of 'reject': release must be a whole number"),
    ("reject", 5, {"ramp": 0}, r"selector.entries.options of 'reject': ramp must be a whole number of at least 1"),
]


@pytest.mark.parametrize(("name", "epochs", "options", "words"), WRONG)
def test_a_run_that_would_keep_weights_from_before_its_flags_is_refused(
    make_config, prepared, name, epochs, options, words
):
    config = make_config(f"train.epochs={epochs}", entries(name, **options))
    with pytest.raises(ConfigError, match=words):
        check(config)
    with pytest.raises(ConfigError, match=words):
        LocalRun(config, prepared)  # a trial whose point nobody knew before


def test_what_just_fits_is_taken_and_a_run_of_one_epoch_needs_no_permission(make_config):
    check(make_config("train.epochs=5", entries("correct", release=4, ramp=1)))
    check(make_config("train.epochs=5", entries("mixture", release=4)))
    check(make_config("train.epochs=1", entries("correct"), "selector.options={}"))


def test_a_ramp_of_three_epochs_is_the_default_where_the_run_has_them(prepared):
    labels = prepared.labels
    told, default = (policies.create("correct", labels, epochs=4, release=1, **given) for given in ({"ramp": 3}, {}))
    assert told._ramp == default._ramp == 3
    assert policies.create("correct", labels, epochs=3, release=1)._ramp == 2
