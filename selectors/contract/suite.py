"""The contract of selection methods: all cases, and a method judged by them.

In a test suite of one's own::

    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_my_method_keeps_the_contract(case):
        case.check(Subject("package.module:Class"))
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from . import observations, plans, states
from .case import Case
from .inputs import Subject

__all__ = ["CASES", "Subject", "Verdict", "verdicts"]

CASES: tuple[Case, ...] = (*states.CASES, *plans.CASES, *observations.CASES)


@dataclass(frozen=True)
class Verdict:
    """What became of a case.

    Attributes:
        case: its name.
        trouble: what the method did instead, in a line; None when the case holds.
    """

    case: str
    trouble: str | None


def verdicts(subject: Subject) -> Iterator[Verdict]:
    """Yield what becomes of each case.

    Raises:
        SelectionError: when the method cannot be found or made at all.
    """
    subject.make()
    for case in CASES:
        try:
            with _without_warnings():
                case.check(subject)
        except Exception as error:  # whatever a method of someone else's does is the answer
            yield Verdict(case.name, _line(error))
        else:
            yield Verdict(case.name, None)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Leave unsaid that observations are unusable: those of the cases are meant to be."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _line(error: Exception) -> str:
    """Return an error in a line, with its kind unless it is one of the contract's own."""
    text = " ".join(str(error).split())
    return text if isinstance(error, AssertionError) and text else f"{type(error).__name__}: {text}"
