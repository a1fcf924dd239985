"""Entry policies on labels with planted faults: what every one must do, and what each does with what it flags."""

import numpy as np
import pytest
from spoilt_labels import (
    EPOCHS,
    FLAGGING,
    HELD_OUT,
    RELEASE,
    L,
    N,
    all_with_wrong,
    as_set,
    damaged,
    make,
    predicted,
    run,
    spoilt,
    truth,
    with_wrong,
)

from d2ace.selectors import api as methods
from d2ace.selectors.common.corrections import corrected
from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.common.label_matrix import LabelMatrix
from d2ace.selectors.contract.inputs import require_same
from d2ace.selectors.entries import api
from d2ace.selectors.entries.judge import RunningMeans, Suspicion
from d2ace.selectors.with_entries import WithEntries


@pytest.mark.parametrize("name", FLAGGING)
def test_missing_positives_are_found_and_no_others(name):
    labels = damaged()
    policy = make(name, labels)
    run(policy, EPOCHS)
    hidden = set(zip(*(part.tolist() for part in np.nonzero((truth() == 1) & (labels == 0))), strict=True))
    flagged = as_set(policy.targets())
    assert len(flagged & hidden) > 0.9 * len(flagged) and len(flagged & hidden) > 0.8 * len(hidden)
    summary = policy.summary()
    assert summary["gate_open"] and summary["flagged"] == len(flagged)
    real = np.array([len([1 for _, label in hidden if label == j]) for j in range(L)])
    np.testing.assert_allclose(summary["wrong"], real, rtol=0.3, atol=8)
    row, label = next(iter(flagged))
    assert policy.explain(row)["flagged"][label] and policy.explain(row)["mean_prediction"].shape == (L,)


def test_what_is_done_with_the_flagged():
    labels = damaged()
    found = {name: make(name, labels) for name in FLAGGING}
    for policy in found.values():
        run(policy, EPOCHS)
    lists = {name: policy.targets() for name, policy in found.items()}
    assert as_set(lists["correct"]) == as_set(lists["reject"]) == as_set(lists["soft"])
    assert (lists["correct"].targets == 1).all() and (lists["correct"].weights == 1).all()
    assert np.isnan(lists["reject"].targets).all() and (lists["reject"].weights == 0).all()
    soft = lists["soft"]
    mean = found["soft"].state_dict()["mean"][soft.rows, soft.labels]
    assert np.isnan(soft.targets).all()
    np.testing.assert_allclose(soft.weights, (1 - mean) ** 2, rtol=1e-5)


def test_nothing_is_touched_before_the_release_and_held_out_rows_are_asked_for():
    policy = make("correct", damaged())
    assert policy.held_out_after == RELEASE - 1
    assert run(policy, RELEASE) == [None] * RELEASE and policy.targets() is not None
    alone = make("correct", damaged())
    for epoch in range(RELEASE - 1):
        alone.end_epoch(epoch)
    with pytest.raises(SelectionError, match=r"call observe_held_out right before end_epoch\(3\)"):
        alone.end_epoch(RELEASE - 1)


def test_flags_grow_to_their_number_over_the_ramp():
    policy = make("correct", damaged(), ramp=3)
    run(policy, RELEASE - 1)
    sizes, settled = [], []
    for epoch in range(RELEASE - 1, EPOCHS):
        run(policy, 1, epoch)
        sizes.append(len(policy.targets()))
        settled.append(policy.summary()["settled"])
    assert settled == [1, 0, 0] + [2] * (len(settled) - 3)  # without flags, with some, with all
    expected = policy.summary()["wrong"]
    assert sizes == [int(np.rint(min(1, k / 3) * expected).sum()) for k in range(1, len(sizes) + 1)]


def test_wrong_positives_are_found():
    labels, added = with_wrong()
    policy = make("correct", labels, suspects="wrong")
    assert run(policy, EPOCHS, held_out=all_with_wrong()[0])[:RELEASE] == [None] * RELEASE
    flagged = policy.targets()
    assert (flagged.targets == 0).all()
    right = added[flagged.rows, flagged.labels]
    assert right.mean() > 0.9 and right.sum() > 0.7 * added[:, :2].sum()


