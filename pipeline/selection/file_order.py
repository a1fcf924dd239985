"""The order of rows that the programs released with the papers have in epochs that draw every row once."""

from dataclasses import replace

import numpy as np

from ...selectors.plans.plan import Plan


def in_file_order(plan: Plan, n_rows: int) -> Plan:
    """Return a plan that draws every row once with its rows in order; any other plan as it is."""
    plain = plan.probabilities is None and plan.draw_weights is None and len(plan.ids) == n_rows
    if plain and np.array_equal(np.sort(plan.ids), np.arange(n_rows)):
        return replace(plan, ids=np.arange(n_rows))
    return plan
