"""The page of ``entries.py``: what its runs say, in Markdown."""

from collections.abc import Sequence

import _common  # noqa: F401  puts the checkout on the path
import numpy as np
import pandas as pd
from _entries_arms import ARMS, DROPOUT, EPOCHS, HIDDEN, RATES

from d2ace.pipeline.studies.compare.statistics import holm, signed_rank_test
from d2ace.pipeline.studies.compare.summary import markdown_table

_ABOUT = (
    "Test rows have complete labels; training and validation rows are damaged alike: `single`, one observed "
    "positive a row; `missingP`, P % of the positives missing at random; `wrongP`, P % of them moved to a label that "
    "the row lacks; `both`, half missing and a fifth of the others moved; `clean`, none. What is missing is taken for "
    "0. "
    "`complete` trains on the labels without damage. A multi-layer perceptron ({hidden} units, dropout "
    "{dropout}), AdamW, one-cycle schedule, batch 256 (yeast 128), {epochs}. The learning rate of every arm is "
    "the one of {rates} whose best validation mAP on seed 0 is highest; a seed decides split, damage, weights and "
    "batches. Equal steps and forward passes in all arms.\n\n"
    "**chosen**: test mAP of the epoch that the damaged validation rows choose, with a policy among those trained "
    "with all flags. **last**: of the last epoch. **gap**: how much of the way from `bce` to `complete` is gone. "
    "Flags of the training rows at the end: their precision and recall; `-` where the gate stayed shut."
)


def page(runs: pd.DataFrame, machine: dict[str, object]) -> str:
    """Return the whole page from a line a run: data, damage, arm, seed, rate, chosen, last, and what a policy said."""
    epochs = ", ".join(f"{name} {EPOCHS[name]} epochs" for name in runs["data"].unique())
    rates = ", ".join(f"{rate:g}" for rate in RATES)
    about = _ABOUT.format(hidden=HIDDEN, dropout=DROPOUT, epochs=epochs, rates=rates)
    facts = ", ".join(f"{key} {value}" for key, value in machine.items() if key != "load")
    parts = [
        "# Missing and wrong labels: entry policies against published losses",
        "Written by `python benchmarks/entries.py` from `results/entries.json`; do not edit.",
        about,
        f"{len(runs)} runs are shown (those of the search for a rate not counted), at one time of one core; {facts}.",
        "## In short",
        *_pooled(runs),
    ]
    for name in (name for name in EPOCHS if name in set(runs["data"])):
        parts += [f"## {name}", *_cells(runs[runs["data"] == name])]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _cells(runs: pd.DataFrame) -> list[str]:
    """Every damage of a data set: mean and standard deviation over the seeds."""
    parts = []
    for damage, part in runs.groupby("damage", sort=False):
        rows = [["arm", "seeds", "rate", "chosen", "last", "to bce", "gap", "precision / recall", "gate open"]]
        rows += [_line(part, arm) for arm in _ordered(part["arm"])]
        parts += [f"### {damage}", markdown_table(rows)]
    return parts


def _line(part: pd.DataFrame, arm: str) -> list[str]:
    mine, bce, complete = (part[part["arm"] == name].set_index("seed") for name in (arm, "bce", "complete"))
    gain, gap = mine["chosen"] - bce["chosen"], complete["chosen"] - bce["chosen"]
    closed = f"{gain.mean() / gap.mean():.0%}" if len(complete) and gain.notna().any() and arm != "bce" else ""
    said = ["", ""]
    if "entries_gate_open" in mine and mine["entries_gate_open"].notna().any():
        opened = mine["entries_gate_open"].astype(bool)
        said = ["-", f"{opened.sum()} of {len(mine)}"]
        if opened.any():
            said[0] = f"{mine['precision'][opened].mean():.2f} / {mine['recall'][opened].mean():.2f}"
    return [
        arm, str(len(mine)), f"{mine['rate'].iloc[0]:g}", _spread(mine["chosen"]), _spread(mine["last"]),
        "" if arm == "bce" or gain.isna().all() else f"{gain.mean():+.4f}", closed, *said,
    ]  # fmt: skip


def _spread(values: pd.Series) -> str:
    return f"{values.mean():.4f} ± {values.std():.4f}"


def _ordered(arms: pd.Series) -> list[str]:
    return [arm for arm in ARMS if arm in set(arms)]


def _pooled(runs: pd.DataFrame) -> list[str]:
    """Every arm against ``bce``, ``hill`` and ``splc`` over the damages of mirflickr14 that only take labels away."""
    part = runs[(runs["data"] == "mirflickr14") & runs["damage"].str.match("single|missing")]
    wide = part.pivot_table(index=["damage", "seed"], columns="arm", values="chosen")
    arms = [arm for arm in _ordered(part["arm"]) if arm not in ("bce", "complete")]
    tested = {rival: _against(wide, arms, rival) for rival in ("bce", "hill", "splc")}
    rows = [["arm", "damages", "pairs", "to bce", "p", "to hill", "p", "to splc", "p"]]
    for arm in arms:
        there = wide[arm].dropna().index
        damages = ", ".join(dict.fromkeys(damage for damage, _ in there))
        rows.append([arm, damages, str(len(there)), *tested["bce"][arm], *tested["hill"][arm], *tested["splc"][arm]])
    about = (
        "mirflickr14 with missing labels, chosen epochs: mean difference over pairs (damage and seed), with Holm's "
        "corrected p of Wilcoxon's signed ranks over the arms of a column. A seed has the same test rows in all "
        "damages, so the pairs are not independent: for this data set and network only. Of five seeds alone no p is "
        "below .06."
    )
    return [about, markdown_table(rows)]


def _against(wide: pd.DataFrame, arms: Sequence[str], rival: str) -> dict[str, tuple[str, str]]:
    """Return difference and corrected p of each arm, in words."""
    found = {arm: (wide[arm] - wide[rival]).dropna().to_numpy() for arm in arms if arm != rival}
    found = {arm: values for arm, values in found.items() if len(values)}
    corrected = holm(np.array([signed_rank_test(values).p for values in found.values()]))
    told = {arm: (f"{v.mean():+.4f}", f"{p:.2g}") for (arm, v), p in zip(found.items(), corrected, strict=True)}
    return {arm: told.get(arm, ("", "")) for arm in arms}