@pytest.mark.parametrize("unlisted", ["negative", "unknown"])
def test_what_a_person_has_looked_at_is_no_longer_suspected(unlisted):
    labels = spoilt()
    if unlisted == "unknown":
        labels[:, 2] = np.nan
        labels[(labels[:, :2] == 0).any(axis=1), :2] = np.nan
    before = make("correct", labels[:N])
    run(before, EPOCHS, held_out=labels)
    flagged = before.targets()
    rows, columns = flagged.rows[::2].astype(np.int64), flagged.labels[::2].astype(np.int64)
    said = corrected(LabelMatrix.of(labels[:N]), rows, columns, np.zeros(len(rows), bool))
    after = make("correct", said)
    run(after, EPOCHS, held_out=labels)
    assert len(rows) > 20 and len(as_set(after.targets())) > 20
    assert not as_set(after.targets()) & set(zip(rows.tolist(), columns.tolist(), strict=True))


@pytest.mark.parametrize("name", ["correct", "mixture"])
def test_positives_that_a_person_has_confirmed_are_no_longer_suspected(name):
    labels, options = all_with_wrong()[0], {} if name == "mixture" else {"suspects": "wrong"}
    before = make(name, labels[:N], **options)
    run(before, EPOCHS, held_out=labels)
    rows, columns = (part[::2].astype(np.int64) for part in (before.targets().rows, before.targets().labels))
    after = make(name, corrected(LabelMatrix.of(labels[:N]), rows, columns, np.ones(len(rows), bool)), **options)
    run(after, EPOCHS, held_out=labels)
    assert len(rows) > 20 and len(as_set(after.targets())) > 20
    assert not as_set(after.targets()) & set(zip(rows.tolist(), columns.tolist(), strict=True))


def test_only_unknown_entries_are_suspects_where_there_are_any():
    labels, known = spoilt(), np.random.default_rng(7).random((N + HELD_OUT, 1)) < 0.5
    labels[~known & (labels == 0)] = np.nan  # in the other rows, zeros are what somebody has seen
    policy = make("correct", labels[:N])
    run(policy, EPOCHS, held_out=labels)
    flagged = policy.targets()
    assert len(flagged) and not known[flagged.rows].any()
    with pytest.raises(SelectionError, match="these have unknown labels, and those have none"):
        run(make("correct", labels[:N]), EPOCHS)


def test_a_known_share_needs_no_held_out_rows():
    policy = make("correct", damaged(), expected=0.1)
    assert policy.held_out_after is None
    run(policy, EPOCHS)
    suspects = (damaged() == 0).sum()
    assert len(policy.targets()) == int(0.1 * suspects)
    mean = policy.state_dict()["mean"]
    flagged = policy.targets()
    lowest = mean[flagged.rows, flagged.labels].min()
    assert (mean[damaged() == 0] > lowest).sum() < len(flagged)


@pytest.mark.parametrize("name", api.names())
def test_a_policy_resumed_in_mid_epoch_goes_on_bit_for_bit(name):
    labels, whole = damaged(), make(name, damaged())
    run(whole, EPOCHS)
    broken = make(name, labels)
    run(broken, 5)
    order = np.split(np.random.default_rng(5).permutation(N), 2)
    planned = broken.targets()
    broken.observe(order[0], predicted(5)[order[0]])
    resumed = make(name, labels)
    resumed.load_state_dict(broken.state_dict())
    for again in (broken, resumed):  # what the rest of the epoch is trained with is what the epoch began with
        require_same(vars(again.targets()), vars(planned))
    require_same(resumed.state_dict(), broken.state_dict())
    resumed.observe(order[1], predicted(5)[order[1]])
    resumed.end_epoch(5)
    run(resumed, EPOCHS - 6, 6)
    require_same(resumed.state_dict(), whole.state_dict())
    whole.reset()
    require_same(whole.state_dict(), make(name, labels).state_dict())


