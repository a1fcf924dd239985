"""The report on class-incremental learning: of one sequence of tasks, or of many that are compared."""

import math
from collections.abc import Sequence

from ...studies.compare.verdict import Verdict
from ...studies.incremental.comparison import cells, judged, sign_of, values
from ...studies.incremental.outcome import Outcome
from ...studies.incremental.study_text import tested
from .curves import curve_plot
from .incremental_classes import class_sections
from .incremental_source import CellSource
from .markup import Html, element, joined
from .page import Card, Section, cards, details, figure, figures, legend, page, prose, table
from .rows import Difference, forest_plot
from .wording import duration, fixed


def incremental_page(outcomes: Sequence[Outcome], name: str, reference: str | None = None, *, replaced: int = 0) -> str:
    """Return the whole page.

    Args:
        outcomes: of one sequence, or of many; those that lack tasks are drawn as far as they got.
        name: of the whole, such as its folder's.
        reference: method that the others are compared with; None for the one that comes first.
        replaced: how many older outcomes are left out, since a newer one has their name.
    """
    sources = [CellSource(data, protocol, members) for data, protocol, members in cells(outcomes)]
    sections = []
    for number, source in enumerate(sources):
        place = f"{source.data}, {source.protocol}: " if len(sources) > 1 else ""
        for part in _cell_sections(source, reference):
            sections.append(Section(f"cell-{number}-{part.anchor}", place + part.title, part.body))
    complete = sum(outcome.is_complete for outcome in outcomes)
    lead = f"{len(outcomes)} sequences of tasks, {complete} of them complete. Tasks count from 1."
    if replaced:
        lead += f" {replaced} older ones with the names of newer ones are left out."
    elif len(outcomes) == 1:
        only = outcomes[0]
        lead = (
            f"{only.name} on {only.data}, {only.protocol}, classes {only.order}, seed {only.seed}. Tasks count from 1."
        )
    return page("Class-incremental learning", name, lead, sections, "Written by d2ace report.")


def _cell_sections(source: CellSource, reference: str | None) -> list[Section]:
    complete = [outcome for outcome in source.outcomes if outcome.is_complete]
    found: list[Section | None] = [_summary(source, complete), _tasks(source)]
    if complete:
        found += [_against(source, complete, reference), *class_sections(source)]
    return [section for section in found if section is not None]


def _summary(source: CellSource, complete: Sequence[Outcome]) -> Section:
    first = source.outcomes[0]
    given = [
        Card("Sequences", str(len(source.outcomes)), f"{len(complete)} complete"),
        Card("Tasks", str(len(first.blocks)), f"classes: {', '.join(map(str, first.blocks))}"),
        Card("Class orders", str(len({outcome.order for outcome in source.outcomes}))),
        Card("Seeds", str(len({outcome.seed for outcome in source.outcomes}))),
        Card("Time", duration(sum(sum(outcome.seconds) for outcome in source.outcomes)), "of all tasks added up"),
    ]
    told = prose(
        "After each task the model is tested on all classes seen so far, on the test rows that have one of them. Last: "
        "after the last task; average: the mean over tasks. CF1 and OF1 are harmonic means of precision and recall, "
        "averaged over classes and counted over entries, with the threshold named; validation: a threshold a class, "
        "chosen on validation rows. FPR: share of the known negatives that are predicted. Forgetting: mean fall of a "
        "class's average precision from its best after an earlier task."
    )
    return Section("summary", "Summary", joined(cards(given), _numbers(source, complete) if complete else "", told))


def _numbers(source: CellSource, complete: Sequence[Outcome]) -> Html:
    """Return mean ± standard deviation of every number and method, the chief ones first."""
    chief = ["last_map", "average_map", "forgetting", "last_fpr@0.5"]
    known = dict.fromkeys(
        name for outcome in complete for name, each in outcome.overall.items() if isinstance(each, float)
    )
    more = [name for name in known if name not in chief]
    return joined(
        _number_table("Mean ± standard deviation over class orders and seeds", source, complete, chief),
        details(f"{len(more)} more numbers", _number_table("All other numbers", source, complete, more)),
    )


def _number_table(caption: str, source: CellSource, complete: Sequence[Outcome], names: Sequence[str]) -> Html:
    head = ["number", *source.methods]
    rows = []
    for name in names:
        groups = values([each for each in complete if name in each.overall], name).groupby("method")["value"]
        means, spreads = groups.mean(), groups.std()
        best = (sign_of(name) * means).max() if len(means) > 1 else math.inf
        shown = [_cell(means.get(m), spreads.get(m), sign_of(name), best) for m in source.methods]
        rows.append((name.replace("_", " "), *shown))
    return table(caption, head, rows)


def _cell(mean: float | None, spread: float | None, sign: int, best: float) -> object:
    if mean is None:
        return "–"
    shown = element("strong", fixed(mean)) if sign * mean == best else fixed(mean)
    known = spread is not None and not math.isnan(spread)
    return joined(shown, element("small", f"± {fixed(spread)}") if known else "")


def _tasks(source: CellSource) -> Section:
    """Lines over tasks."""
    wanted = (
        ("map", "mAP over all classes seen"),
        ("old_map", "mAP over classes of earlier tasks"),
        ("new_map", "mAP over classes of the task"),
        ("fpr@0.5", "False-positive rate at 0.5"),
        ("cf1@0.5", "CF1 at 0.5"),
        ("of1@0.5", "OF1 at 0.5"),
    )
    drawn = []
    for number, title in wanted:
        if curves := source.curves(number):
            drawn.append(figure(curve_plot(curves, number, along="task"), title))
    told = prose("Mean over class orders and seeds; the band is one standard deviation to each side.")
    return Section("tasks", "After each task", joined(told, legend(source.looks.items()), figures(*drawn)))


def _against(source: CellSource, complete: Sequence[Outcome], reference: str | None) -> Section | None:
    """Differences to the reference, with tests over matched pairs."""
    against = reference if reference in source.methods else source.methods[0]
    drawn, rows = [], []
    for number in ("last_map", "average_map", "forgetting", "last_fpr@0.5"):
        verdicts = judged(complete, number, against)
        if not verdicts:
            return None
        told = [Difference(v.method, v.difference, v.interval.low, v.interval.high, v.verdict) for v in verdicts]
        drawn.append(figure(forest_plot(told, f"gain in {number.replace('_', ' ')}"), f"Gain over {against}"))
        rows += [_verdict_row(number, verdict) for verdict in verdicts]
    head = ("number", "method", "difference", "W/T/L", "p", "Holm p", "d_z", "verdict")
    caption = f"Every method against {against}"
    words = prose(
        "Positive is better. Pairs share class order and seed; p is of a Wilcoxon signed-rank test over pairs, "
        "Holm-corrected for the methods. Pairs of one data set share rows: nothing follows for other data."
    )
    body = joined(words, figures(*drawn, level=False), table(caption, head, rows, words=(1, 7)))
    return Section("against", f"Against {against}", body)


def _verdict_row(number: str, verdict: Verdict) -> tuple[str, ...]:
    return (
        number.replace("_", " "),
        verdict.method,
        f"{verdict.difference:+.4f}",
        f"{verdict.wins}/{verdict.ties}/{verdict.losses}",
        *tested(verdict, f"{verdict.cohens_dz:+.2f}"),
    )
