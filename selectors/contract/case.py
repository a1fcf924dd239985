"""One thing that every method must do, as a function that raises an AssertionError where a method does not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from .inputs import Subject


@dataclass(frozen=True)
class Case:
    """A case of the contract.

    Attributes:
        name: what a method must do, in words.
        check: raises an AssertionError when a subject does not.
    """

    name: str
    check: Callable[[Subject], None]

    def __str__(self) -> str:
        return self.name


def case(cases: list[Case], variants: Mapping[str, Any] | None = None) -> Callable[[Callable[..., None]], Any]:
    """Return a decorator that adds a function to a list of cases, under its name in words.

    Args:
        cases: the list.
        variants: what the function gets as its second argument, by name; a case is made of each. None: it gets none.
    """

    def added(check: Callable[..., None]) -> Callable[..., None]:
        words = check.__name__.replace("_", " ")
        if variants is None:
            cases.append(Case(words, check))
        for name, value in (variants or {}).items():
            cases.append(Case(f"{words} ({name})", partial(_checked, check, value)))
        return check

    return added


def _checked(check: Callable[..., None], value: Any, subject: Subject) -> None:
    check(subject, value)
