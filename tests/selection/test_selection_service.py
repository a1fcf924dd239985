"""The selection service without Ray workers: order, duplicates, restarts and waits do not change the run."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.common.storage.whole_files import sha256_of
from d2ace.pipeline.selection.blueprint import Blueprint
from d2ace.pipeline.selection.files import SelectionFiles
from d2ace.pipeline.selection.inherited import Inherited
from d2ace.pipeline.selection.observation import Observation
from d2ace.pipeline.selection.service import SelectionService
from d2ace.pipeline.selection.state_file import SELECTION, SavedState
from d2ace.selectors.api import Plan
from d2ace.selectors.common.state import observed_rows, save_state
from d2ace.selectors.contract.inputs import require_same

ROWS, LABELS, BATCH, EPOCHS = 50, 4, 8, 4
ROW_IDS = np.arange(ROWS, dtype=np.int64) * 3 + 100


def make_service(method="d2ace", folder=None, **options):
    rng = np.random.default_rng(0)
    arguments = {
        "labels": (rng.random((ROWS, LABELS)) < 0.4).astype(np.uint8),
        "batch_size": BATCH,
        "epochs": EPOCHS,
        "seed": 5,
        **options,
    }
    if method == "d2ace":
        arguments |= {"features": rng.random((ROWS, 3)).astype(np.float32), "warmup": 1, "neighbours": 3}
    service = SelectionService()
    service.blueprint = Blueprint(method, arguments, ROW_IDS, folder and SelectionFiles(folder))
    service.build(service.blueprint)
    return service


def rewind(service, state, world):
    return service.rewind(service.blueprint, state, world)


def fetch(service, epoch):
    return service.plan(epoch, timeout_s=5)


def test_what_rows_bring_along_is_there_at_every_start_and_in_no_restart(tmp_path):
    """A run that is rewound to its start begins as it began; one that goes on has its own state."""
    first = make_service()
    attempt = rewind(first, None, 1)
    for message in messages(attempt, 0, fetch(first, 0), 1):
        first.observe(message)
    rows = np.arange(0, ROWS, 2)
    seen = observed_rows(first.state(1, 0, timeout_s=0)["selector"], rows)
    Inherited(ROW_IDS[rows], seen).save(tmp_path / "seen.npz")
    second = make_service()
    plain = fetch_state(second, None)
    second.blueprint = replace(second.blueprint, inherited=Inherited.load(tmp_path / "seen.npz"))
    begun = fetch_state(second, None)
    assert (begun["selector"]["visits"][rows] == 1).all() and begun["selector"]["visits"].sum() == len(rows)
    np.testing.assert_array_equal(begun["selector"]["predictions"][rows], seen["predictions"])
    np.testing.assert_array_equal(fetch_state(second, None)["selector"]["flip"], begun["selector"]["flip"])
    assert fetch_state(second, plain)["selector"]["visits"].sum() == 0
    strange = replace(second.blueprint, inherited=Inherited(np.array([7]), observed_rows(plain["selector"], rows[:1])))
    with pytest.raises(RunError, match="row 7 is no training row"):
        strange.make_selector()


def fetch_state(service, state):
    """Rewind a service, and return the state that it has then."""
    rewind(service, state, 1)
    return service.state(0, 0, timeout_s=0)


def fake_values(epoch, ids):
    """A deterministic stand-in for a model: values depend on the row and the epoch only."""
    phase = ids[:, None] * 0.37 + np.arange(LABELS) + epoch * 0.9
    p = (np.sin(phase) * 0.49 + 0.5).astype(np.float32)
    return p, -np.log(p)


def messages(attempt, epoch, plan, world, first_step=0, message_steps=3):
    """What ``world`` ranks would send for the rest of an epoch."""
    offsets = plan.offsets
    for rank in range(world):
        steps = range(first_step, len(offsets) - 1)
        for chunk in batched(steps, message_steps):
            parts = [np.array_split(plan.ids[offsets[s] : offsets[s + 1]], world)[rank] for s in chunk]
            ids = np.concatenate(parts)
            p, losses = fake_values(epoch, ids)
            yield Observation(attempt, epoch, rank, chunk[0], np.array([len(x) for x in parts]), ids, p, losses)


def batched(items, size):
    items = list(items)
    return [items[i : i + size] for i in range(0, len(items), size)]


def run_epochs(service, attempt, world, shuffle=None, first=0, last=EPOCHS):
    plans = []
    for epoch in range(first, last):
        plan = fetch(service, epoch)
        sent = list(messages(attempt, epoch, plan, world))
        if shuffle is not None:
            sent = [sent[i] for i in np.random.default_rng(shuffle).permutation(len(sent))] + sent[:2]
        for message in sent:
            service.observe(message)
        plans.append(np.array(plan.ids))
    return plans


@pytest.fixture
def reference():
    service = make_service()
    return run_epochs(service, rewind(service, None, 1), 1)


@pytest.mark.parametrize(("world", "shuffle"), [(2, None), (3, None), (3, 1), (2, 7)])
def test_plans_do_not_depend_on_ranks_order_or_duplicates(reference, world, shuffle):
    service = make_service()
    plans = run_epochs(service, rewind(service, None, world), world, shuffle)
    for got, expected in zip(plans, reference, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_plans_hold_global_ids_and_selection_departs_from_a_permutation(reference):
    assert set(reference[0]) == set(ROW_IDS)
    assert any(len(set(ids)) < ROWS for ids in reference[1:])


def test_rewound_to_the_middle_of_an_epoch_it_goes_on_exactly(reference):
    service = make_service()
    attempt = rewind(service, None, 2)
    run_epochs(service, attempt, 2, last=2)
    plan = fetch(service, 2)
    for message in messages(attempt, 2, plan, 2, message_steps=1):
        if message.first_step < 4:
            service.observe(message)
    state = service.state(2, 4, timeout_s=5)
    late = next(iter(messages(attempt, 2, plan, 2, first_step=4)))

    other = make_service()
    attempt = rewind(other, state, 3)
    plan = fetch(other, 2)
    np.testing.assert_array_equal(plan.ids, reference[2])
    for message in messages(attempt, 2, plan, 3, first_step=4):
        other.observe(message)
    np.testing.assert_array_equal(fetch(other, 3).ids, reference[3])

    attempt = rewind(service, state, 1)  # the same service after its workers died: old messages are dropped
    service.observe(late)
    for message in messages(attempt, 2, plan, 1, first_step=4):
        service.observe(message)
    np.testing.assert_array_equal(fetch(service, 3).ids, reference[3])


def test_a_message_to_a_service_that_was_lost_is_none_of_the_one_after_it():
    """Ray restarts an actor without its state; a message of the group of workers before may reach the new one."""
    lost, service, undisturbed = make_service(), make_service(), make_service()
    late = next(messages(rewind(lost, None, 2), 0, fetch(lost, 0), 2))
    sent = messages(rewind(service, None, 2), 0, fetch(service, 0), 2)
    for message in (next(sent), replace(late, probabilities=1 - late.probabilities), *sent):
        service.observe(message)
    run_epochs(undisturbed, rewind(undisturbed, None, 2), 2, last=1)
    found, expected = (each.state(1, 0, timeout_s=0)["selector"] for each in (service, undisturbed))
    require_same(found, expected)


def flat(state):
    """Return a saved state's values by path, as bytes."""
    with np.load(state) as arrays:
        return {name: array.tobytes() for name, array in arrays.items()}


