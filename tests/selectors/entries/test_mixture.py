"""The mixture of two components that judges wrong positives."""

import numpy as np
import pytest
from spoilt_labels import EPOCHS, RELEASE, as_set, make, run, truth, with_wrong

from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.contract.inputs import require_same


def test_a_mixture_leaves_out_positives_of_the_worse_component():
    labels, added = with_wrong()
    policy = make("mixture", labels)
    lists = run(policy, RELEASE)
    assert lists == [None] * RELEASE
    run(policy, EPOCHS - RELEASE, RELEASE)
    left_out, summary = policy.targets(), policy.summary()
    right = added[left_out.rows, left_out.labels]
    assert (left_out.weights == 0).all() and right.mean() > 0.9 and right.sum() > 0.5 * added.sum()
    assert summary["gate_open"] and summary["separation"] > 3.0
    assert summary["flagged"] == len(left_out) == summary["wrong"].sum()
    assert summary["wrong_share"] == pytest.approx(len(left_out) / labels.sum())


def test_the_gate_of_a_mixture_is_the_separation_of_its_components():
    clean, noisy = make("mixture", truth()), make("mixture", with_wrong()[0])
    assert np.isnan(clean.summary()["separation"]) and not clean.summary()["gate_open"]
    for policy in (clean, noisy):
        run(policy, RELEASE)
        assert policy.summary()["settled"] == 1
        run(policy, EPOCHS - RELEASE, RELEASE)
    assert (clean.summary()["settled"], noisy.summary()["settled"]) == (1, 2)
    assert clean.targets() is None and not clean.summary()["gate_open"]
    apart = noisy.summary()["separation"]
    assert clean.summary()["separation"] < 3.0 < apart
    for least, is_open in ((apart - 0.01, True), (apart + 0.01, False)):
        policy = make("mixture", with_wrong()[0], separation=least)
        run(policy, EPOCHS)
        summary = policy.summary()
        assert summary["gate_open"] == is_open == (policy.targets() is not None) == (summary["flagged"] > 0)
        assert summary["separation"] == apart and (summary["wrong_share"] > 0) == is_open


def test_a_mixture_can_open_its_gate_for_one_label_alone():
    labels, added = truth(), with_wrong()[1]
    labels[added[:, 0], 0] = 1
    policy = make("mixture", labels)
    run(policy, EPOCHS)
    assert set(policy.targets().labels.tolist()) == {0}


def test_a_mixture_takes_a_state_of_schema_2_which_had_no_separation():
    policy, again = (make("mixture", with_wrong()[0]) for _ in range(2))
    run(policy, EPOCHS - 1)
    state = policy.state_dict()
    older = {name: value for name, value in state.items() if name != "separation"}
    with pytest.raises(SelectionError, match="lacks separation"):
        again.load_state_dict(older)
    again.load_state_dict({**older, "schema": 2})
    assert as_set(again.targets()) == as_set(policy.targets())
    for each in (policy, again):
        run(each, 1, EPOCHS - 1)
    require_same(again.state_dict(), policy.state_dict())


def test_an_epoch_counts_as_trained_with_flags_by_the_gate_it_began_with():
    policy = make("mixture", with_wrong()[0])
    for epoch in range(EPOCHS):
        trained_with = policy.targets()
        run(policy, 1, epoch)
        assert policy.summary()["settled"] == (1 if trained_with is None else 2)
    taken_back = make("mixture", with_wrong()[0], separation=policy.summary()["separation"] + 0.1)
    taken_back.load_state_dict(policy.state_dict())
    assert taken_back.summary()["settled"] == 0 and not taken_back.summary()["gate_open"]
    again = make("mixture", with_wrong()[0])
    again.load_state_dict(policy.state_dict())
    require_same(again.summary(), policy.summary())
