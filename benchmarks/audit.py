"""Does an audit find planted label errors? Against cleanlab's multi-label scores on the same network.

Training and validation labels are damaged; asked is which of the training rows' labels are missing (or wrong). Arms:
``audit``, the order of the audit of one run with an entry policy, no other training; ``audit by chance``, the same in
the order of its chances; ``cleanlab``, its scores per class from out-of-sample predictions of the same network in three
folds, as its manual asks for, three runs. (Its scores of the audited run's own means give ``audit``'s order.) Each for
a network that is trained with the binary cross-entropy, and for one that is trained with the Hill loss.

Given is the precision of the shortest list that holds half of the errors, and the average precision; and, of the
audit, what its chances add up to against the errors that are there.

Needs the real data beside the project. cleanlab is no dependency (2.9.0 is under the Apache licence, what came before
it mostly under the AGPL): pip install it; where it is not installed its arm is left out.

Run: python benchmarks/audit.py [--data mirflickr14,yeast] [--damage single,missing50,wrong20] [--seeds 5]
"""

import argparse
import json
import tempfile
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from _common import ROOT, commit, left_out, one_thread, record

one_thread()

from _entries_data import DATA, damaged  # noqa: E402
from _entries_runs import BATCH, DROPOUT, EPOCHS, HIDDEN  # noqa: E402

from d2ace.pipeline.data.manifest import Manifest  # noqa: E402
from d2ace.pipeline.data.rows import Rows  # noqa: E402
from d2ace.pipeline.data.shard_writer import ShardWriter  # noqa: E402
from d2ace.pipeline.data.shards import read_features, read_labels  # noqa: E402
from d2ace.pipeline.feeds.shard_rows import ShardRows  # noqa: E402
from d2ace.pipeline.results.audit.judged import judged  # noqa: E402
from d2ace.pipeline.results.audit.suspects import most_suspicious  # noqa: E402
from d2ace.pipeline.results.replay import SelectionOfRun  # noqa: E402
from d2ace.pipeline.runs.trained_model import TrainedModel  # noqa: E402
from d2ace.pipeline.runs.trained_run import TrainedRun  # noqa: E402
from d2ace.pipeline.training.driver import fit  # noqa: E402

KEPT = ROOT / "benchmarks" / "results" / "audit.json"
ARMS = ("audit", "audit by chance", "cleanlab")
LOSSES = ("bce", "hill")
FOLDS, RATE = 3, 3e-3
"""The rate that damaged validation rows choose for most arms of ``entries.py``; the network is that of it, too."""