def test_chances_are_there_from_the_release_on_and_in_the_saved_state():
    labels = damaged()
    policy = make("correct", labels)
    run(policy, RELEASE - 1)
    assert not policy.is_released and np.isnan(policy.wrong).all() and np.isnan(policy.chances(0, 5)).all()
    run(policy, EPOCHS - RELEASE + 1, RELEASE - 1)
    assert policy.is_released and len(policy.ranks) == spoilt()[N:].sum()
    order = np.argsort(-policy.means.mean[:, 0])
    order = order[labels[order, 0] == 0]
    chances = policy.chances(0, len(order))
    hidden = truth()[order, 0] == 1
    assert chances[hidden].mean() > 0.7 and chances[~hidden].mean() < 0.2
    assert chances.sum() == pytest.approx(policy.wrong[0])
    again = make("correct", labels)
    again.load_state_dict(policy.state_dict())
    np.testing.assert_array_equal(again.chances(0, len(order)), chances)
    policy.reset()
    assert len(policy.ranks) == 0


def test_an_older_state_has_no_ranks_and_is_taken():
    policy = make("correct", damaged())
    run(policy, EPOCHS)
    state = policy.state_dict()
    older = {name: value for name, value in state.items() if name not in ("believed_ranks", "believed_labels")}
    with pytest.raises(SelectionError, match="lacks believed_ranks, believed_labels"):
        make("correct", damaged()).load_state_dict(older)
    again = make("correct", damaged())
    again.load_state_dict({**older, "schema": 3})
    assert np.isnan(again.chances(0, 5)).all() and as_set(again.targets()) == as_set(policy.targets())


@pytest.mark.parametrize("name", api.names())
def test_a_selector_with_a_policy_is_a_selector(name):
    labels = damaged()
    rows = methods.create("loss-rank", labels=labels, batch_size=50, epochs=EPOCHS, seed=3, warmup=1)
    both, alone = WithEntries(rows, make(name, labels)), make(name, labels)
    for epoch in range(EPOCHS):
        plan = both.plan(epoch)
        want = alone.targets()
        assert as_set(plan.entries) == as_set(want) and (plan.entries is None) == (want is None)
        for ids in plan.batches:
            seen = predicted(epoch)[ids]
            both.observe(ids, seen, -np.log(seen))
            alone.observe(ids, seen)
        if epoch == both.held_out_after:
            for policy in (both, alone):
                policy.observe_held_out(predicted(epoch)[N:], spoilt()[N:])
        both.end_epoch(epoch)
        alone.end_epoch(epoch)
    assert both.summary()["entries_flagged"] == alone.summary()["flagged"]
    assert "entries_flagged" in both.diagnostics() and "entries_mean_prediction" in both.explain(0)
    again = WithEntries(
        methods.create("loss-rank", labels=labels, batch_size=50, epochs=EPOCHS, seed=3, warmup=1), make(name, labels)
    )
    again.load_state_dict(both.state_dict())
    np.testing.assert_array_equal(again.plan(EPOCHS - 1).ids, both.plan(EPOCHS - 1).ids)
    require_same(again.state_dict()["entries"], both.state_dict()["entries"])
    with pytest.raises(SelectionError, match="lacks rows, entries"):
        again.load_state_dict(rows.state_dict())


