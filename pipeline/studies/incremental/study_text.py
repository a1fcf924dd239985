"""What a study of sequences came to, as text."""

from collections.abc import Sequence

from ...common.text_table import aligned
from ..compare.verdict import Verdict
from .comparison import cells, judged, methods, values
from .outcome import Outcome

COLUMNS = {
    "last_map": "last mAP",
    "average_map": "average mAP",
    "forgetting": "forgetting",
    "last_cf1@0.5": "CF1 at 0.5",
    "last_of1@0.5": "OF1 at 0.5",
    "last_fpr@0.5": "FPR at 0.5",
}
"""Numbers of a sequence that tables show, and their headings."""


def describe_study(outcomes: Sequence[Outcome], reference: str) -> str:
    """Return, for each data set with each protocol, the means of every method, and its verdict on the last mAP."""
    parts = []
    for data, protocol, members in cells(outcomes):
        parts.append(f"{data}, {protocol}: mean ± standard deviation over class orders and seeds")
        parts.append(aligned(number_rows(members)))
        if verdicts := verdict_rows(members, reference):
            parts.append(f"last mAP against {reference}, over pairs of the same class order and seed")
            parts.append(aligned(verdicts))
    return "\n\n".join(parts)


def number_rows(members: Sequence[Outcome]) -> list[list[str]]:
    """Return a header and a row a method: sequences, and mean ± standard deviation of each of ``COLUMNS``."""
    tables = [values(members, number).groupby("method")["value"] for number in COLUMNS]
    rows = [["method", "sequences", *COLUMNS.values()]]
    for name in methods(members):
        count = sum(each.name == name and each.is_complete for each in members)
        shown = [_mean_and_spread(table.mean().get(name), table.std().get(name)) for table in tables]
        rows.append([name, str(count), *shown])
    return rows


def verdict_rows(members: Sequence[Outcome], reference: str, number: str = "last_map") -> list[list[str]]:
    """Return a header and a row a method that has pairs with the reference; nothing where none has."""
    if reference not in methods(members) or not (verdicts := judged(members, number, reference)):
        return []
    return verdict_table(verdicts)


def verdict_table(verdicts: Sequence[Verdict]) -> list[list[str]]:
    """Return a header and a row a verdict; a single pair has no interval."""
    rows = [["method", "pairs", "difference", "95% interval", "W/T/L", "p", "Holm p", "verdict"]]
    for found in verdicts:
        interval = f"[{found.interval.low:+.4f}, {found.interval.high:+.4f}]" if found.pairs > 1 else "-"
        outcome = f"{found.wins}/{found.ties}/{found.losses}"
        rows.append([found.method, str(found.pairs), f"{found.difference:+.4f}", interval, outcome, *tested(found)])
    return rows


def tested(verdict: Verdict, *sizes: str) -> tuple[str, ...]:
    """Return p, Holm's p, effect sizes and the verdict; a single pair can be told in words only."""
    if verdict.pairs == 1:
        return (*["-"] * (2 + len(sizes)), "a single pair")
    return f"{verdict.p:.3g}", f"{verdict.holm_p:.3g}", *sizes, verdict.verdict


def _mean_and_spread(mean: float | None, spread: float | None) -> str:
    if mean is None:
        return "-"
    return f"{mean:.4f}" if spread is None or spread != spread else f"{mean:.4f} ± {spread:.4f}"
