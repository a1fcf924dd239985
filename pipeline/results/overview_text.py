"""A run on a page of text."""

import math
import shlex
from collections.abc import Sequence
from datetime import timedelta

from ..common.storage.any_path import address_of
from ..common.text_table import aligned
from ..runs.opening import resume_command
from .overview import Overview

_SHOWN_EPOCHS = 5
_FIRST = ("macro_auc", "map", "micro_f1", "macro_f1", "ranking_loss", "hamming_loss")
"""Metrics that are shown beside the monitored one; the report has all."""


def overview_text(run: Overview) -> str:
    """Return what a run is, what it reached, its last epochs, and what may be done with it next."""
    parts = [f"{run.folder}: {_state(run)}", aligned_pairs(_facts(run)), _metrics(run), _epochs(run), _next(run)]
    return "\n\n".join(part for part in parts if part)


def aligned_pairs(pairs: Sequence[tuple[str, str]]) -> str:
    """Return names and values below each other."""
    width = max(len(name) for name, _ in pairs)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in pairs)


def _state(run: Overview) -> str:
    done = f"{len(run.history)} of {run.planned} epochs"
    if run.result is not None and run.result.get("stopped_early"):
        return f"finished (stopped early), {done}"
    return f"{run.state}, {done}"


def _facts(run: Overview) -> list[tuple[str, str]]:
    entries = run.value("selector", "entries")
    facts = [
        ("data", run.data),
        ("labels", f"{len(run.labels)}" if run.labels else "not known yet"),
        ("method", f"{run.method}{_settings(run.value('selector', 'options'))}"),
        ("network", f"{run.network}{_settings(run.value('model', 'options'))}"),
        ("loss", f"{run.value('train', 'loss')}{_settings(run.value('train', 'loss_options'))}"),
        ("optimizer", f"{run.value('optimizer', 'name')}, learning rate {run.value('optimizer', 'lr'):g}"),
        ("batch size", str(run.value("train", "batch_size"))),
        ("seed", str(run.value("run", "seed"))),
        ("changed", f"{run.changed:%Y-%m-%d %H:%M}"),
    ]
    if entries:
        facts.insert(3, ("entry policy", f"{entries['policy']}{_settings(entries.get('options', {}))}"))
    if run.history:
        seconds = math.fsum(record.get("seconds", 0.0) for record in run.history)
        facts.append(("time", f"{timedelta(seconds=round(seconds))} in {len(run.history)} epochs"))
    return facts


def _settings(options: dict[str, object] | None) -> str:
    return f" ({', '.join(f'{key}={value}' for key, value in options.items())})" if options else ""


def _metrics(run: Overview) -> str:
    epoch = run.best_epoch
    if epoch is None or epoch >= len(run.history):
        return "no epoch was validated yet"
    names = dict.fromkeys([run.monitor, *_FIRST])
    rows = [(name, _number(run.history[epoch].get(name)), _number(run.test.get(name))) for name in names]
    return f"best epoch: {epoch + 1}, by {run.monitor}\n" + aligned([("", "validation", "test"), *rows])


def _epochs(run: Overview) -> str:
    if not run.history:
        return ""
    drawn = "selection/effective_sample_size"
    head = ("epoch", "train loss", run.monitor, "effective rows", "seconds")
    keys = ("train_loss", run.monitor, drawn, "seconds")
    rows = [
        (str(record["epoch"] + 1), *(_number(record.get(key)) for key in keys))
        for record in run.history[-_SHOWN_EPOCHS:]
    ]
    return aligned([head, *rows])


def _number(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.4f}"


def _next(run: Overview) -> str:
    """Return the commands that go on from here."""
    name = shlex.quote(address_of(run.folder))
    if run.state == "running":
        return f"it is running; what it has so far: d2ace report {name}"
    commands = [f"d2ace report {name}", f"d2ace evaluate {name}"]
    if run.state == "stopped":
        commands.insert(0, resume_command(run.folder))
    return "\n".join(["next:", *(f"  {command}" for command in commands)])
