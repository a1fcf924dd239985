"""What every method does to a small network on real data: the tables and pictures of the cards in docs/methods.

Each method trains the same network on yeast and scene with the same seeds; uniform's runs are the reference, and
their networks the reference model of learnability. Needs the real data beside the project.

Run: python benchmarks/method_cards.py            trains, writes results/method_cards.json, pictures and cards
     python benchmarks/method_cards.py --render   writes pictures and cards from the results that are there
"""

import json
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from _common import ROOT, left_out, record
from _method_plot import Panel, picture
from _method_tables import METRICS, index, table, verdicts

from d2ace.pipeline import fit
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.data.from_tables.prepare import prepare
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_labels
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.pipeline.runs.trained_model import TrainedModel
from d2ace.pipeline.runs.trained_run import TrainedRun
from d2ace.selectors import api

DATA = ROOT.parent / "shared" / "data" / "mulan"
CARDS = ROOT / "docs" / "methods"
SETS = {"yeast": 20, "scene": 15}
SEEDS, WARMUP, HIDDEN, BATCH, RATE = (0, 1, 2), 3, 256, 128, 1e-3
BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"


def main() -> None:
    if "--render" not in sys.argv[1:]:
        measure()
    path = ROOT / "benchmarks" / "results" / "method_cards.json"
    if not path.is_file():
        sys.exit(f"{path.name} is not here: run without --render first")
    render(json.loads(path.read_text()))


def measure() -> None:
    """Train everything and write the results."""
    if not DATA.is_dir():
        left_out(f"the real data is not here: {DATA}")
    methods = sorted(api.names(), key=lambda name: name != "uniform")  # the reference comes first
    runs: dict[str, dict[str, list[dict[str, Any]]]] = {name: {method: [] for method in methods} for name in SETS}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch on machines without a GPU
        home = Path(folder)
        for name in SETS:
            prepare(DATA / name, home / name)
        for name, method, seed in ((n, m, s) for n in SETS for s in SEEDS for m in methods):
            runs[name][method].append(one_run(home, name, method, seed))
    results = {name: {method: summary(of) for method, of in by.items()} for name, by in runs.items()}
    record("method_cards", {"settings": settings(), "sets": results})


def settings() -> dict[str, Any]:
    """Return what all runs have in common."""
    return {"epochs": SETS, "seeds": len(SEEDS), "warmup": WARMUP, "hidden": HIDDEN, "batch_size": BATCH, "lr": RATE}


def config(home: Path, name: str, method: str, seed: int) -> Config:
    """Return the run of one set, method and seed: the method's defaults but for the warm-up."""
    options: dict[str, Any] = {"warmup": WARMUP} if "warmup" in api.options(method) else {}
    if method == "learnability":
        options["reference"] = str(reference(home, name, seed))
    return Config.make(
        {
            "data": {"path": str(home / name)},
            "model": {"name": "mlp", "options": {"hidden": [HIDDEN]}},
            "selector": {"name": method, "options": options},
            "optimizer": {"lr": RATE},
            "train": {"epochs": SETS[name], "batch_size": BATCH},
            "run": {"storage": str(home / "runs"), "name": f"{name}-{method}-{seed}", "seed": seed, "workers": 0},
        }
    )


def reference(home: Path, name: str, seed: int) -> Path:
    """Write the losses of uniform's network of the same seed, on its own training rows; return the file."""
    model = TrainedModel(TrainedRun.open(home / "runs" / f"{name}-uniform-{seed}"), torch.device("cpu"))
    manifest, rows = Manifest.load(home / name), model.run.data.splits.train
    losses = model.losses(ShardRows(manifest), rows)
    path = home / f"{name}-{seed}.parquet"
    pq.write_table(pa.table({"id": rows, "losses": list(losses)}), path)
    return path