def main() -> None:
    """Measure all data sets, damages and seeds asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mirflickr14,yeast", help="comma-separated")
    parser.add_argument("--damage", default="single,missing50,wrong20", help="comma-separated")
    parser.add_argument("--losses", default=",".join(LOSSES), help="comma-separated")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    if not DATA.is_dir():
        left_out(f"the real data is not here: {DATA}")
    rival = find_spec("cleanlab") is not None
    if not rival:
        print("cleanlab is not installed: without it")
    results = json.loads(KEPT.read_text())["results"]
    for name, damage, loss in product(options.data.split(","), options.damage.split(","), options.losses.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            lines = [measure(name, damage, loss, seed, Path(folder), rival) for seed in range(options.seeds)]
        results[f"{name}, {damage}, {loss}"] = {"commit": commit(), "seeds": lines}
        for arm in ARMS if rival else ARMS[:-1]:
            at_half, mean = ([line[arm][key] for line in lines] for key in ("precision", "average_precision"))
            print(f"{name:12} {damage:10} {loss:5} {arm:20} {_told(at_half)}   {_told(mean)}", flush=True)
        record("audit", {**results, "folds": FOLDS, "rate": RATE})


def _told(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ({min(values):.3f} .. {max(values):.3f})"


def measure(name: str, damage: str, loss: str, seed: int, folder: Path, rival: bool) -> dict[str, Any]:
    """Return what each arm finds with one seed, cleanlab where ``rival``."""
    manifest = Manifest.load(damaged(name, damage, seed, folder / "data"))
    kind = "wrong" if damage.startswith("wrong") else "missing"
    policy = {"policy": "correct", "options": {"suspects": kind}}
    known = SelectionOfRun(fit(config(name, manifest, loss, folder, seed, policy)).folder)
    opinion, ids = judged(known), known.rows.row_ids
    truth = read_labels(Manifest.load(folder / "data" / name)).positives.toarray()[ids] > 0
    given = opinion.labels.positives.toarray() > 0
    errors = (truth != given) & (given if kind == "wrong" else ~given)
    found = most_suspicious(opinion, kind, given.size, np.arange(given.shape[1]))
    rank, chances = np.full((2, *given.shape), -np.inf)
    rank[found.positions, found.labels] = -np.arange(len(found))
    chances[found.positions, found.labels] = np.nan_to_num(found.chances) - 1e-9 * np.arange(len(found))
    suspects = given if kind == "wrong" else ~given
    arms = dict(zip(ARMS[:-1], (rank, chances), strict=True))
    if rival:
        arms[ARMS[-1]] = scores(given, out_of_sample(name, manifest, loss, ids, folder, seed))
    line = {arm: quality(values[suspects], errors[suspects]) for arm, values in arms.items()}
    expected = float(np.nansum(found.expected))
    return {**line, "errors": int(errors.sum()), "suspects": int(suspects.sum()), "expected": round(expected, 1)}


def config(
    name: str, manifest: Manifest, loss: str, folder: Path, seed: int, entries: Any = None, **data: Any
) -> dict[str, Any]:
    """Return the settings of a run, the same for all arms but for the policy."""
    return {
        "data": {"path": str(manifest.folder), "scale": "standard", **data},
        "model": {"name": "mlp", "options": {"hidden": [HIDDEN], "dropout": DROPOUT}},
        "optimizer": {"name": "adamw", "lr": RATE, "weight_decay": 0.01, "schedule": "onecycle"},
        "selector": {"name": "uniform", "entries": entries},
        "train": {"epochs": EPOCHS[name], "batch_size": BATCH.get(name, 256), "loss": loss, "monitor": "map"},
        "run": {"workers": 0, "seed": seed, "storage": str(folder / "runs")},
    }


def out_of_sample(name: str, manifest: Manifest, loss: str, ids: np.ndarray, folder: Path, seed: int) -> np.ndarray:
    """Return predictions for the training rows by networks that did not train on them, float32 (N, L)."""
    alone = folder / f"alone-{seed}-{manifest.folder.name}"
    facts = {"labels": manifest.labels, "n_features": manifest.n_features}
    with ShardWriter(alone, kind="dense", **facts) as writer:
        writer.write(Rows(read_features(manifest, ids), read_labels(manifest).take(ids), np.zeros(len(ids), np.int8)))
    predicted = np.empty((len(ids), manifest.n_labels), np.float32)
    for fold in range(FOLDS):
        run = fit(config(name, writer.manifest, loss, folder, seed, fold=fold, folds=FOLDS)).folder
        opened = TrainedRun.open(run)
        rows = opened.data.splits.test
        for part in TrainedModel(opened).predict(ShardRows(writer.manifest).open(), rows):
            predicted[part.ids] = part.probabilities.cpu().numpy()
    return predicted


def scores(given: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return how suspicious cleanlab finds every entry, float (N, L)."""
    from cleanlab.multilabel_classification.rank import get_label_quality_scores_per_class

    lists = [np.flatnonzero(row).tolist() for row in given]
    quality = np.asarray(get_label_quality_scores_per_class(lists, predicted))
    return 1 - (quality if quality.shape == given.shape else quality.T)


def quality(values: np.ndarray, errors: np.ndarray) -> dict[str, float]:
    """Return the precision of the shortest list that holds half of the errors, and the average precision."""
    right = errors[np.argsort(-values, kind="stable")]
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    half = int(np.searchsorted(np.cumsum(right), np.ceil(errors.sum() / 2)))
    return {
        "precision": round(float(precision[half]), 4),
        "average_precision": round(float(precision[right].mean()), 4),
    }


if __name__ == "__main__":
    main()
