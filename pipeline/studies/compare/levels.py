"""Where the reference stands: beside what is known to be reached on a data set, and beside linear rivals."""

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


def below_linear(table: pd.DataFrame, metric: str, reference: str) -> list[str]:
    """Return a sentence for each cell whose network, trained by the reference, is below its best linear rival.

    Args:
        table: of the comparison.
        metric: that is compared.
        reference: the baseline.
    """
    means, sign, found = mean_and_std(table, metric), better_sign(metric), []
    linear = set(table.loc[table["rival"] == "linear", "method"])
    for names, cell in means.groupby(CELL, sort=False):
        values = cell.set_index("method")["mean"]
        rivals = sign * values[values.index.isin(linear)]
        if len(rivals) and reference in values and sign * values[reference] < rivals.max():
            best = str(rivals.idxmax())
            found.append(
                f"{' / '.join(map(str, names))}: the network is below a linear model: {reference} "
                f"{values[reference]:.4f}, {best} {values[best]:.4f}; nothing about good networks follows from it."
            )
    return found
