"""A choice in words, for the console."""

from ...common.text_table import aligned
from .candidates import UNIFORM
from .outcome import Choice


def describe(choice: Choice) -> str:
    """Return what was chosen and why, the arms, and the cost."""
    return "\n".join([verdict(choice), "", _arms(choice), "", cost(choice)])


def verdict(choice: Choice) -> str:
    """Return what was chosen and why."""
    reason = choice.decision.reason
    if choice.chosen == UNIFORM:
        return f"Chosen: {UNIFORM}. The best candidate was {choice.finalist}: {reason}."
    return f"Chosen: {choice.chosen}: {reason}."


def cost(choice: Choice) -> str:
    """Return what the choice cost, in a sentence."""
    schedule = choice.schedule
    return (
        f"Trained {schedule.cost} epochs, {choice.cost:.2f} times a run of {schedule.epochs} (allowed: "
        f"{choice.budget:g}); all arms share the first {schedule.shared}."
    )


def _arms(choice: Choice) -> str:
    rows = [["arm", f"validation {choice.monitor}", "best epoch", "epochs"]]
    for arm in choice.arms:
        rows.append([arm.name, f"{arm.value:.4f}", str(arm.best_epoch + 1), str(arm.epochs)])
    return aligned(rows)
