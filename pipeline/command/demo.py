"""``demo``: what missing labels cost and what wins them back, on the embedded data set; what ``make train`` runs.

The labels of digit-scenes are known, so half of them can be hidden and looked for: the truth tells what was found.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..common.cluster.session import ray_session
from ..common.config.config import Config
from ..common.storage.any_path import AnyPath
from ..data.digit_scenes import build as build_digit_scenes
from ..data.hidden import with_hidden_positives
from ..data.manifest import Manifest
from ..data.shards import read_labels
from ..results.audit import audit
from ..results.audit.findings import Audit
from ..results.report import report
from ..runs.run_folder import RunFolder
from ..training.driver import RunResult, fit, needs_ray

ROWS, SHARE, EPOCHS, TOP = 8000, 0.5, 10, 200
AUDITED = "correct"
"""The arm whose finds are looked at."""


@dataclass(frozen=True)
class Arm:
    """One of the runs.

    Attributes:
        about: what it is, in words.
        hidden: whether it sees the data of which labels are hidden.
        selector: rows and entries.
    """

    about: str
    hidden: bool
    selector: Mapping[str, Any]


POLICY = {"policy": "correct", "options": {"expected": 0.1, "release": 0.5, "ramp": 1}}
"""About 14 % of the labels given as absent are hidden ones; the surest are flagged. Counted on validation rows in the
middle of so short a run, there seem to be many more than there are, and flags for that many cost mAP."""
ARMS: dict[str, Arm] = {
    "complete": Arm("uniform batches, all labels there: what could be reached", False, {"name": "uniform"}),
    "believed": Arm("uniform batches, half of the labels hidden, the rest believed", True, {"name": "uniform"}),
    "correct": Arm(
        "the same with the policy correct, told that a tenth of the absent labels is missing",
        True,
        {"name": "uniform", "entries": POLICY},
    ),
    "d2ace-correct": Arm("the same policy, with batches chosen by d2ace", True, {"name": "d2ace", "entries": POLICY}),
}


@dataclass(frozen=True)
class Finds:
    """What the audit of a run listed, beside the truth.

    Attributes:
        audit: of the run.
        right: how many of its suspects are hidden labels.
        hidden: labels hidden in training rows.
        absent: labels given as absent there, those hidden among them.
        report: the page of the run, with a link to that of the audit.
    """

    audit: Audit
    right: int
    hidden: int
    absent: int
    report: AnyPath


def demo(
    data: str | Path = "data/demo", *, rows: int = ROWS, overrides: Sequence[str] = ()
) -> tuple[dict[str, RunResult], Finds]:
    """Build the data (once), train all arms, audit one of them; returns the results by arm, and what was found.

    Args:
        data: where the prepared data sets ``complete`` and ``hidden`` are, or will be written.
        rows: of digit-scenes, where it is built.
        overrides: ``section.key=value`` strings for all runs.
    """
    complete, hidden = demo_data(Path(data), rows)
    started = time.strftime("%Y%m%d-%H%M%S")
    configs = {
        name: demo_config(Path(data), arm).with_overrides([f"run.name=demo-{started}-{name}", *overrides])
        for name, arm in ARMS.items()
    }
    first = configs["complete"]
    results = {}
    with ray_session(first.run) if needs_ray(first) else nullcontext():
        for name, config in configs.items():
            print(f"\n{name}: {ARMS[name].about}", flush=True)
            results[name] = fit(config)
    return results, finds(results[AUDITED].folder, complete, hidden)


def demo_data(folder: Path, rows: int) -> tuple[Manifest, Manifest]:
    """Return digit-scenes with all labels and without a share of them, built where they are not there."""
    complete, hidden = folder / "complete", folder / "hidden"
    if not (complete / "manifest.json").is_file():
        print(f"building digit-scenes in {complete}", flush=True)
        build_digit_scenes(complete, rows=rows, label_noise=0.0)
    if not (hidden / "manifest.json").is_file():
        with_hidden_positives(complete, hidden, SHARE)
    manifests = Manifest.load(complete), Manifest.load(hidden)
    print(f"{manifests[0].rows} images, labels: {', '.join(manifests[0].labels)}", flush=True)
    print(f"hidden in {hidden}: {manifests[1].filters['hidden positives']}", flush=True)
    return manifests


def demo_config(data: Path, arm: Arm) -> Config:
    """Return the configuration of one run; chosen by the complete labels of validation rows."""
    return Config.make(
        {
            "data": {"path": str(data / ("hidden" if arm.hidden else "complete"))},
            "model": {"name": "small-cnn"},
            "selector": arm.selector,
            "optimizer": {
                "name": "adamw", "lr": 2e-2, "weight_decay": 1e-2, "schedule": "onecycle", "warmup_epochs": 3,
            },
            "train": {"epochs": EPOCHS, "batch_size": 64, "monitor": "map"},
            "run": {"workers": 2},
        }
    )  # fmt: skip


def finds(run: AnyPath, complete: Manifest, hidden: Manifest) -> Finds:
    """Audit a run that saw the hidden data, count what is right by the complete one, and write the run's report."""
    found, seen = audit(run, top=TOP), RunFolder.open(run).data.load()
    assert seen is not None  # it was trained
    truth, given = (read_labels(manifest).positives.toarray() for manifest in (complete, hidden))
    places = [complete.labels.index(label) for label in found.suspects["label"]]
    right = truth[found.suspects["row"].to_numpy(), places].sum()
    of_training = truth[seen.splits.train], given[seen.splits.train]
    gone = (of_training[0] != of_training[1]).sum()
    return Finds(found, int(right), int(gone), int((of_training[1] == 0).sum()), report(run))
