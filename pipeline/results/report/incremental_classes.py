"""The parts of the report on class-incremental learning that look at single classes, and at single label entries.

C classes
"""

from collections.abc import Sequence

import numpy as np

from .grid import grid_map
from .incremental_source import CellSource, by_class, class_by_task, last_confusion, relabelled
from .markup import joined
from .page import Section, figure, figures, prose, subheading, table
from .wording import fixed, percent

_TRIANGLES = {
    "lower": "old labels of new exemplars, by the past model",
    "upper": "new labels of old exemplars, by the current model",
    "both": "both",
}


def class_sections(source: CellSource) -> list[Section | None]:
    """Return the parts; None for one that has nothing to say."""
    return [_classes(source), _relabelling(source), _confusion(source)]


def _classes(source: CellSource) -> Section:
    """A map of classes by tasks for each method, and the forgetting of each class."""
    drawn = []
    for name in source.methods:
        if same := source.first_order(name):
            tasks = [str(task + 1) for task in range(len(same[0].blocks))]
            picture = grid_map(class_by_task(same), same[0].classes, tasks, "average precision", highest=1.0)
            drawn.append(figure(picture, name, f"Average precision after each task, mean of {len(same)} sequences."))
    fallen = {name: by_class(source.of(name), lambda each: each.overall["label_forgetting"]) for name in source.methods}
    names = list(dict.fromkeys(label for each in fallen.values() for label in each))
    rows = [(label, *(fixed(each.get(label)) for each in fallen.values())) for label in names]
    told = prose(
        f"Classes in the order of their arrival ({source.outcomes[0].order}), tasks from left to right; full colour: 1."
    )
    forgotten = table("Forgetting of each class, mean over all sequences", ("class", *fallen), rows)
    return Section("classes", "Classes after each task", joined(told, figures(*drawn, level=False), forgotten))


def _relabelling(source: CellSource) -> Section | None:
    """How right the labels are that models gave to exemplars."""
    rows = []
    for name in source.methods:
        for triangle, found in (relabelled(source.of(name)) or {}).items():
            counts = (f"{found['entries']:.0f}", f"{found['positives']:.0f}")
            rates = (percent(found[part]) for part in ("precision", "recall", "fpr"))
            rows.append((name, _TRIANGLES[triangle], *counts, *rates))
    if not rows:
        return None
    head = ("method", "entries filled", "entries", "filled as 1", "precision", "recall", "false positives")
    told = prose("Of the memory after the last task, against the labels that no task has shown; mean over sequences.")
    body = joined(told, table("Labels of exemplars that a model has filled", head, rows, words=(1,)))
    return Section("relabelling", "Relabelled exemplars", body)


def _confusion(source: CellSource) -> Section | None:
    """Which class a missed one is taken for, after the last task."""
    drawn, rows = [], []
    for name in source.methods:
        if same := source.first_order(name):
            found, classes = last_confusion(same), same[0].classes
            picture = grid_map(found, classes, classes, "share of rows")
            drawn.append(figure(picture, name, f"Full colour: {percent(float(np.nanmax(found, initial=0)))}."))
            rows.append((name, *map(percent, _old_to_new(found, same[0].blocks))))
    if not drawn:
        return None
    told = prose(
        "Line: a class that is there and was missed; column: one that is not there and was predicted, at 0.5. A value "
        "is the share of the test rows with the first and without the second. Old: of tasks before the last."
    )
    head = ("method", "old for old", "old for new", "new for old")
    means = table("Mean over pairs of classes: the missed one for the predicted one", head, rows)
    return Section(
        "confusion", "Missed for what", joined(told, means, subheading("Pairs"), figures(*drawn, level=False))
    )


def _old_to_new(found: np.ndarray, blocks: Sequence[int]) -> tuple[float, float, float]:
    """Return the means over pairs of old for old, old for new, and new for old classes; NaN where there is no pair."""
    old = sum(blocks[:-1])
    parts = found[:old, :old], found[:old, old:], found[old:, :old]
    known = [part[~np.isnan(part)] for part in parts]
    first, second, third = (float(part.mean()) if len(part) else float("nan") for part in known)
    return first, second, third
