"""What ``d2ace decide`` prints: both F1s, both calibration errors, and the thresholds of a few labels."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...common.text_table import aligned
from ...runs.decisions import Decisions

_SHOWN = 12


def describe(decisions: Decisions) -> str:
    """Return what was chosen and what it is worth, in words and two tables."""
    about = decisions.about
    lines = [f"thresholds by {about['rule']}, calibration {about['calibration']}; {_strengths(about)}"]
    if about["kept_run_threshold"]:
        lines.append(
            f"no thresholds had a larger macro-F1 on rows that were left out than {about['run_threshold']:g} for all "
            "labels, which stays"
        )
    head = ["rows", "threshold", "macro-F1", "micro-F1", "calibration error", "mean over labels"]
    rows = [_line(name, about, when) for name in about["quality"] for when in ("before", "after")]
    return "\n".join([*lines, "", aligned([head, *rows]), "", _labels(decisions)])


def _strengths(about: Mapping[str, Any]) -> str:
    told = f"those of labels with m positives are drawn to {about['threshold_for_all']:.2f}"
    strength = about["threshold_strength"]
    return (
        f"{told} with the weight of {strength} positives" if strength != "infinite" else f"one for all labels ({told})"
    )


def _line(name: str, about: Mapping[str, Any], when: str) -> list[str]:
    found = about["quality"][name]
    of_run = f"{about['run_threshold']:g}, as trained"
    numbers = [f"{found[when][key]:.4f}" for key in ("macro_f1", "micro_f1", "ece", "label_ece")]
    return [f"{name} ({found['rows']})", of_run if when == "before" else "chosen", *numbers]


def _labels(decisions: Decisions) -> str:
    order = np.argsort(decisions.about["positives"], kind="stable")
    shown = order if len(order) <= _SHOWN else np.concatenate([order[: _SHOWN // 2], order[-_SHOWN // 2 :]])
    head = ["label", "positives", "threshold", "on the network's own probability"]
    rows = [
        [
            decisions.labels[j],
            str(decisions.about["positives"][j]),
            f"{decisions.thresholds[j]:.3f}",
            f"{decisions.raw_thresholds[j]:.3f}",
        ]
        for j in shown
    ]
    left = len(order) - len(shown)
    more = f"\n({left} labels more are in decisions.json)" if left else ""
    return aligned([head, *rows]) + more
