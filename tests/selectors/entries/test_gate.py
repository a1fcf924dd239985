"""The gate of entry policies: open where flags are right more often than wrong, shut where they are not."""

import numpy as np
import pytest
from spoilt_labels import EPOCHS, FLAGGING, HELD_OUT, RELEASE, L, N, damaged, everything, make, run, spoilt, truth

from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.contract.inputs import require_same


@pytest.mark.parametrize("name", FLAGGING)
def test_the_gate_leaves_clean_labels_alone(name):
    policy = make(name, truth())
    run(policy, EPOCHS, labels=truth(), held_out=everything())
    assert policy.targets() is None
    summary = policy.summary()
    assert summary["settled"] == 1 and not summary["gate_open"]
    assert summary["flagged"] == 0 and summary["wrong_share"] < 0.1
    assert policy.tells_chances and policy.chances(0, 200).sum() < 25


def test_the_gate_stays_shut_where_wrong_entries_look_like_others():
    """A network that knows nothing: half of the positives are missing, but nothing tells which."""
    labels = damaged(0.5)
    policy = make("correct", labels)
    for epoch in range(EPOCHS):
        seen = np.random.default_rng(epoch).random((N + HELD_OUT, L))
        policy.observe(np.arange(N), seen[:N])
        if epoch == policy.held_out_after:
            policy.observe_held_out(seen[N:], spoilt(0.5)[N:])
        policy.end_epoch(epoch)
    summary = policy.summary()
    assert not policy.tells_chances and np.isnan(policy.chances(0, 5)).all()
    assert policy.targets() is None and not summary["gate_open"]
    assert summary["wrong_share"] > 0.1 and abs(summary["skill"]) < 0.3


@pytest.mark.parametrize(
    ("kind", "share", "skill", "is_open"),
    [
        ("missing", 0.39, 0.64, False),
        ("missing", 0.39, 0.65, True),
        ("missing", 0.41, 0.61, True),
        ("missing", 0.41, 0.59, False),
        ("missing", 0.27, 0.65, True),
        ("missing", 0.26, 0.9, False),  # what a network that has learnt little sees in complete labels
        ("wrong", 0.1, 0.5, True),
        ("wrong", 0.1, 0.49, False),
        ("wrong", 0.09, 0.9, False),
    ],
)
def test_the_gate_asks_for_a_share_and_for_less_skill_where_it_is_large(kind, share, skill, is_open):
    policy = make("correct", damaged(), suspects=kind)
    run(policy, RELEASE)
    positives = damaged().sum()
    wrong = np.array([share * positives / (1 - share if kind == "missing" else 1), 0.0, 0.0]) + 1e-9
    policy.load_state_dict({**policy.state_dict(), "wrong": wrong, "skill": skill + 1e-9})
    assert policy.summary()["wrong_share"] == pytest.approx(share) and policy.summary()["gate_open"] == is_open
    run(policy, 1, RELEASE)
    assert (policy.targets() is not None) == is_open


def test_a_share_that_the_user_gives_is_the_gates_bar_for_both_kinds():
    for kind in ("missing", "wrong"):
        policy = make("correct", damaged(), suspects=kind, gate=0.2)
        run(policy, RELEASE)
        for share in (0.19, 0.21):
            positives = damaged().sum()
            wrong = np.array([share * positives / (1 - share if kind == "missing" else 1), 0.0, 0.0])
            policy.load_state_dict({**policy.state_dict(), "wrong": wrong, "skill": 0.9})
            assert policy.summary()["gate_open"] == (share > 0.2)


@pytest.mark.parametrize("name", FLAGGING)
def test_without_a_gate_clean_labels_are_touched_too(name):
    always = make(name, damaged(0.03), gate=0.0, skill=0.0)
    run(always, EPOCHS, held_out=spoilt(0.03))
    assert always.summary()["gate_open"]


@pytest.mark.parametrize("unlisted", ["negative", "unknown"])
def test_held_out_rows_with_all_their_labels_tell_what_is_missing(unlisted):
    labels = damaged()
    if unlisted == "unknown":
        labels[labels == 0] = np.nan
    policy = make("correct", labels)
    run(policy, EPOCHS, held_out=everything())
    hidden = (truth() == 1) & (labels != 1)
    flagged, summary = policy.targets(), policy.summary()
    shares, named = everything()[N:].mean(axis=0), (labels == 1).sum(axis=0)
    assert summary["gate_open"] and policy.tells_chances
    np.testing.assert_allclose(summary["wrong"][:2], (N * shares - named)[:2], rtol=1e-5)
    right = hidden[flagged.rows, flagged.labels].sum()
    assert right > 0.85 * hidden.sum() and right > 0.8 * hidden.sum() / summary["wrong"].sum() * len(flagged)
    again = make("correct", labels)
    again.load_state_dict(policy.state_dict())
    require_same(again.state_dict(), policy.state_dict())
    older = {name: value for name, value in policy.state_dict().items() if name != "complete"}
    with pytest.raises(SelectionError, match="lacks complete"):
        again.load_state_dict(older)
    again.load_state_dict({**older, "schema": 4})


def test_held_out_rows_with_unknown_labels_are_not_complete_however_many_they_name():
    labels, some = damaged(), everything()
    labels[labels == 0] = np.nan
    some[(np.random.default_rng(8).random(some.shape) < 0.1) & (some == 0)] = np.nan
    policy = make("correct", labels)
    run(policy, EPOCHS, held_out=some)
    assert not policy.state_dict()["complete"]
    run(complete := make("correct", labels), EPOCHS, held_out=everything())
    assert complete.state_dict()["complete"]


def test_flags_that_are_right_more_often_than_wrong_open_the_gate_where_held_out_rows_are_complete():
    policy, asked = make("correct", damaged()), make("correct", damaged(), skill=0.65)
    for each in (policy, asked):
        run(each, EPOCHS, held_out=everything())
    assert [each._bar(0.3) for each in (policy, asked)] == [0.5, 0.65]
    few = policy.state_dict()["wrong"] * 0.15 / policy.summary()["wrong_share"]
    policy.load_state_dict({**policy.state_dict(), "wrong": few})
    assert 0.1 < policy.summary()["wrong_share"] < 0.27 and policy.summary()["gate_open"]


def test_unknown_entries_of_held_out_rows_are_no_zeros_where_training_rows_know_all():
    some = spoilt()
    some[np.random.default_rng(9).random(some.shape) < 0.6] = np.nan
    told = []
    for held_out in (spoilt(), some):
        policy = make("correct", damaged())
        run(policy, EPOCHS, held_out=held_out)
        told.append(policy.summary())
    np.testing.assert_allclose(told[1]["wrong"][:2], told[0]["wrong"][:2], rtol=0.35)
    hidden = ((truth() == 1) & (damaged() == 0)).sum(axis=0)
    assert (told[1]["wrong"][:2] < 1.35 * hidden[:2]).all()
