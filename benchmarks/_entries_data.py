"""Data sets with damaged labels for ``entries.py``: training and validation rows are damaged alike, test rows never.

N rows, L labels.
"""

from pathlib import Path

import numpy as np
from _common import ROOT

from d2ace.pipeline.data import digit_scenes
from d2ace.pipeline.data.from_tables.prepare import prepare
from d2ace.pipeline.data.manifest import SPLITS, Manifest
from d2ace.pipeline.data.rows import Features, Rows
from d2ace.pipeline.data.shard_writer import ShardWriter
from d2ace.pipeline.data.shards import read_labels
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.selectors.common.label_matrix import LabelMatrix
from d2ace.selectors.common.randomness import generator

DATA = ROOT.parent / "shared" / "data"
FEATURES = ROOT / "benchmarks" / "results" / "entries" / "full" / "ccp.npz"
INNER = {name: FEATURES.parent / f"{name}-128.npz" for name in ("mirflickr14", "ccp")}
"""Written by ``_entries_features.py``, outside git: pooled features of ccp, and of both sets the last block's input."""
SETS: dict[str, Path | None] = {
    "mirflickr14": DATA / "mirflickr14" / "efficientnet-lite0.npz",
    "yeast": DATA / "mulan" / "yeast",
    "bibtex": DATA / "mulan" / "bibtex",
    "Corel5k": DATA / "mulan" / "Corel5k",
    "ccp": FEATURES,
    "mirflickr14-128": INNER["mirflickr14"],
    "ccp-128": INNER["ccp"],
    "digit-scenes": None,
}
"""What ``prepare`` reads; digit-scenes are made."""
TRAINING = "-training"
"""After a damage: validation rows are spared, too."""
DAMAGES = (
    "clean", "single", "missing30", "missing50", "missing70", "missing-rare", "single-training", "missing30-training",
    "missing50-training", "wrong10", "wrong20", "wrong40", "both", "unknown50",
)  # fmt: skip
"""``single``: one observed positive a row. ``missingP``: P % of the positives are missing. ``missing-rare``: from 30 to
90 % of a label's, the more the rarer it is. ``wrongP``: P % of the positives moved to a label the row lacks. ``both``:
half of the positives missing, and a fifth of the others moved. ``unknownP``: P % of all entries are unknown, and the
positives among them are those that are missing in ``missingP``, which is what remains when unknown is taken for 0.
``-training`` after one: validation rows are spared."""
UNKNOWN = "unknown"


LONG_TAIL = "long-tail"
"""No damage: training rows are left out until the k-th most frequent label has about k^-p times the rows of the first.

Pareto's law of ranks, with p such that the last label has a hundredth, as Wu et al., *Distribution-Balanced Loss for
Multi-Label Classification in Long-Tailed Datasets*, ECCV 2020, resample by a Pareto law [own: by ranks].
"""
_IMBALANCE = 100


_BOTH = 1000  # so that the draws of the second damage are not those of the first


def damaged(name: str, damage: str, seed: int, folder: Path) -> Path:
    """Return a prepared data set, made if it is not there: 60 % training, 10 % validation and 30 % test rows."""
    out = folder / f"{name}-{damage}-{seed}"
    if out.is_dir():
        return out
    whole = _whole(name, folder)
    labels = read_labels(whole).positives.toarray()
    order = generator(seed, "benchmark split").permutation(whole.rows)
    split = np.empty(whole.rows, np.int8)
    bounds = (np.array([0.6, 0.7]) * whole.rows).astype(int)
    for part, ids in zip(("train", "validation", "test"), np.split(order, bounds), strict=True):
        split[ids] = SPLITS.index(part)
    kept = np.ones(whole.rows, bool)
    if damage == LONG_TAIL:
        training = np.flatnonzero(split == SPLITS.index("train"))
        kept[np.delete(training, long_tailed(labels[training], seed))] = False
    else:
        spared = ("test", "validation") if damage.endswith(TRAINING) else ("test",)
        seen = ~np.isin(split, [SPLITS.index(part) for part in spared])
        found = spoilt(labels[seen], damage.removesuffix(TRAINING), seed)
        labels = labels.astype(found.dtype)
        labels[seen] = found
    facts = {"labels": whole.labels, "n_features": whole.n_features, "image": whole.image}
    kind = "image" if whole.kind == "image" else "dense"
    with ShardWriter(out, kind=kind, source=f"{name}, {damage}", **facts) as writer:
        writer.write(Rows(_inputs(whole, np.flatnonzero(kept)), LabelMatrix.of(labels[kept]), split[kept]))
    return out