def one_run(home: Path, name: str, method: str, seed: int) -> dict[str, Any]:
    """Train once; return test metrics, cost and draws."""
    started = time.perf_counter()
    result = fit(config(home, name, method, seed), quiet=True)
    log = pd.read_parquet(result.folder / "selection.parquet").sort_values("epoch")
    draws = np.stack(log["draws_per_row"].to_list()).astype(np.int64)
    manifest = Manifest.load(home / name)
    labels = read_labels(manifest).positives[np.load(result.folder / "training_rows.npy")].astype(np.int64)
    positives = np.asarray(labels.sum(axis=0)).ravel()
    print(f"{name} seed {seed} {method}: {time.perf_counter() - started:.1f} s", flush=True)
    return {
        "test": {metric: result.test[metric] for metric in METRICS},
        "selection_s": log["selection_s"].median(),
        "effective_sample_size": log["effective_sample_size"].to_numpy()[WARMUP:],
        "distinct": (draws[WARMUP:] > 0).mean(),
        "draws": draws[WARMUP:].sum(axis=1).mean() / draws.shape[1],
        "label_draws": (draws @ labels) / positives,
        "labels": manifest.labels,
        "positives": positives,
    }


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the cards show of a method's runs on one set; a method without a law has no sample size."""
    sizes = np.stack([run["effective_sample_size"] for run in runs])
    curves = np.mean([run["label_draws"] for run in runs], axis=0).T
    labels, positives = runs[0]["labels"], runs[0]["positives"]
    return {
        "test": {metric: [run["test"][metric] for run in runs] for metric in METRICS},
        "selection_ms": [1e3 * run["selection_s"] for run in runs],
        "effective_sample_size": {"mean": float(sizes.mean()), "least": float(sizes.min())}
        if (sizes < 1).any()
        else None,
        "distinct": float(np.mean([run["distinct"] for run in runs])),
        "draws": float(np.mean([run["draws"] for run in runs])),
        "rarest": labels[int(positives.argmin())],
        "commonest": labels[int(positives.argmax())],
        "label_draws": {
            label: " ".join(f"{value:.3f}" for value in curve) for label, curve in zip(labels, curves, strict=True)
        },
    }


def render(results: dict[str, Any]) -> None:
    """Write the picture of every method, and the generated part of every card and of the index."""
    sets = results["results"]["sets"]
    (CARDS / "plots").mkdir(parents=True, exist_ok=True)
    for method in next(iter(sets.values())):
        warmup = WARMUP if "warmup" in api.options(method) else 0
        panels = [panel(name, of[method], warmup) for name, of in sets.items()]
        (CARDS / "plots" / f"{method}.svg").write_text(picture(method, panels))
        words = "uniform's runs, the reference of all cards" if method == "uniform" else verdicts(method, sets)
        image = f"![Draws of every label relative to uniform, over the epochs](plots/{method}.svg)"
        replace(CARDS / f"{method}.md", [table(method, sets), words, where(results), image])
    replace(CARDS / "README.md", [index(sets), where(results)])


def panel(name: str, of: dict[str, Any], warmup: int) -> Panel:
    curves = {label: [float(value) for value in line.split()] for label, line in of["label_draws"].items()}
    return Panel(f"{name} ({len(curves)} labels)", curves, of["rarest"], of["commonest"], warmup)


def replace(card: Path, parts: list[str]) -> None:
    """Put text between the marks of a card."""
    before, begin, rest = card.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{card.name} lacks {BEGIN} or {END}")
    card.write_text("\n".join([f"{before}{BEGIN}", "\n\n".join(parts), f"{END}{after}"]))


def where(results: dict[str, Any]) -> str:
    """Return what was measured, on which machine and commit."""
    run, at = results["results"]["settings"], results["machine"]
    epochs = ", ".join(f"{name} {epochs} epochs" for name, epochs in run["epochs"].items())
    return (
        "A weak baseline: nobody tuned rate or network, as was done for [strong ones](../results/strong-baselines.md). "
        f"`mlp` {run['hidden']}, Adam {run['lr']:g}, batch {run['batch_size']}, {epochs}, warm-up {run['warmup']} "
        f"where there is one, all else by default; {run['seeds']} seeds (validation split, initial weights, batches), "
        f"± is their standard deviation; the weights of the best validation epoch on the given test rows; sample "
        f"size, draws and distinct rows from epoch {run['warmup']} on. "
        f"{at['cpu']}, {at['cores']} cores, load {at['load']}, Python {at['python']}, NumPy {at['numpy']}, "
        f"commit {results['commit']}, {results['date'][:10]}; `python benchmarks/method_cards.py`."
    )


if __name__ == "__main__":
    main()
