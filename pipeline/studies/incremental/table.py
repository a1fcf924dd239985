"""What a sequence came to, as text."""

from collections.abc import Mapping
from typing import Any

from ...common.text_table import aligned
from .outcome import Outcome

_COLUMNS = ("map", "old_map", "new_map", "cf1@0.5", "of1@0.5", "fpr@0.5")


def describe(outcome: Outcome) -> str:
    """Return a table with a line for each task, and what all tasks came to."""
    lines = [["after task", "classes", *_COLUMNS]]
    seen = 0
    for number, (task, classes) in enumerate(zip(outcome.tasks, outcome.blocks, strict=False), 1):
        seen += classes
        lines.append([str(number), str(seen), *(_number(task, name) for name in _COLUMNS)])
    overall = outcome.overall
    told = ", ".join(
        f"{words} {_number(overall, name)}"
        for words, name in (
            ("average mAP", "average_map"),
            ("last mAP", "last_map"),
            ("forgetting", "forgetting"),
        )
    )
    return f"{aligned(lines)}\n\n{outcome.name} ({outcome.protocol}): {told}"


def _number(values: Mapping[str, Any], name: str) -> str:
    value = values[name]
    return f"{value:.4f}" if value == value else "-"
