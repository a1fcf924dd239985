"""One run of an arm in this process: its settings, its rate, what it gave; for ``entries.py`` and ``long_tails.py``."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from _entries_arms import EVERY
from _entries_mixup import MixedPrepared
from scipy.stats import rankdata

from d2ace.pipeline.common.storage.json_files import append_json_lines, drop_torn_line, read_json_lines
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_labels
from d2ace.pipeline.studies.compare import Study
from d2ace.pipeline.studies.compare.study import StudyRun
from d2ace.pipeline.studies.compare.study_run import load_prepared
from d2ace.pipeline.training.best_epoch import best_epoch as best_of_epochs
from d2ace.pipeline.training.hooks.validation import settled
from d2ace.pipeline.training.local_run import LocalRun
from d2ace.pipeline.training.metrics import label_average_precision
from d2ace.pipeline.training.threads import torch_threads
from d2ace.selectors.common.label_matrix import LabelMatrix

RATES = (3e-4, 1e-3, 3e-3, 1e-2)
SEARCHED = (10, 11, 12)
"""Seeds whose validation rows choose the rate, and that no result is of."""
EPOCHS = {
    "mirflickr14": 12,
    "yeast": 20,
    "bibtex": 20,
    "Corel5k": 20,
    "digit-scenes": 20,
    "ccp": 20,
    "mirflickr14-128": 6,
    "ccp-128": 12,
}
HIDDEN, DROPOUT = 256, 0.5
BATCH = {"yeast": 128, "ccp": 128, "digit-scenes": 64, "mirflickr14-128": 64, "ccp-128": 64}  # 256 elsewhere
UNSCALED = ("bibtex", "Corel5k", "mirflickr14-128", "ccp-128")  # 0 and 1 throughout, or what a layer gives
NETWORK: dict[str, dict[str, Any]] = {
    "digit-scenes": {"name": "small-cnn", "options": {"widths": [8, 16, 32, 32]}},
    "mirflickr14-128": {"name": "_entries_tail:Tail"},
    "ccp-128": {"name": "_entries_tail:Tail"},
}
RULES = ("map", "auc")
"""Which metric of the damaged validation rows chooses rate and epoch."""
MLP = {"name": "mlp", "options": {"hidden": [HIDDEN], "dropout": DROPOUT}}


def planned(arm: str, name: str, path: Path, rate: float, seed: int) -> StudyRun:
    """Return one run of an arm on a prepared data set."""
    network = NETWORK.get(name, MLP)
    study = Study.make(
        {
            "name": "entries",
            "data": {path.name: {"path": str(path)}},
            "networks": {f"{rate:g}": {**network, "config": {"optimizer": {"lr": rate}}}},
            "methods": {arm: EVERY[arm].selector},
            "reference": arm,
            "folds": None,
            "seeds": [seed],
            "config": {
                "data": {"scale": "none" if name in UNSCALED else "standard"},
                "optimizer": {"name": "adamw", "weight_decay": 0.01, "schedule": "onecycle"},
                "train": {
                    "epochs": EPOCHS[name], "batch_size": BATCH.get(name, 256),
                    "loss": EVERY[arm].loss, "loss_options": EVERY[arm].options,
                    "monitor": "map",
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
        self._runs: dict[str, dict[str, Any]] = {run["key"]: run for run in read_json_lines(path)}

    def __contains__(self, run: StudyRun) -> bool:
        return _key(run) in self._runs

    def get(self, run: StudyRun, truth: Path, *, commit: str) -> dict[str, Any]:
        """Return what a run gave, trained now if it was not before."""
        if run not in self:
            line = {"key": _key(run), "commit": commit, **trained(run, truth)}
            self._path.parent.mkdir(parents=True, exist_ok=True)
            drop_torn_line(self._path)
            append_json_lines(self._path, [line])
            self._runs[_key(run)] = line
        return self._runs[_key(run)]


def _key(run: StudyRun) -> str:
    """Return what decides a run's numbers; the study's own key knows nothing of mixup."""
    return run.key + ("-mixup" if EVERY[run.method].mixup else "")


def trained(run: StudyRun, truth: Path) -> dict[str, Any]:
    """Train a run; returns its curves, draws and steps, seconds, and what its policy flagged in the end.

    Args:
        run: what to train.
        truth: folder of the same data with its labels as they were.
    """
    started, curves = time.process_time(), {"map": [], "auc": [], "settled": []}
    tested: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    drawn = [0, 0]
    with torch_threads(1):
        prepared, alpha = load_prepared(run.config.data.path, run.fingerprint), EVERY[run.method].mixup
        if alpha:
            prepared = MixedPrepared(prepared.rows, prepared.labels, alpha, run.config.run.seed)
        local, last = LocalRun(run.config, prepared), run.config.train.epochs - 1
        for epoch in range(run.config.train.epochs):
            local.epoch(epoch)
            drawn = [total + more for total, more in zip(drawn, local.drawn, strict=True)]
            held_out = local.predict("validation")
            curves["map"].append(_mean_precision(*held_out))
            curves["auc"].append(_macro_auc(*held_out))
            curves["settled"].append(settled(local.training, epoch))
            if epoch in (last, *(best_epoch(curves, rule) for rule in RULES)):
                tested[epoch] = local.predict("test")
    test = {rule: _mean_precision(*tested[best_epoch(curves, rule)]) for rule in RULES}
    each = label_average_precision(*tested[best_epoch(curves, "map")])
    line = {
        "data": run.data, "arm": run.method, "rate": float(run.network), "seed": run.seed, **curves,
        "test": {**test, "last": _mean_precision(*tested[last])}, "labels": each.round(6).tolist(),
        "drawn": drawn, "cpu_s": round(time.process_time() - started, 2),
    }  # fmt: skip
    return line if run.config.selector.entries is None else {**line, **judged(local, prepared.labels, truth)}


def _mean_precision(probabilities: np.ndarray, labels: np.ndarray) -> float:
    return round(float(np.nanmean(label_average_precision(probabilities, labels))), 6)


def _macro_auc(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean area under the ROC curve over labels with both classes: the share of known pairs in order."""
    positive, known = labels > 0, ~np.isnan(labels)
    count, rows = positive.sum(axis=0), known.sum(axis=0)
    ranks = rankdata(np.where(known, probabilities, np.inf), axis=0)  # what is unknown comes after all that is known
    below = np.where(positive, ranks, 0.0).sum(axis=0) - count * (count + 1) / 2
    both = (count > 0) & (count < rows)
    return round(float((below[both] / (count * (rows - count))[both]).mean()), 6)


def best_epoch(line: Mapping[str, Any], rule: str) -> int:
    """Return the epoch that the validation rows choose, among those with all flags of a policy if there are any.

    Args:
        line: a run.
        rule: "map" or "auc", which metric of theirs chooses.
    """
    best = best_of_epochs("map", line[rule], line["settled"])  # of the area, too, more is better
    assert best is not None
    return best


def searched_rate(run: Callable[[float, int], Mapping[str, Any]], rule: str) -> float:
    """Return the rate that the validation rows of ``SEARCHED`` choose, in the mean.

    Args:
        run: gives the run of a rate and a seed.
        rule: "map" or "auc", which metric of theirs chooses.
    """

    def reached(rate: float) -> float:
        runs = [run(rate, seed) for seed in SEARCHED]
        return sum(each[rule][best_epoch(each, rule)] for each in runs) / len(runs)

    return max(RATES, key=reached)


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
