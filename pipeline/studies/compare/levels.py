"""Where the reference stands: beside what is known to be reached on a data set."""

import json

import pandas as pd

from .values import CELL, better_sign, mean_and_std


def levels_told(table: pd.DataFrame, metric: str, reference: str) -> list[str]:
    """Return a sentence for each cell of whose data set the study names a known level of the metric.

    Args:
        table: of the comparison.
        metric: that is compared.
        reference: the baseline.
    """
    means, sign, found = mean_and_std(table, metric), better_sign(metric), []
    known = table.dropna(subset="known").drop_duplicates("data").set_index("data")["known"]
    for cell in means[means["method"] == reference].to_dict("records"):
        stated = json.loads(known.get(cell["data"], "{}"))
        if metric in stated:
            source = f" ({stated['from']})" if stated["from"] else ""
            gap = sign * (cell["mean"] - stated[metric])
            beside = f"{abs(gap):.4f} {'better' if gap >= 0 else 'worse'}"
            place = " / ".join(cell[name] for name in CELL)
            found.append(f"{place}: {reference} {cell['mean']:.4f}, known {stated[metric]:.4f}{source}: {beside}.")
    return found
