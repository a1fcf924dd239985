"""Does the whole path work on real data, and is the network as good as scikit-learn's of the same size?

For each set: prepare, train with D2ACE and with uniform, test; beside it scikit-learn's MLPClassifier with the same
layer, optimiser, batch size, learning rate and epochs on the same rows. Claim: macro-AUC on yeast and scene within
0.02 of scikit-learn's. Needs the real data beside the project.

Run: python benchmarks/real_data.py [set ...]
"""

import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from _common import ROOT, left_out, record
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier

from d2ace.pipeline import fit
from d2ace.pipeline.common.cluster.session import ray_session
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.data.from_tables.prepare import prepare
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_features, read_labels
from d2ace.pipeline.runs.run_folder import RunFolder

DATA = ROOT.parent / "shared" / "data"
# set: (source, epochs, whether scikit-learn is run beside it)
SETS: dict[str, tuple[Path, int, bool]] = {
    "emotions": (DATA / "mulan" / "emotions", 60, True),
    "yeast": (DATA / "mulan" / "yeast", 40, True),
    "scene": (DATA / "mulan" / "scene", 40, True),
    "birds": (DATA / "mulan" / "birds", 60, True),
    "bibtex": (DATA / "mulan" / "bibtex", 20, True),
    "Imdb": (DATA / "meka" / "Imdb.arff.bz2", 4, False),
}
HIDDEN, BATCH, RATE, DECAY, SEEDS = 256, 128, 1e-3, 1e-4, (0, 1, 2)


def main() -> None:
    if not DATA.is_dir():
        left_out(f"the real data is not here: {DATA}")
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with ray_session(config(home, "emotions", "uniform", 0).run):
            for name in sys.argv[1:] or SETS:
                results[name] = one_set(home, name)
    record("real_data", results)


def config(home: Path, name: str, method: str, seed: int) -> Config:
    """Return the run of one set, method and seed."""
    epochs = SETS[name][1]
    return Config.make(
        {
            "data": {"path": str(home / name)},
            "model": {"name": "mlp", "options": {"hidden": [HIDDEN]}},
            "selector": {"name": method, "options": {"warmup": max(1, epochs // 10)} if method == "d2ace" else {}},
            "optimizer": {"lr": RATE, "weight_decay": DECAY, "warmup_epochs": 0},
            "train": {"epochs": epochs, "batch_size": BATCH},
            "run": {"storage": str(home / "runs"), "name": f"{name}-{method}-{seed}", "seed": seed, "workers": 1},
        }
    )


def one_set(home: Path, name: str) -> dict[str, Any]:
    """Run one set with every seed and print a line a learner."""
    source, _, beside = SETS[name]
    manifest = prepare(source, home / name)
    seeds = SEEDS if manifest.rows < 5_000 else SEEDS[:1]
    scores: dict[str, list[float]] = {}
    for seed in seeds:
        for method in ("uniform", "d2ace"):
            started = time.perf_counter()
            result = fit(config(home, name, method, seed), quiet=True)
            scores.setdefault(method, []).append(result.test["macro_auc"])
            print(f"{name} seed {seed} {method}: {time.perf_counter() - started:.0f} s", flush=True)
        if beside:
            scores.setdefault("scikit-learn", []).append(sklearn_score(home / "runs" / f"{name}-uniform-{seed}", seed))
    for learner, values in scores.items():
        print(f"{name:<9} {learner:<13} test macro-AUC {np.mean(values):.4f} +- {np.std(values):.4f}", flush=True)
    return {learner: {"mean": float(np.mean(v)), "std": float(np.std(v)), "all": v} for learner, v in scores.items()}


def sklearn_score(run: Path, seed: int) -> float:
    """Train scikit-learn's network on the rows a run trained on; return its macro-AUC on the run's test rows."""
    data = RunFolder.open(run).data.load()
    assert data is not None
    settings = Config.load(run / "config.yaml")
    manifest = Manifest.load(settings.data.path)
    labels = read_labels(manifest).dense()
    train, test = (data.scaler.transform(read_features(manifest, ids)) for ids in (data.splits.train, data.splits.test))
    network = MLPClassifier(
        (HIDDEN,),
        batch_size=min(BATCH, len(train)),
        learning_rate_init=RATE,
        alpha=DECAY,
        max_iter=settings.train.epochs,
        random_state=seed,
        n_iter_no_change=10**6,
    )
    predicted = network.fit(train, labels[data.splits.train]).predict_proba(test)
    truth = labels[data.splits.test]
    both = [j for j in range(truth.shape[1]) if 0 < truth[:, j].sum() < len(truth)]
    return float(np.mean([roc_auc_score(truth[:, j], predicted[:, j]) for j in both]))


if __name__ == "__main__":
    main()
