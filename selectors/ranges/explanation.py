"""What explains D2ACE's present law: of all rows, of one row, and in numbers that grow with neither.

N rows, L labels, c labels around a row.
"""

from typing import Any

import numpy as np

from ..scores.label_pairs import LabelPairs
from .joint_law import JointLaw, named
from .range_state import RangeState
from .ranges import Ranges


def diagnostics(frozen: JointLaw, ranges: Ranges, pairs: LabelPairs) -> dict[str, Any]:
    """Return scores, label weights, correlations and probabilities as dense arrays; see ``D2ACE.diagnostics``."""
    parts = ranges.broadcast(RangeState.diagnostics, frozen.sums)
    return {
        **{key: np.concatenate([part[key] for part in parts]) for key in parts[0]},
        **named(correlation=[pairs.dense(branch) for branch in frozen.correlations]),
        "p": frozen.probabilities.copy(),
        **summary(frozen, ranges),
    }


def explain(frozen: JointLaw, ranges: Ranges, row: int, *, correlated: bool) -> dict[str, Any]:
    """Return what the law makes of one row, label by label; see ``D2ACE.explain``. Cost O(L c)."""
    correlations = frozen.correlations if correlated else np.zeros_like(frozen.correlations)
    fixed = (frozen.weights, correlations, frozen.sums)
    parts = ranges.split(np.array([row]))
    answers = ranges.scatter(RangeState.explain, [part and (int(part[1][0]), *fixed) for part in parts])
    return {
        **next(answer for answer in answers if answer is not None),
        **named(label_weight=frozen.weights),
        "beta": frozen.beta,
        "pressure": frozen.pressure,
        "p": float(frozen.probabilities[row]),
    }


def summary(frozen: JointLaw, ranges: Ranges) -> dict[str, Any]:
    """Return what ``diagnostics`` holds that does not grow with N or L^2. Cost O(L)."""
    counts = ranges.broadcast(RangeState.counts)
    return {
        **named(label_weight=frozen.weights),
        "beta": frozen.beta,
        "pressure": frozen.pressure,
        "effective_sample_size": frozen.effective_sample_size,
        **{kind: sum(part[kind] for part in counts) for kind in counts[0]},
    }
