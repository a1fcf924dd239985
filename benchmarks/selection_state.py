"""One epoch of observations and rescoring. Claim: at least 200 times faster than a dict-of-deques loop.

Rivals: ``plain`` is the tests' oracle, the method's description as loops in Python over a dict of deques; it is
measured on a subset of rows and scaled up by rows (all its work is linear in them). ``rows`` keeps NumPy vectors
in the deques and loops over rows only. All three must agree to 1e-6. ``python benchmarks/selection_state.py``
"""

import argparse
from collections import deque

import _common

_common.one_thread()
_common.sys.path[:0] = [str(_common.ROOT / "tests" / "helpers")]

import numpy as np  # noqa: E402
from slow_d2ace import SlowD2ACE  # noqa: E402

from d2ace.selectors.d2ace import D2ACE  # noqa: E402

SIZES = {"coco": (82_081, 80, 2.9), "cal500": (502, 174, 26.044)}
BATCH, HISTORY, NEIGHBOURS, CLAIM = 128, 5, 6, 200


class RowLoop:
    """The same arithmetic with one NumPy vector a row, float64, and dense matrices of labels."""

    def __init__(self, labels: np.ndarray, near: np.ndarray) -> None:
        self.labels, (self.n_rows, self.n_labels) = labels.astype(float), labels.shape
        self.context = [labels[[row, *near[row]]].max(axis=0).astype(float) for row in range(self.n_rows)]
        self.window = {row: deque(maxlen=HISTORY) for row in range(self.n_rows)}
        self.flip = {row: np.zeros(self.n_labels) for row in range(self.n_rows)}
        self.loss, self.uncertainty = {}, {}

    def observe(self, ids: np.ndarray, probabilities: np.ndarray, losses: np.ndarray) -> None:
        """Record a batch, row by row."""
        for row, new, loss in zip(ids.tolist(), probabilities.astype(float), losses.astype(float), strict=True):
            window = self.window[row]
            change = np.abs(new - window[-1]) if window else np.zeros(self.n_labels)
            self.flip[row] = 0.7 * change + 0.3 * self.flip[row]
            self.loss[row] = loss
            window.append(new)
            moves = np.abs(np.diff(window, axis=0))
            p = np.clip(new, 1e-7, 1 - 1e-7)
            entropy = -p * np.log2(p) - (1 - p) * np.log2(1 - p)
            self.uncertainty[row] = 0.5 * (moves.mean(axis=0) if len(moves) else 0) + 0.5 * entropy

    def scores(self) -> list[np.ndarray]:
        """Return the scores of both branches."""
        rows = range(self.n_rows)
        hard = [(1 - np.exp(-self.loss[row])) * (1 - self.flip[row]) for row in rows]
        return [self._branch(np.array([self.uncertainty[row] for row in rows])), self._branch(np.array(hard))]

    def _branch(self, values: np.ndarray) -> np.ndarray:
        weight = np.exp(0.5 * values.mean(axis=0) + 0.5 * values.std(axis=0))
        masked = values * self.labels
        norm = np.linalg.norm(masked, axis=0)
        cosine = masked.T @ masked / np.maximum(np.outer(norm, norm), 1e-300)
        correlation = cosine / (cosine.sum(axis=1, keepdims=True) + 1e-8)
        return np.array([self._score(row, values[row], weight, correlation) for row in range(self.n_rows)])

    def _score(self, row: int, value: np.ndarray, weight: np.ndarray, correlation: np.ndarray) -> float:
        return float((weight * value * (1 + self.labels[row] * (correlation @ self.context[row]))).sum())


def make_case(n_rows: int, n_labels: int, cardinality: float) -> tuple[np.ndarray, np.ndarray]:
    """Long-tailed labels of the given cardinality, and neighbours at random (the costly case: most labels near)."""
    rng = np.random.default_rng(0)
    share = np.minimum(1 / np.arange(2, n_labels + 2), 0.9)
    labels = rng.random((n_rows, n_labels)) < np.minimum(share * cardinality / share.sum(), 0.95)
    return labels.astype(np.uint8), rng.integers(0, n_rows, (n_rows, NEIGHBOURS))


