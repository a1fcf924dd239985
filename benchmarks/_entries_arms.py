"""What ``entries.py`` and ``long_tails.py`` compare, and what each arm is trained on."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from _entries_data import UNKNOWN


@dataclass(frozen=True)
class Arm:
    """What is compared.

    Attributes:
        selector: rows and entries.
        loss: its name.
        options: of the loss.
        mixup: parameter of the Beta distribution that shares are drawn from; 0: nothing is mixed.
    """

    selector: Mapping[str, Any]
    loss: str = "bce"
    options: Mapping[str, Any] = field(default_factory=dict)
    mixup: float = 0.0


def policy(name: str, **options: Any) -> dict[str, Any]:
    """Return uniform rows with an entry policy."""
    return {"name": "uniform", "entries": {"policy": name, "options": options}}


UNIFORM = {"name": "uniform"}
_CORRECT_ENTRIES = {"entries": policy("correct")["entries"]}
D2ACE = {"name": "d2ace", "options": {"warmup": 2, "draws": "systematic", "importance": 0.5, "neighbours": 0}}
ARMS: dict[str, Arm] = {
    "complete": Arm(UNIFORM),
    "bce": Arm(UNIFORM),
    "masked": Arm(UNIFORM),
    "masked-correct": Arm(policy("correct")),
    "correct": Arm(policy("correct")),
    "hill": Arm(UNIFORM, "hill"),
    "correct-hill": Arm(policy("correct"), "hill"),
    "reject": Arm(policy("reject")),
    "asl": Arm(UNIFORM, "asl", {"gamma_neg": 2.0, "gamma_pos": 0.0}),
    "ll-r": Arm(UNIFORM, "ll-r"),
    "ll-ct": Arm(UNIFORM, "ll-ct"),
    "splc": Arm(UNIFORM, "splc"),
    "mixup": Arm(UNIFORM, mixup=0.4),
    "soft": Arm(policy("soft")),
    "mixture": Arm(policy("mixture")),
    "correct-wrong": Arm(policy("correct", suspects="wrong")),
    "d2ace": Arm(D2ACE),
    "d2ace-correct": Arm({**D2ACE, **_CORRECT_ENTRIES}),
    "d2ace-hill": Arm(D2ACE, "hill"),
}
MASKED = ("masked", "masked-correct")
"""They leave unknown entries unknown; the others take them for 0."""
PARTNERS = {"d2ace": "bce", "d2ace-correct": "correct", "d2ace-hill": "hill"}
"""Of each arm with rows of D2ACE, the one with uniform rows and all else alike."""
ROW_ARMS: dict[str, Arm] = {
    "uniform": Arm(UNIFORM),
    "repeat-factor": Arm({"name": "repeat-factor"}),
    "deferred-mixture": Arm({"name": "deferred-mixture"}),
    "class-feedback": Arm({"name": "class-feedback"}),
    "balanced": Arm({"name": "balanced"}),
    "hard-imbalance": Arm({"name": "hard-imbalance"}),
    "d2ace-paper": Arm({"name": "d2ace", "preset": "paper"}),
    "d2ace-recommended": Arm({"name": "d2ace", "preset": "recommended"}),
}
"""What ``long_tails.py`` compares: methods for rows, at their own defaults."""
CLASS_AWARE = ("uniform", "class-feedback", "balanced")
"""Rows that are also drawn beside what judges entries."""
BESIDE: tuple[dict[str, Arm], ...] = (
    {f"{rows}-hill": replace(ROW_ARMS[rows], loss="hill") for rows in CLASS_AWARE},
    {f"{rows}-correct-hill": Arm({**ROW_ARMS[rows].selector, **_CORRECT_ENTRIES}, "hill") for rows in CLASS_AWARE},
)
"""The same rows beside the Hill loss, and beside it and a policy; the first of each has uniform rows."""
EVERY = {**ARMS, **ROW_ARMS, **BESIDE[0], **BESIDE[1]}


def read_by(arm: str, damage: str) -> str:
    """Return the damage of the labels that an arm is trained on."""
    if arm == "complete":
        return "clean"
    return damage if arm in MASKED else damage.replace(UNKNOWN, "missing")


def differs(arm: str, damage: str) -> bool:
    """Return whether an arm reads something else there than another one."""
    return damage.startswith(UNKNOWN) if arm in MASKED else (arm, damage) != ("complete", "clean")