@pytest.mark.parametrize("ids", [[-1, 2], [2, 2], [0, N]])
def test_a_policy_beside_a_method_that_looks_at_nothing_still_refuses_wrong_rows(ids):
    rows = methods.create("uniform", labels=damaged(), batch_size=50, epochs=EPOCHS)
    both = WithEntries(rows, make("correct", damaged()))
    before = both.state_dict()
    with pytest.raises(SelectionError, match=r"ids must lie in|given twice"):
        both.observe(np.array(ids), np.full((2, L), 0.5), np.zeros((2, L)))
    with pytest.raises(SelectionError, match="probabilities must be"):
        both.observe(np.array([0, 1]), np.full((1, 1), 0.5), np.zeros((1, 1)))
    require_same(both.state_dict()["entries"], before["entries"])
    with pytest.raises(SelectionError, match=r"the policy is for labels \(400, 2\)"):
        WithEntries(rows, make("correct", damaged()[:, :2]))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("corect", {}, r"no entry policy is called 'corect'.*did you mean 'correct'"),
        ("correct", {"gat": 1}, r"has no setting 'gat'.*did you mean 'gate'"),
        ("correct", {"gate": 1.5}, "gate must be a number"),
        ("reject", {"suspects": "mising"}, "did you mean 'missing'"),
        ("mixture", {"gate": 0.1}, "has no setting 'gate'"),
        ("mixture", {"separation": -1}, "separation must be"),
        ("soft", {"ramp": 0}, "ramp must be a whole number of at least 1"),
    ],
)
def test_wrong_names_and_settings_are_refused(name, options, message):
    with pytest.raises(SelectionError, match=message):
        make(name, damaged(), **options)


@pytest.mark.parametrize("name", ["reject", "soft"])
def test_unknown_entries_have_no_loss_to_weigh(name):
    labels = truth()
    labels[::3] = np.nan
    with pytest.raises(SelectionError, match=rf"policy '{name}' .* 'correct' can work, or suspects='wrong'"):
        make(name, labels)
    make(name, labels, suspects="wrong")
    make(name, truth())
    make("correct", labels)


def test_of_the_suspects_that_were_seen_twice_the_same_share_is_flagged():
    every, some = make("correct", damaged()), make("correct", damaged())
    few = np.arange(N) % 4 == 0
    for epoch in range(EPOCHS):
        for policy, rows in ((every, np.arange(N)), (some, np.flatnonzero(few))):
            seen = predicted(epoch)
            policy.observe(rows, seen[rows])
            if epoch == policy.held_out_after:
                policy.observe_held_out(seen[N:], spoilt()[N:])
            policy.end_epoch(epoch)
    np.testing.assert_array_equal(some.wrong, every.wrong)
    suspects = damaged() == 0
    wanted = every.wrong * suspects[few].sum(axis=0) / suspects.sum(axis=0)
    assert few[some.state_dict()["flagged_rows"]].all()
    np.testing.assert_allclose(np.bincount(some.state_dict()["flagged_labels"], minlength=L), wanted, atol=0.5)
    seen, there = int(suspects[few, 0].sum()), int(suspects[:, 0].sum())
    assert some.chances(0, seen).sum() == pytest.approx(every.chances(0, there).sum() * seen / there, rel=0.05)


def test_the_most_suspicious_are_those_that_a_sort_puts_first_and_ties_go_by_row():
    rng = np.random.default_rng(0)
    means = RunningMeans(60, 2)
    means.update(np.arange(60), rng.integers(0, 5, (60, 2)) / 4)
    means.visits[:] = 2
    means.visits[7] = 1
    labels = LabelMatrix.of((rng.random((60, 2)) < 0.3).astype(np.float32))
    for kind, sign in ((Suspicion.of_missing(labels), 1), (Suspicion.of_wrong(labels), -1)):
        rows, columns = kind.most_suspicious(means, np.array([9.0, 0.4]))
        open_ = [row for row in np.flatnonzero(kind.suspects[:, 0]) if row != 7]
        want = sorted(open_, key=lambda row: (-sign * means.mean[row, 0], row))[:9]
        assert sorted(rows.tolist()) == sorted(want) and not columns.any()
        every = kind.most_suspicious(means, np.array([1000.0, 1000.0]))
        assert len(every[0]) == kind.suspects.sum() - kind.suspects[7].sum()


def test_a_known_share_of_the_suspects_is_not_one_short():
    means = RunningMeans(100, 1)
    means.update(np.arange(100), np.linspace(0, 1, 100)[:, None])
    means.visits[:] = 2
    kind = Suspicion.of_missing(LabelMatrix.of(np.zeros((100, 1), np.uint8)))
    assert [len(kind.beyond(means, percent / 100)[0]) for percent in range(101)] == list(range(101))