def epoch_data(n_rows: int, n_labels: int, epoch: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The batches of an epoch that visits every row once: ids, probabilities, losses (float32)."""
    rng = np.random.default_rng([1, epoch])
    order = rng.permutation(n_rows)
    batches = []
    for start in range(0, n_rows, BATCH):
        ids = order[start : start + BATCH]
        p = rng.uniform(0.001, 0.999, (len(ids), n_labels)).astype(np.float32)
        batches.append((ids, p, -np.log(p)))
    return batches


def fast_seconds(labels: np.ndarray, near: np.ndarray, repeats: int) -> tuple[list[float], list[float]]:
    """Seconds of the observations and of the rescoring of some epochs, after the history has filled."""
    selector = D2ACE(labels=labels, neighbour_ids=near, batch_size=BATCH, epochs=100, history=HISTORY)
    observing, rescoring = [], []
    for epoch in range(HISTORY + repeats):
        batches = epoch_data(*labels.shape, epoch % HISTORY)
        observing += _common.repeat(lambda b=batches: [selector.observe(*batch) for batch in b], 1)
        rescoring += _common.repeat(lambda e=epoch: selector.end_epoch(e), 1)
    return observing[HISTORY:], rescoring[HISTORY:]


def rival_epochs(labels: np.ndarray, near: np.ndarray) -> tuple[dict[str, float], float]:
    """Run all three over the same epochs; return each rival's seconds for the last, and the largest difference."""
    fast = D2ACE(labels=labels, neighbour_ids=near, batch_size=BATCH, epochs=100, history=HISTORY)
    plain, rows = SlowD2ACE(labels, near.tolist(), history=HISTORY), RowLoop(labels, near)
    for epoch in range(HISTORY + 1):
        batches = epoch_data(*labels.shape, epoch)
        lists = [tuple(part.tolist() for part in batch) for batch in batches]
        for batch in batches:
            fast.observe(*batch)
        plain_s = _common.repeat(lambda b=lists: [plain.observe(*batch) for batch in b], 1)[0]
        rows_s = _common.repeat(lambda b=batches: [rows.observe(*batch) for batch in b], 1)[0]
    fast.end_epoch(1)
    scores: dict[str, list] = {}
    plain_s += _common.repeat(lambda: scores.update(plain=[branch[2] for branch in plain.scores()]), 1)[0]
    rows_s += _common.repeat(lambda: scores.update(rows=rows.scores()), 1)[0]
    found = fast.diagnostics()
    mine = np.array([found["score_uncertainty"], found["score_hardness"]])
    worst = max(float((np.abs(mine - np.array(s)) / np.maximum(1, np.abs(s))).max()) for s in scores.values())
    return {"plain": plain_s, "rows": rows_s}, worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--rival-rows", type=int, default=512, help="rows of the rivals' subset")
    arguments = parser.parse_args()
    results = {}
    for name, size in SIZES.items():
        labels, near = make_case(*size)
        observing, rescoring = fast_seconds(labels, near, arguments.repeats)
        total = [sum(pair) for pair in zip(observing, rescoring, strict=True)]
        part = make_case(min(arguments.rival_rows, size[0]), *size[1:])
        rivals, worst = rival_epochs(*part)
        scale = size[0] / len(part[0])
        print(f"{name}: {size[0]:,} rows x {size[1]} labels, cardinality {labels.sum(1).mean():.2f}")
        print(f"  observations {_common.shown(observing, 1e3, 'ms')}, rescoring {_common.shown(rescoring, 1e3, 'ms')}")
        results[name] = {"seconds": _common.spread(total), "observe": _common.spread(observing)}
        results[name] |= {"rescore": _common.spread(rescoring), "largest_relative_difference": worst}
        for rival, seconds in rivals.items():
            ratio = seconds * scale / _common.spread(total)["median"]
            results[name][rival] = {"seconds": seconds * scale, "rows_measured": len(part[0]), "ratio": ratio}
            print(f"  {rival}: {seconds * scale:.3g} s (from {len(part[0])} rows), {ratio:,.0f} times slower")
        holds = results[name]["plain"]["ratio"] >= CLAIM and worst <= 1e-6
        print(f"  largest relative difference {worst:.1e}; claim {'holds' if holds else 'FAILS'}")
    _common.record("selection_state", results)


if __name__ == "__main__":
    main()
