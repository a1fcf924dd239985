"""How every method must save, resume, forget, inherit, and refuse what does not fit."""

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .. import api
from ..common.errors import SelectionError
from ..common.state import load_state, observed_rows, save_state
from ..history.history import History
from .case import Case, case
from .inputs import N_LABELS, N_ROWS, Subject, make_labels, require, require_equal, require_same, seen_of, train

CASES: list[Case] = []


def refusal(call: Callable[[], Any], what: str) -> str:
    """Return the message by which a call is refused; raises ContractError when it is not refused."""
    try:
        call()
    except SelectionError as error:
        return str(error)
    require(False, f"{what} was taken; expected a SelectionError")
    raise AssertionError


@case(CASES)
def it_has_a_name_of_its_own(subject: Subject) -> None:
    """Saved states bear it, so that no other method takes them for its own."""
    cls = api.get(subject.name)
    name = getattr(cls, "name", None)
    require(isinstance(name, str) and name, f"{cls.__qualname__} has no name: ClassVar[str]")
    taken = name in api.REGISTRY.places and api.get(str(name)) is not cls
    require(not taken, f"{cls.__qualname__} has the name of another method, {name!r}")
    require(subject.make().state_dict().get("method") == name, f"the state does not say method={name!r}")


@case(CASES, {f"after {done} batches": done for done in (0, 2, 4)})
def a_run_resumed_from_its_file_continues_bit_for_bit(subject: Subject, batches_done: int) -> None:
    """Also right in the middle of an epoch."""
    selector = subject.make()
    train(selector, 3)
    batches = selector.plan(3).batches
    for number in range(min(batches_done, len(batches))):
        selector.observe(batches[number], *seen_of(selector, batches[number], (0, 3, number)))
    resumed = subject.make()
    resumed.load_state_dict(_through_a_file(selector.state_dict()))
    require_equal(resumed.plan(3).ids, selector.plan(3).ids, "plan of the epoch that was resumed")
    for one in (selector, resumed):
        for number in range(batches_done, len(batches)):
            one.observe(batches[number], *seen_of(one, batches[number], (0, 3, number)))
        one.end_epoch(3)
    for plan, again in zip(train(selector, 4, 4), train(resumed, 4, 4), strict=True):
        require_equal(again.ids, plan.ids, f"plan {plan.epoch} after the epoch that was resumed")
    require_same(selector.state_dict(), resumed.state_dict())
    require_same(selector.diagnostics(), resumed.diagnostics(), "diagnostics")


def _through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    save_state(file, state)
    file.seek(0)
    return load_state(file)


@case(CASES)
def reset_forgets_and_saved_states_are_copies(subject: Subject) -> None:
    """A state that was saved does not change when training goes on."""
    selector = subject.make()
    fresh, first = selector.state_dict(), selector.plan(0)
    train(selector, 2)
    saved = selector.state_dict()
    kept = {key: np.array(value) for key, value in saved.items()}
    train(selector, 2, 2)
    require_same(saved, kept, "saved state")
    selector.reset()
    require_same(selector.state_dict(), fresh, "state after reset")
    require_equal(selector.plan(0).ids, first.ids, "plan 0 after reset")


@case(CASES)
def what_an_earlier_run_saw_of_some_rows_goes_on_and_other_rows_begin_anew(subject: Subject) -> None:
    """The later run has the rows 1, 3, 5, ... of the earlier one among its own, and two more labels."""
    earlier, known, here = subject.make(), np.arange(1, N_ROWS, 2), np.arange(40, 40 + N_ROWS // 2)
    train(earlier, 3)
    seen = observed_rows(earlier.state_dict(), known)
    later = subject.make(make_labels(80, N_LABELS + 2))
    fresh = later.state_dict()
    later.inherit(here, seen)
    state, others = later.state_dict(), np.setdiff1d(np.arange(80), here)
    for key in handed_down(later):
        old = state[key] if state[key].ndim == 1 else state[key][..., :N_LABELS]
        require_equal(old[here], seen[key], f"{key} of rows that go on")
        require_equal(state[key][others], fresh[key][others], f"{key} of rows that begin anew")
        if state[key].ndim > 1:
            require_equal(state[key][..., N_LABELS:], fresh[key][..., N_LABELS:], f"{key} of new labels")
    again = subject.make(make_labels(80, N_LABELS + 2))
    again.load_state_dict(state)
    for each in (later, again):
        train(each, 2)
    require_same(again.state_dict(), later.state_dict(), "state of a run that inherited and was resumed")
    later.reset()
    require_same(later.state_dict(), fresh, "state after reset")


def handed_down(selector: api.Selector) -> set[str]:
    """Return the parts of a method's state that a later run takes over: its record of single rows, if it has one."""
    return set(getattr(selector, "_seen", History).arrays) & selector.state_dict().keys()


@case(CASES)
def a_run_that_inherits_all_rows_judges_them_as_the_earlier_one_did(subject: Subject) -> None:
    """And refuses what another method saw."""
    earlier, later = subject.make(), subject.make()
    train(earlier, 1)
    later.inherit(np.arange(N_ROWS), observed_rows(earlier.state_dict(), np.arange(N_ROWS)))
    if handed_down(later):
        require_same(earlier.diagnostics(), later.diagnostics(), "diagnostics")
    refusal(partial(later.inherit, np.arange(2), {"method": "nobody"}), "what method 'nobody' saw")


@case(CASES)
def states_of_others_are_refused(subject: Subject) -> None:
    """Of another size, method or version, and incomplete ones."""
    state = subject.make().state_dict()
    refusal(partial(subject.make(make_labels(30)).load_state_dict, state), "the state of 61 rows by a run of 30")
    for key, value in {"schema": 99, "method": "nobody"}.items():
        refusal(partial(subject.make().load_state_dict, {**state, key: value}), f"a state with {key}={value}")
    for key in state:
        less = {other: value for other, value in state.items() if other != key}
        refusal(partial(subject.make().load_state_dict, less), f"a state without {key}")


@case(CASES)
def settings_of_the_wrong_kind_are_refused_by_name(subject: Subject) -> None:
    """Each setting, a setting that there is not, and an epoch before the first."""
    for key in subject.settings:
        message = refusal(partial(subject.make, **{key: "nonsense"}), f"{key}='nonsense'")
        require(key in message, f"{key}='nonsense' is refused without naming the setting: {message}")
    refusal(partial(subject.make, warmpu=1), "the unknown setting warmpu")
    refusal(partial(subject.make().plan, -1), "plan(-1)")


@case(CASES)
def summaries_are_small_and_part_of_the_diagnostics(subject: Subject) -> None:
    """At most a value a label; and diagnostics are copies, safe to change."""
    selector = subject.make()
    train(selector, 2)
    summary, found = selector.summary(), selector.diagnostics()
    require_same(summary, {key: found.get(key) for key in summary}, "summary")
    for key, value in summary.items():
        require(np.size(value) <= N_LABELS, f"summary: {key} has {np.size(value)} values")
    for value in found.values():
        if isinstance(value, np.ndarray):
            value[...] = 0
    require_same(selector.summary(), summary, "summary after the diagnostics were changed")
