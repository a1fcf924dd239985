"""D2ACE's law in a saved state: what was fixed for all rows together. The rows' levels are of the ranges' own state."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..scores.label_pairs import LabelPairs
from .joint_law import JointLaw, freeze, named
from .range_state import BRANCHES
from .ranges import Ranges

_ARRAYS = [f"{kind}_{branch}" for kind in ("label_weight", "correlation") for branch in BRANCHES]
LAW_KEYS = [*_ARRAYS, "pressure", "beta"]
"""What a state needs for ``loaded_law``."""


def saved_law(frozen: JointLaw, pairs: LabelPairs) -> dict[str, Any]:
    """Return a law's entries of a saved state, as copies."""
    correlations = [pairs.saved(branch) for branch in frozen.correlations]
    return {
        **named(label_weight=frozen.weights, correlation=correlations),
        **({} if pairs.cells is None else {"correlation_cells": pairs.cells.copy()}),
        "pressure": frozen.pressure,
        "beta": frozen.beta,
    }


def loaded_law(state: Mapping[str, Any], ranges: Ranges, pairs: LabelPairs) -> JointLaw:
    """Return the law of a state that has ``LAW_KEYS``, once the ranges have loaded their part of it."""
    weights = np.array([state[key] for key in _ARRAYS[:2]])
    correlations = np.array([pairs.loaded(state[key]) for key in _ARRAYS[2:]])
    return freeze(ranges, weights, correlations, float(state["pressure"]), float(state["beta"]))
