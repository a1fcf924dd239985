"""The page of ``photographs.py``: what its table says, in Markdown."""

import numpy as np
import pandas as pd
from _common import ROOT, machines_told

from d2ace.pipeline.studies.compare import compare_methods
from d2ace.pipeline.studies.compare.summary import markdown, markdown_table
from d2ace.pipeline.studies.compare.table import read_table

TABLE = ROOT / "benchmarks" / "results" / "photographs"
MACHINES = TABLE / "machines.json"
METRICS = {"map": "mAP", "macro_auc": "macro-AUC"}
BANDS = {"rare, below 1 % of rows": (0.0, 0.01), "1 to 10 %": (0.01, 0.1), "frequent, above 10 %": (0.1, 1.01)}


def page() -> str:
    """Return the whole page of all that is there."""
    table = read_table(TABLE)
    about = (
        f"Written by `python benchmarks/photographs.py`. {len(table)} runs, commits "
        f"{', '.join(sorted(table['commit'].dropna().unique()))}; {machines_told(MACHINES)}, shared with other work. "
        "Clothing Co-Parsing, 2,098 photographs, 58 labels; a ResNet of half the depth of ResNet-18 and half its "
        f"width, from scratch, 96 pixels, {len(table['test/map'].iloc[0])} epochs; the best validation epoch is "
        "tested. Methods of a seed share rows and initial weights; the intervals are over seeds and hold for this set "
        "and network only."
    )
    parts = ["# Photographs, from scratch", about]
    for metric, title in METRICS.items():
        parts += [f"## {title}", markdown(compare_methods(table, metric, "uniform"))]
    return "\n\n".join([*parts, "## Average precision of labels", *_labels(table)]) + "\n"


def _labels(table: pd.DataFrame) -> list[str]:
    """Average precision by frequency band, and of every label, mean over seeds."""
    methods = sorted(table["method"].unique(), key=lambda name: (name != "uniform", name))
    names, share = table["label_names"].iloc[0], _share(table)
    precision = {method: _precision(table[table["method"] == method]) for method in methods}
    known = ~np.any([np.isnan(values) for values in precision.values()], axis=0)
    bands = [["labels", "how many", "guessing", *methods]]
    for band, (low, high) in BANDS.items():
        inside = known & (share >= low) & (share < high)
        scores = (values[inside].mean() for values in (share, *(precision[m] for m in methods)))
        bands.append([band, str(inside.sum()), *(f"{score:.4f}" for score in scores)])
    rows = [["label", "share of training rows", *methods]]
    for j in np.argsort(share, kind="stable"):
        rows.append([names[j], f"{share[j]:.3f}", *(f"{precision[m][j]:.3f}" for m in methods)])
    told = (
        f"{int((~known).sum())} labels without a positive test row in every seed are not in the bands. Guessing "
        "has about a label's share of the rows as its average precision."
    )
    return [markdown_table(bands), told, markdown_table(rows)]


def _share(table: pd.DataFrame) -> np.ndarray:
    """Return each label's share of the training rows, mean over seeds; `skin` has nearly all of them."""
    positives = np.stack(table["label_positives"].tolist()).astype(float)
    return (positives / positives.max(axis=1, keepdims=True)).mean(axis=0)


def _precision(table: pd.DataFrame) -> np.ndarray:
    return np.stack(table["test_label_ap"].tolist()).mean(axis=0)
