"""What every registered method must do, whatever it computes; and what those of d2ace do beyond that."""

import numpy as np
import pytest
from contract_inputs import make

from d2ace.selectors import api
from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.contract.inputs import N_LABELS, N_ROWS, make_labels, train
from d2ace.selectors.contract.states import handed_down
from d2ace.selectors.contract.suite import CASES, Subject

OWN = sorted(api.REGISTRY.places)
every_method = pytest.mark.parametrize("name", OWN)


@every_method
@pytest.mark.parametrize("case", CASES, ids=str)
def test_contract(name, case):
    case.check(Subject(name))


@every_method
def test_first_epoch_shows_every_row(name):
    shown, never_learns = sorted(make(name).plan(0).ids), ("balanced", "rs2")
    assert (shown == list(range(N_ROWS))) == (name not in never_learns)  # these have nothing to wait for


@every_method
def test_what_is_observed_is_handed_down(name):
    assert bool(handed_down(make(name))) == api.get(name).uses_observations


@every_method
def test_unusable_input_is_counted_and_warned_of_once_an_epoch(name, caplog):
    selector = make(name)
    nothing = np.full((N_ROWS, N_LABELS), np.nan)
    for epoch in range(2):
        selector.observe(np.arange(N_ROWS), nothing, nothing)
        selector.end_epoch(epoch)
    selector.end_epoch(2)
    assert len(caplog.records) == (2 if selector.uses_observations else 0)
    counts = [value for key, value in selector.summary().items() if key.startswith("unusable")]
    assert sum(counts) >= selector.uses_observations * 2 * nothing.size


@every_method
def test_refusals_say_what_does_not_fit(name):
    state = make(name).state_dict()
    with pytest.raises(SelectionError, match="61 rows x 5 labels"):
        make(name, make_labels(30)).load_state_dict(state)
    with pytest.raises(SelectionError, match=r"schema 99.*newer"):
        make(name).load_state_dict({**state, "schema": 99})
    with pytest.raises(SelectionError, match="method 'nobody'"):
        make(name).load_state_dict({**state, "method": "nobody"})
    with pytest.raises(SelectionError, match="no saved selector state"):
        make(name).load_state_dict({})
    for key in state.keys() - {"schema", "method", "n_rows", "n_labels"}:
        with pytest.raises(SelectionError, match=f"lacks {key}"):
            make(name).load_state_dict({other: value for other, value in state.items() if other != key})
    with pytest.raises(SelectionError, match="has no setting 'warmpu'"):
        make(name, warmpu=1)
    with pytest.raises(SelectionError, match="epoch must be"):
        make(name).plan(-1)
    with pytest.raises(SelectionError, match="cannot take over what method 'nobody' saw"):
        make(name).inherit(np.arange(2), {"method": "nobody"})


@pytest.mark.parametrize(
    ("ids", "shape", "message"),
    [
        ([0, 61], (2, 5), r"0\.\.60"),
        ([0, -1], (2, 5), r"0\.\.60"),
        ([3, 3], (2, 5), "row 3 was given twice"),
        ([0, 1], (2, 4), r"\(2, 5\)"),
        ([0.5, 1], (2, 5), "whole numbers"),
    ],
)
@every_method
def test_refused_observations_are_named(name, ids, shape, message):
    selector = make(name)
    if not selector.uses_observations:
        return
    with pytest.raises(SelectionError, match=message):
        selector.observe(np.array(ids), np.full(shape, 0.5), np.full(shape, 0.5))


@every_method
@pytest.mark.parametrize("epochs", [2, 5, 12])
def test_selection_starts_where_a_method_says(name, epochs):
    selector = make(name, epochs=epochs)
    plans, start = train(selector, epochs), selector.selection_start
    if start is None:
        assert name == "uniform" or epochs == 2, name
        start = epochs
    permuted = [sorted(plan.ids) == list(range(N_ROWS)) for plan in plans]
    assert all(permuted[:start])
    if name in ("infobatch", "repeat-factor", "deferred-mixture"):  # an epoch may have every row once nevertheless
        assert start == epochs or not all(permuted[start:])
    else:
        assert not any(permuted[start:])


@every_method
def test_every_run_of_three_epochs_is_selected_from_the_second_on_by_default(name):
    settings = {"warmup": api.options(name)["warmup"].default} if "warmup" in api.options(name) else {}
    start = make(name, epochs=3, **settings).selection_start
    others = {"uniform": None, "balanced": 0, "repeat-factor": 0, "rs2": 0, "deferred-mixture": 2}
    assert start == others.get(name, 1)