def test_what_a_checkpoint_wants_is_copied_before_anything_changes_it(tmp_path):
    """One rank's messages come late, and those of later steps before the state is written."""
    service = make_service()
    attempt = rewind(service, None, 2)
    run_epochs(service, attempt, 2, last=2)
    plan = fetch(service, 2)
    sent = list(messages(attempt, 2, plan, 2, message_steps=1))
    early = [message for message in sent if message.rank == 0 and message.first_step < 4]
    for message in early:
        service.observe(message)
    service.keep(attempt, 2, 4)
    for message in [each for each in sent if each not in early]:
        service.observe(message)
    fetch(service, 3)
    path = tmp_path / SELECTION
    assert service.write(attempt, tmp_path, timeout_s=5) == {SELECTION: sha256_of(path)}

    other = make_service()
    attempt = rewind(other, None, 1)
    run_epochs(other, attempt, 1, last=2)
    for message in messages(attempt, 2, fetch(other, 2), 1, message_steps=1):
        if message.first_step < 4:
            other.observe(message)
    save_state(tmp_path / "wanted.npz", other.state(2, 4, timeout_s=5))
    assert flat(path) == flat(tmp_path / "wanted.npz")


def test_plans_are_served_while_a_state_is_copied_and_later_messages_wait(tmp_path, slow_copy):
    copying, go_on = slow_copy
    service = make_service()
    attempt = rewind(service, None, 1)
    service.keep(attempt, 0, 0)
    with ThreadPoolExecutor(2) as threads:
        written = threads.submit(service.write, attempt, tmp_path)
        assert copying.wait(30)
        plan = fetch(service, 0)
        applied = threads.submit(service.observe, next(messages(attempt, 0, plan, 1)))
        assert not applied.done()
        go_on.set()
        written.result(30)
        applied.result(30)
    with np.load(tmp_path / SELECTION) as state:
        assert state["selector/visits"].sum() == 0
    assert service.state(0, 3, timeout_s=5)["selector"]["visits"].sum() == 3 * BATCH