def _inputs(whole: Manifest, ids: np.ndarray) -> Features:
    """Return the features of some rows, or their encoded images."""
    rows = ShardRows(whole).open().gather(ids)
    return rows.features if rows.images is None else [bytes(image) for image in rows.images]


def _whole(name: str, folder: Path) -> Manifest:
    out = folder / name
    if not out.is_dir() and SETS[name] is None:
        return digit_scenes.build(out, rows=2000, label_noise=0.0)
    if not out.is_dir():
        prepare(SETS[name], out, min_positives=20)
    return Manifest.load(out)


def long_tailed(labels: np.ndarray, seed: int) -> np.ndarray:
    """Return which rows are kept, int64, ascending: labels from the rarest on take rows that have none rarer.

    Frequent labels that come along with rare ones may end above their share.
    """
    counts = labels.sum(axis=0)
    frequent_first = np.argsort(-counts, kind="stable")
    power = np.log(_IMBALANCE) / np.log(len(counts))
    wanted = np.maximum(counts.max() * np.arange(1, len(counts) + 1) ** -power, 1).astype(int)
    kept, closed = np.zeros(len(labels), bool), np.zeros(len(labels), bool)
    order = generator(seed, "benchmark long tail").permutation(len(labels))
    for label, share in zip(frequent_first[::-1].tolist(), wanted[::-1].tolist(), strict=True):
        has = labels[:, label] > 0
        open_ = order[(has & ~kept & ~closed)[order]]
        kept[open_[: max(share - int(kept[has].sum()), 0)]] = True
        closed |= has
    return np.flatnonzero(kept)


def spoilt(labels: np.ndarray, damage: str, seed: int) -> np.ndarray:
    """Return damaged labels: uint8 (N, L), or float32 with NaN for what is unknown."""
    if damage.startswith(UNKNOWN):
        return _part_unknown(labels, int(damage.removeprefix(UNKNOWN)), seed)
    if damage == "both":
        return spoilt(spoilt(labels, "missing50", seed), "wrong20", seed + _BOTH)
    rng, found = generator(seed, "benchmark damage"), labels.copy()
    rows, columns = np.nonzero(labels)
    if damage == "single":
        rank = rng.random(len(rows))
        first = np.lexsort((rank, rows))
        keep = first[np.concatenate([[True], np.diff(rows[first]) > 0])]
        found[:] = 0
        found[rows[keep], columns[keep]] = 1
    elif damage.startswith("missing"):
        chance = np.full(labels.shape[1], 0.5)
        if damage == "missing-rare":
            rarity = np.argsort(np.argsort(-labels.sum(axis=0))) / max(labels.shape[1] - 1, 1)
            chance = 0.3 + 0.6 * rarity
        else:
            chance[:] = int(damage.removeprefix("missing")) / 100
        gone = rng.random(len(rows)) < chance[columns]
        found[rows[gone], columns[gone]] = 0
    elif damage.startswith("wrong"):
        for at in np.flatnonzero(rng.random(len(rows)) < int(damage.removeprefix("wrong")) / 100).tolist():
            row, column = rows[at], columns[at]
            lacking = np.flatnonzero((labels[row] == 0) & (found[row] == 0))
            if len(lacking):
                found[row, column], found[row, rng.choice(lacking)] = 0, 1
    return found


def _part_unknown(labels: np.ndarray, percent: int, seed: int) -> np.ndarray:
    """Return labels of which so many are unknown, float32 (N, L)."""
    found = spoilt(labels, f"missing{percent}", seed).astype(np.float32)
    hidden = generator(seed, "benchmark unknown").random(labels.shape) < percent / 100
    found[np.where(labels > 0, found == 0, hidden)] = np.nan
    return found
