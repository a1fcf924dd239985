"""What ``entries.py`` compares: arms, learning rates, and one run of them in this process."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_labels
from d2ace.pipeline.studies.compare import Study
from d2ace.pipeline.studies.compare.study import StudyRun
from d2ace.pipeline.studies.compare.study_run import load_prepared
from d2ace.pipeline.training.hooks.validation import settled
from d2ace.pipeline.training.learner import torch_threads
from d2ace.pipeline.training.local_run import LocalRun
from d2ace.pipeline.training.metrics import label_average_precision
from d2ace.selectors.common.label_matrix import LabelMatrix

RATES = (3e-4, 1e-3, 3e-3, 1e-2)
EPOCHS = {"mirflickr14": 12, "yeast": 20, "bibtex": 20, "Corel5k": 20, "digit-scenes": 20}
HIDDEN, DROPOUT = 256, 0.5
BATCH = {"yeast": 128}  # 256 elsewhere


def policy(name: str, **options: Any) -> dict[str, Any]:
    """Return uniform rows with an entry policy."""
    return {"name": "uniform", "entries": {"policy": name, "options": options}}


UNIFORM = {"name": "uniform"}
D2ACE = {"name": "d2ace", "options": {"warmup": 2, "draws": "systematic", "importance": 0.5, "neighbours": 0}}
ARMS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "complete": (UNIFORM, "bce", {}),
    "bce": (UNIFORM, "bce", {}),
    "correct": (policy("correct"), "bce", {}),
    "hill": (UNIFORM, "hill", {}),
    "reject": (policy("reject"), "bce", {}),
    "asl": (UNIFORM, "asl", {"gamma_neg": 2.0, "gamma_pos": 0.0}),
    "ll-r": (UNIFORM, "ll-r", {}),
    "ll-ct": (UNIFORM, "ll-ct", {}),
    "splc": (UNIFORM, "splc", {}),
    "soft": (policy("soft"), "bce", {}),
    "mixture": (policy("mixture"), "bce", {}),
    "correct-wrong": (policy("correct", suspects="wrong"), "bce", {}),
    "d2ace": (D2ACE, "bce", {}),
    "d2ace-correct": ({**D2ACE, "entries": policy("correct")["entries"]}, "bce", {}),
}
"""Rows and entries, loss, and options of the loss."""


def planned(arm: str, name: str, path: Path, rate: float, seed: int) -> StudyRun:
    """Return one run of an arm on a prepared data set."""
    method, loss, options = ARMS[arm]
    network = {"name": "mlp", "options": {"hidden": [HIDDEN], "dropout": DROPOUT}}
    study = Study.make(
        {
            "name": "entries",
            "data": {path.name: {"path": str(path)}},
            "networks": {f"{rate:g}": {**network, "config": {"optimizer": {"lr": rate}}}},
            "methods": {arm: method},
            "reference": arm,
            "folds": None,
            "seeds": [seed],
            "config": {
                "data": {"scale": "none" if name in ("bibtex", "Corel5k") else "standard"},
                "optimizer": {"name": "adamw", "weight_decay": 0.01, "schedule": "onecycle"},
                "train": {
                    "epochs": EPOCHS[name], "batch_size": BATCH.get(name, 256),
                    "loss": loss, "loss_options": options, "monitor": "map",
                },
            },
        }
    )  # fmt: skip
    return next(study.runs())


class Kept:
    """Runs that were trained, a line of JSON each, in a file that is only added to.

    Args:
        path: the file; made by the first run.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self._runs: dict[str, dict[str, Any]] = {run["key"]: run for run in map(json.loads, lines)}

    def __contains__(self, run: StudyRun) -> bool:
        return run.key in self._runs

    def get(self, run: StudyRun, truth: Path, *, commit: str) -> dict[str, Any]:
        """Return what a run gave, trained now if it was not before."""
        if run not in self:
            line = {"key": run.key, "commit": commit, **trained(run, truth)}
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a") as file:
                file.write(json.dumps(line) + "\n")
            self._runs[run.key] = line
        return self._runs[run.key]


def trained(run: StudyRun, truth: Path) -> dict[str, Any]:
    """Train a run; returns its curves, seconds, and what its policy flagged in the end.

    Args:
        run: what to train.
        truth: folder of the same data with its labels as they were.
    """
    started, curves = time.process_time(), {"validation": [], "test": [], "settled": []}
    with torch_threads(1):
        prepared = load_prepared(run.config.data.path, run.fingerprint)
        local = LocalRun(run.config, prepared)
        for epoch in range(run.config.train.epochs):
            local.epoch(epoch)
            for split in ("validation", "test"):
                precision = label_average_precision(*local.predict(split))
                curves[split].append(round(float(np.nanmean(precision)), 6))
            curves["settled"].append(settled(local.training, epoch))
    line = {
        "data": run.data, "arm": run.method, "rate": float(run.network), "seed": run.seed, **curves,
        "cpu_s": round(time.process_time() - started, 2),
    }  # fmt: skip
    return line if run.config.selector.entries is None else {**line, **judged(local, prepared.labels, truth)}


def best_epoch(line: Mapping[str, Any]) -> int:
    """Return the epoch that the validation rows choose, among those with all flags of a policy if there are any."""
    flags = np.array(line.get("settled", [1] * len(line["validation"])), int)
    return int(np.argmax(np.where(flags == flags.max(), line["validation"], -1.0)))


def judged(local: LocalRun, labels: LabelMatrix, truth: Path) -> dict[str, Any]:
    """Return what the policy said in the end, and precision and recall of its flags on the training rows.

    Args:
        local: at its end.
        labels: of all rows, as they were given.
        truth: folder of the same data with its labels as they were before the damage.
    """
    last, chosen = local.training.config.train.epochs - 1, local.training.config.selector.entries
    said = {name: value for name, value in local.training.selection.record(last).items() if name.startswith("entries_")}
    state, ids = local.state_dict()[1]["selector"]["entries"], local.data.splits.train
    real = read_labels(Manifest.load(truth)).positives.toarray()[ids] > 0
    given = labels.positives.toarray()[ids] > 0
    of_positives = {"mixture": True}.get(chosen.policy, chosen.options.get("suspects") == "wrong")
    faulty = (real != given) & (given == of_positives)
    right = faulty[state["flagged_rows"], state["flagged_labels"]]
    precision = float(right.mean()) if len(right) else None
    said["entries_gate_open"] = bool(said["entries_gate_open"])
    return {**said, "precision": precision, "recall": float(right.sum() / max(faulty.sum(), 1))}
