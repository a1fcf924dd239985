"""What the demonstration says of its runs: a table, what the policy won back, and what the audit found."""

from collections.abc import Iterator, Mapping

from ..common.storage.any_path import address_of
from ..common.text_table import aligned
from ..training.driver import RunResult
from .demo import ARMS, AUDITED, EPOCHS, Finds

_METRICS = ("map", "macro_auc", "micro_f1", "macro_f1")
_TOLD = {"map": "mAP", "micro_f1": "micro-F1"}


def demo_text(results: Mapping[str, RunResult], found: Finds) -> str:
    """Return all that is said in the end: figures of one run of each arm, and what they are good for."""
    parts = [comparison_table(results), *_told(results), "\n".join(_found(found)), _caution(results)]
    folders = [f"run folder of {name}: {address_of(result.folder)}" for name, result in results.items()]
    return "\n\n".join([*parts, "\n".join([f"report: {address_of(found.report)}", *folders])])


def comparison_table(results: Mapping[str, RunResult]) -> str:
    """Return the results as a plain text table, a column an arm."""
    rows = [["", *results]]
    for metric in _METRICS:
        rows.append([f"test {metric}", *(f"{result.test[metric]:.4f}" for result in results.values())])
    rows.append(["best epoch", *(str(result.best_epoch + 1) for result in results.values())])
    rows.append(["seconds per epoch", *(f"{mean(result, 'seconds'):.2f}" for result in results.values())])
    shares = (mean(result, "selection/share") for result in results.values())
    rows.append(["selection, share of an epoch", *(f"{share:.1%}" for share in shares)])
    return aligned(rows)


def mean(result: RunResult, name: str) -> float:
    """Return the mean of a recorded number over a run's epochs."""
    return sum(record[name] for record in result.history) / len(result.history)


def _told(results: Mapping[str, RunResult]) -> Iterator[str]:
    """Yield what believing the labels that are left costs, and what each policy wins back or loses."""
    test = {name: result.test for name, result in results.items()}
    cost = {metric: test["complete"][metric] - test["believed"][metric] for metric in _TOLD}
    words = " and ".join(f"{cost[metric]:.4f} in {word}" for metric, word in _TOLD.items())
    yield f"Test rows have all their labels. To believe the labels that are left costs {words}."
    for name in (name for name in results if ARMS[name].selector.get("entries")):
        gains = {metric: test[name][metric] - test["believed"][metric] for metric in _TOLD}
        won = ", ".join(f"{_TOLD[metric]} {gain:+.4f}{_share(gain, cost[metric])}" for metric, gain in gains.items())
        yield f"{name}: {_flagged(results[name])} {won}, against believing them."


def _share(gain: float, cost: float) -> str:
    """Return how much of the cost a gain is, where there is a cost and a gain."""
    return f" ({100 * gain / cost:.0f} % of the cost)" if gain > 0 and cost > 0 else ""


def _flagged(result: RunResult) -> str:
    last = result.history[-1]
    if not last["selection/entries_gate_open"]:
        return "nothing was flagged, so all labels were believed."
    return f"{last['selection/entries_flagged']:,} labels are trained as if they were there."


def _found(found: Finds) -> Iterator[str]:
    """Yield what the audit of one arm listed, and how much of it is right."""
    listed = len(found.audit.suspects)
    if not listed:
        yield "The audit lists nothing: no row was seen twice."
        return
    right, by_chance = 100 * found.right / listed, 100 * found.hidden / found.absent
    yield (
        f"Of the first {listed} labels that the audit of {AUDITED} calls missing, {found.right} are hidden ones "
        f"({right:.0f} %); of all labels given as absent {by_chance:.0f} % are."
    )
    yield f"Look at the images: {address_of(found.audit.out / 'audit.html')}"


def _caution(results: Mapping[str, RunResult]) -> str:
    """Return what one run of each arm can show."""
    epochs = max(len(result.history) for result in results.values())
    if epochs < EPOCHS:
        short = f"These networks had {epochs} epochs instead of {EPOCHS} and are far from trained"
        return f"{short}: the figures show nothing."
    return (
        "One run each, of one seed, on made-up scenes. F1 counts labels above one half, which a network that believes\n"
        "missing labels seldom says; a lower threshold would win back a part of it, too. What more seeds show on\n"
        "photographs, with rival losses and other faults: docs/results/entries.md."
    )
