"""Findings as text for people and as plain values for programs."""

from dataclasses import asdict
from typing import Any

from ...common.text_table import aligned
from .advice import GB, advise
from .findings import FEED, STAGES, Findings, Memory

_WHEN = {
    "storage": "once a run",
    **dict.fromkeys(FEED, "feed, beside the steps"),
    "step": "in turn",
    "training": "feed and steps together",
    "observe": "actor, beside the steps",
    "rescore": "after the epoch",
    "evaluation": "after the epoch",
    "checkpoint": "beside the next epoch",
}
_BOUND = {
    "feed": "the feed (gather, decode, transfer)",
    "step": "the training steps",
    "cores": "too few cores for feed and steps",
    "observe": "the selection actor, observing",
    "rescore": "the selection actor, rescoring",
    "evaluation": "the evaluation",
    "checkpoint": "waiting for checkpoints",
}


def as_text(findings: Findings) -> str:
    """Return a table of the stages, what bounds the run, and what to change."""
    size, parts = findings.size, findings.parts
    per_epoch = f"{findings.epoch_s:.2f} s an epoch of {size.train:,} rows ({findings.setting.machine})"
    bound = f"bound by {_BOUND[findings.bound]}: {parts[findings.bound]:.2f} s of it"
    lines = [f"{per_epoch}, {bound}", _memory(findings.memory), *advise(findings)]
    return "\n".join([aligned(_table(findings)), "", *lines])


def as_json(findings: Findings) -> dict[str, Any]:
    """Return all numbers and the advice, ready for JSON; rates in rows a second, times in seconds, sizes in bytes."""
    return {
        "stages": {
            stage: {
                "rows_per_s": findings.rates[stage].per_s,
                "seconds": findings.seconds(stage),
                "when": _WHEN[stage],
            }
            for stage in STAGES
            if stage in findings.rates
        },
        "epoch_s": findings.epoch_s,
        "parts_s": findings.parts,
        "bound": findings.bound,
        "advice": advise(findings),
        "size": asdict(findings.size),
        "memory_bytes": asdict(findings.memory),
        "setting": asdict(findings.setting),
    }


def _table(findings: Findings) -> list[list[str]]:
    rows = [["stage", "rows/s", "s/epoch", "when"]]
    for stage in STAGES:
        if stage in findings.rates:
            rate = findings.rates[stage].per_s
            rows.append([stage, _rows_per_s(rate), f"{findings.seconds(stage):.3f}", _WHEN[stage]])
    return rows


def _memory(memory: Memory) -> str:
    pairs = (
        ("data set", memory.data, memory.store, "object store"),
        ("selection state", memory.state, memory.head, "head"),
    )
    return "memory: " + ", ".join(
        f"{what} {need / GB:.2f} GB" + (f" ({where}: {there / GB:.1f} GB)" if there else "")
        for what, need, there, where in pairs
    )


def _rows_per_s(rate: float) -> str:
    return f"{rate:,.0f}" if rate < 1e7 else f"{rate:.1e}"