def test_a_group_of_workers_that_is_gone_gets_no_state(tmp_path):
    service = make_service()
    first = rewind(service, None, 1)
    service.keep(first, 0, 0)
    second = rewind(service, None, 1)
    for call in (lambda: service.keep(first, 0, 0), lambda: service.write(first, tmp_path, timeout_s=5)):
        with pytest.raises(RunError, match="another group of workers goes on"):
            call()
    service.keep(second, 0, 0)
    service.write(second, tmp_path, timeout_s=5)
    again = make_service()
    again.rewind(again.blueprint, SavedState(tmp_path, {}), 1)
    assert again.state(0, 0, timeout_s=5)["selector"]["visits"].sum() == 0


def test_a_missing_rank_is_named():
    service = make_service()
    attempt = rewind(service, None, 2)
    for message in messages(attempt, 0, fetch(service, 0), 2):
        if message.rank == 1:
            service.observe(message)
    with pytest.raises(RunError, match=r"nothing came from ranks \[0\]"):
        service.plan(1, timeout_s=0.05)


def test_a_restarted_service_says_that_it_must_be_rewound():
    with pytest.raises(RunError, match="must be rewound"):
        make_service().plan(0, timeout_s=0.05)


def test_rows_that_are_not_the_plans_are_refused():
    service = make_service()
    attempt = rewind(service, None, 1)
    message = next(messages(attempt, 0, fetch(service, 0), 1))
    wrong = Observation(
        attempt, 0, 0, 0, message.sizes, message.ids[::-1].copy(), message.probabilities, message.losses
    )
    with pytest.raises(RunError, match="other rows than the plan"):
        service.observe(wrong)
    with pytest.raises(RunError, match="batch selection failed"):
        service.plan(1, timeout_s=5)


def test_records_and_log_tell_what_was_drawn(tmp_path):
    import pandas as pd

    service = make_service(folder=tmp_path)
    plans = run_epochs(service, rewind(service, None, 2), 2)
    table = pd.read_parquet(tmp_path / "selection.parquet").sort_values("epoch")
    assert table["epoch"].tolist() == list(range(EPOCHS))
    for epoch, ids in enumerate(plans):
        np.testing.assert_array_equal(np.load(tmp_path / "order" / f"epoch-{epoch:05d}.npy"), ids)
        draws = table["draws_per_row"].iloc[epoch]
        np.testing.assert_array_equal(draws, np.bincount(np.searchsorted(ROW_IDS, ids), minlength=ROWS))
    assert table["branch_of_draw"].iloc[0] is None and set(table["branch_of_draw"].iloc[2]) <= {0, 1}
    assert len(table["label_weight_uncertainty"].iloc[1]) == LABELS
    assert service.record(EPOCHS - 1)["bytes"] > ROWS * LABELS * 8
    assert table["effective_sample_size"].iloc[0] == 1 and 0 < table["effective_sample_size"].iloc[3] < 1


def test_uniform_needs_no_values():
    service = make_service("uniform")
    attempt = rewind(service, None, 1)
    plan = fetch(service, 0)
    for m in messages(attempt, 0, plan, 1):
        service.observe(Observation(attempt, 0, 0, m.first_step, m.sizes, m.ids))
    assert sorted(fetch(service, 1).ids) == sorted(plan.ids)
    assert not np.array_equal(fetch(service, 1).ids, plan.ids)


def test_effective_sample_size():
    plan = Plan(0, np.arange(4), np.array([0, 4]), np.array([0.5, 0.5, 0.0, 0.0]))
    assert plan.effective_sample_size(4) == pytest.approx(0.5)
    assert Plan(0, np.array([2, 0, 3, 1]), np.array([0, 4])).effective_sample_size(4) == pytest.approx(1)
    assert Plan(0, np.array([2, 0, 2, 0]), np.array([0, 4])).effective_sample_size(4) == pytest.approx(0.5)
