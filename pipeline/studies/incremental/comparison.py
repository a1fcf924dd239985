"""Methods of class-incremental learning against each other: pairs of sequences that share all but the method.

A *cell* is a data set with a protocol. Within it, sequences of the same class order and seed are matched; the tests are
over these pairs, so what follows holds for the cell only. The statistics are those of ``studies.compare``.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from ...common.errors import RunError, did_you_mean
from ..compare.values import rounded
from ..compare.verdict import Rules, Verdict, judge
from .outcome import Outcome

_LESS_IS_BETTER = ("fpr", "forgetting")


def cells(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, str, list[Outcome]]]:
    """Yield data set, protocol and outcomes of each cell, in the order in which they come first."""
    found: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        found.setdefault((outcome.data, outcome.protocol), []).append(outcome)
    for (data, protocol), members in found.items():
        yield data, protocol, members


def methods(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the names of the methods, in the order in which they come first."""
    return list(dict.fromkeys(outcome.name for outcome in outcomes))


def sign_of(number: str) -> int:
    """Return 1 where larger values of a number of ``sequence_metrics`` are better, -1 where smaller ones are."""
    bare = number.removeprefix("average_").removeprefix("last_")
    return -1 if bare.startswith(_LESS_IS_BETTER) else 1


def values(outcomes: Sequence[Outcome], number: str) -> pd.DataFrame:
    """Return one row a complete sequence with the number: method, order, seed, value; NaN is left out.

    Raises:
        RunError: (with "did you mean") when a sequence has no such number, or two share method, class order and seed.
    """
    rows = []
    for outcome in (outcome for outcome in outcomes if outcome.is_complete):
        value = outcome.overall.get(number)
        if not isinstance(value, float):
            known = [name for name, each in outcome.overall.items() if isinstance(each, float)]
            raise RunError(f"sequences have no number {number!r}{did_you_mean(number, known)}")
        rows.append((outcome.name, outcome.order, outcome.seed, value))
    table = pd.DataFrame(rows, columns=["method", "order", "seed", "value"])
    twice = table.duplicated(["method", "order", "seed"])
    if twice.any():
        method, order, seed = table.loc[twice, ["method", "order", "seed"]].iloc[0]
        raise RunError(f"two sequences are of {method}, classes {order}, seed {seed}; expected one: they make no pairs")
    return table.dropna(subset="value")


def judged(
    outcomes: Sequence[Outcome], number: str, reference: str, *, alpha: float = 0.05, level: float = 0.95
) -> tuple[Verdict, ...]:
    """Compare every method with the reference in one number; see ``judged_values``.

    Args:
        outcomes: of one cell.
        number: of ``sequence_metrics``, such as "last_map".
        reference: name of a method.
        alpha: verdicts other than "no significant difference" have a Holm-corrected p below it.
        level: of confidence of the intervals.

    Raises:
        RunError: for an unknown number or method.
    """
    names = methods(outcomes)
    if reference not in names:
        raise RunError(f"no sequence is of the method {reference!r}{did_you_mean(reference, names)}")
    return judged_values(values(outcomes, number), sign_of(number), reference, alpha=alpha, level=level)


def judged_values(
    table: pd.DataFrame, sign: int, reference: str, *, alpha: float = 0.05, level: float = 0.95
) -> tuple[Verdict, ...]:
    """Compare every method with the reference; differences are positive where a method is better.

    Methods without a pair are left out; p is Holm-corrected for the others.

    Args:
        table: method, order, seed, value; one row a sequence of one cell.
        sign: 1 where larger values are better, else -1.
        reference: name of a method.
        alpha: see ``judged``.
        level: likewise.
    """
    theirs = table[table["method"] == reference].drop(columns="method")
    compared = {}
    for name in table["method"].unique():
        pairs = table[table["method"] == name].merge(theirs, on=["order", "seed"], suffixes=("", "_reference"))
        if name != reference and len(pairs):
            gains = sign * (pairs["value"] - pairs["value_reference"]).to_numpy(np.float64)
            compared[str(name)] = pairs.assign(data="", network="", difference=rounded(gains))
    return judge(compared, Rules("pair", alpha, level, "cell")) if compared else ()
