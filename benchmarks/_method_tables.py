"""The tables and verdicts of the method cards, in Markdown, from the results of ``method_cards.py``.

``sets`` is always data set -> method -> what ``method_cards.summary`` returns; ``of`` the part of one data set.
"""

from typing import Any

import numpy as np
from scipy import stats

METRICS = {"macro_auc": "macro-AUC", "map": "mAP", "ranking_loss": "ranking loss"}


def table(method: str, sets: dict[str, Any]) -> str:
    """Return mean +- standard deviation of the method beside uniform's, a column a set and method."""
    columns = [(name, m) for name in sets for m in dict.fromkeys(("uniform", method))]
    of = [sets[name][m] for name, m in columns]
    rows = [["", *(f"{name}: {m}" for name, m in columns)], ["---"] * (len(columns) + 1)]
    for metric, words in METRICS.items():
        rows.append([f"test {words}", *(spread(o["test"][metric]) for o in of)])
    rows.append(
        ["effective sample size, mean (least)", *(sample_size(m, o) for (_, m), o in zip(columns, of, strict=True))]
    )
    rows.append(["draws an epoch, share of the rows", *(f"{o['draws']:.0%}" for o in of)])
    rows.append(["distinct rows in an epoch", *(f"{o['distinct']:.0%}" for o in of)])
    rows.append(["selection, ms an epoch", *(f"{np.median(o['selection_ms']):.1f}" for o in of)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def spread(values: list[float]) -> str:
    """Return mean and sample standard deviation."""
    return f"{np.mean(values):.4f} ± {np.std(values, ddof=1):.4f}"


def sample_size(method: str, of: dict[str, Any]) -> str:
    """Return mean and least effective sample size of one method's runs on one set."""
    size = of["effective_sample_size"]
    if size is None:
        return "1" if method == "uniform" else "no law"
    return f"{size['mean']:.3f} ({size['least']:.3f})"


def difference(method: str, of: dict[str, Any], metric: str) -> tuple[float, float, str]:
    """Return mean and half width of the 95 % interval of the paired difference to uniform, and what it shows."""
    gaps = np.subtract(of[method]["test"][metric], of["uniform"]["test"][metric])
    half = float(stats.t.ppf(0.975, len(gaps) - 1) * np.std(gaps, ddof=1) / np.sqrt(len(gaps)))
    gain = -gaps.mean() if metric == "ranking_loss" else gaps.mean()
    shown = "no difference shown" if abs(gain) <= half else ("better" if gain > 0 else "worse")
    return float(gaps.mean()), half, shown


def verdicts(method: str, sets: dict[str, Any]) -> str:
    """Return in words how the method compares with uniform, seed by seed."""
    lines = ["Against uniform with the same seed (mean difference, 95 % interval of a paired t-test):", ""]
    for name, of in sets.items():
        found = {words: difference(method, of, metric) for metric, words in METRICS.items()}
        lines.append(f"- {name}: " + ", ".join(f"{w} {m:+.4f} ± {h:.4f}: {s}" for w, (m, h, s) in found.items()))
    return "\n".join([*lines, "", f"It {tally([method], sets)}."])


def tally(methods: list[str], sets: dict[str, Any]) -> str:
    """Return how often methods came out better and worse than uniform, in words."""
    shown = [difference(method, of, metric)[2] for method in methods for of in sets.values() for metric in METRICS]
    better, worse = shown.count("better"), shown.count("worse")
    return f"beats uniform in {better} of {len(shown)} comparisons and is worse in {worse}"


def index(sets: dict[str, Any]) -> str:
    """Return the table of all methods: difference of macro-AUC and cost on each set."""
    head = [f"{name}: {words}" for name in sets for words in ("macro-AUC − uniform's", "ms an epoch")]
    rows = [["method", *head], ["---"] * (len(head) + 1)]
    for method in sorted(next(iter(sets.values()))):
        cells = []
        for of in sets.values():
            mean, half, shown = difference(method, of, "macro_auc")
            gap = "reference" if method == "uniform" else f"{mean:+.4f} ± {half:.4f} ({shown})"
            cells += [gap, f"{np.median(of[method]['selection_ms']):.1f}"]
        rows.append([f"`{method}`", *cells])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    others = [method for method in next(iter(sets.values())) if method != "uniform"]
    metrics = ", ".join(METRICS.values())
    return "\n".join([*lines, "", f"Over {metrics} and all sets together, a method {tally(others, sets)}."])
