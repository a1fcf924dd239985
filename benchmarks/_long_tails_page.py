"""The page of ``long_tails.py``: what its runs say, in Markdown."""

from collections.abc import Iterator

import _common  # noqa: F401  puts the checkout on the path
import pandas as pd
from _entries_arms import BESIDE, ROW_ARMS
from _entries_page import against
from _entries_runs import EPOCHS, RATES

from d2ace.pipeline.studies.compare.summary import markdown_table

GROUPS = ("all", "head", "medium", "tail")
FLAGS = ("precision", "recall")
"""Of what a policy flags among the training rows."""
_ABOUT = """\
`long-tail`: training rows are left out until the k-th most frequent label has about k^-p times the positives of the \
first, and the last about a hundredth; labels that come along with rare ones keep more. `missing50`: half of the \
positives of training and validation rows are missing. `single`: all but one of each row's are. \
`wrong20`: a fifth of them stands at a label that the row \
lacks. `clean`: as the data is. Test rows are complete and as they were.

Each method has its own defaults, and as many draws and steps as uniform batches where the tables do not say \
otherwise. Its learning rate is the one of {rates} that is best on validation rows, damaged like the training rows, in \
the mean over three seeds that no result is of. A seed decides split, resampling, damage, weights and batches, and its \
validation rows choose the epoch. Multi-layer perceptron on features of a pretrained network that stays as it is; in \
sets called `-128` the end of such a network itself (EfficientNet-Lite0: last block, last convolution and a new head) \
trained further on photographs of 128 pixels. AdamW, one-cycle schedule, {epochs}.

**all**: test mAP. **head**, **medium**, **tail**: mean average precision of a third of the labels each, by their \
training rows. Differences are to uniform rows with all else alike, over pairs of the same seed; p: Wilcoxon's signed \
ranks, corrected after Holm over the methods of a column. `-hill`: with the Hill loss; `-correct-hill`: with it and \
the policy `correct`, whose flags of training rows have the **precision** and **recall** of the last epoch."""


def page(runs: pd.DataFrame, machine: dict[str, object]) -> str:
    """Return the whole page from a line a run: data, condition, arm, seed, rate, mAP by group, rows and steps."""
    places = list(dict.fromkeys(zip(runs["data"], runs["condition"], strict=True)))
    epochs = ", ".join(f"{name} {EPOCHS[name]} epochs" for name in dict.fromkeys(runs["data"]))
    rates = ", ".join(f"{rate:g}" for rate in RATES)
    facts = ", ".join(f"{key} {value}" for key, value in machine.items() if key != "load")
    parts = [
        "# Choosing rows where labels are long-tailed, missing or wrong",
        "Written by `python benchmarks/long_tails.py` from `benchmarks/results/long_tails.json`; do not edit.",
        _ABOUT.format(rates=rates, epochs=epochs),
        f"{len(runs)} runs, commits {', '.join(sorted(set(runs['commit'])))}; {facts}.",
    ]
    for name, condition in places:
        here = runs[(runs["data"] == name) & (runs["condition"] == condition)]
        parts += [
            f"## {name}, {condition}",
            *(table for arms in (ROW_ARMS, *BESIDE) for table in _tables(here, [*arms])),
        ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _tables(runs: pd.DataFrame, family: list[str]) -> Iterator[str]:
    """The levels of each method of a family, and its differences to the first, which has uniform rows."""
    arms, reference = [arm for arm in family if arm in set(runs["arm"])], family[0]
    if not arms:
        return
    flags = [name for name in FLAGS if name in runs and runs.loc[runs["arm"].isin(arms), name].gt(0).any()]
    rows = [["method", "seeds", "rate", *GROUPS, "rows", "steps", *flags]]
    for arm in arms:
        mine = runs[runs["arm"] == arm]
        levels = [f"{mine[group].mean():.4f} ± {mine[group].std():.4f}" for group in GROUPS]
        drawn = [f"{mine[name].mean():,.0f}" for name in ("rows", "steps")]
        told = ["-" if mine[name].isna().all() else f"{mine[name].mean():.2f}" for name in flags]
        rows.append([arm, str(len(mine)), f"{mine['rate'].iloc[0]:g}", *levels, *drawn, *told])
    yield markdown_table(rows)
    others = [arm for arm in arms if arm != reference]
    if others and reference in arms:
        wide = {group: runs.pivot_table(index="seed", columns="arm", values=group) for group in GROUPS}
        columns = {group: against(wide[group], others, reference) for group in GROUPS}
        head = ["method", *(word for group in GROUPS for word in (group, "p"))]
        yield markdown_table(
            [head, *([arm, *(word for group in GROUPS for word in columns[group][arm])] for arm in others)]
        )
