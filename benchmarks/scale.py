"""Rescoring and plan at scale, and what a float16 history changes.

Claims: at 1,280,000 rows x 80 labels one rescoring, with its threads, takes at most 3 times as long as one thread
takes to read the state once from memory; with 1,000 labels it is far below the dense formula. Each case runs in a
process of its own (for its peak memory); reading and rescoring alternate, so that load from outside falls on both.
CPU seconds stand beside wall clock seconds for the same reason.
``python benchmarks/scale.py [--case NAME] [--repeats R]``
"""

import argparse
import json
import resource
import subprocess
import time

import _common

_common.one_thread()

import numpy as np  # noqa: E402
from scipy import sparse  # noqa: E402

from d2ace.selectors.common.threads import thread_count  # noqa: E402
from d2ace.selectors.d2ace import D2ACE  # noqa: E402
from d2ace.selectors.scores import rescoring  # noqa: E402

CASES = {"coco": (82_081, 80, 2.9), "imagenet": (1_280_000, 80, 2.9), "many-labels": (120_000, 1_000, 5.0)}
BATCH, NEIGHBOURS, SLICE, CLAIM = 128, 6, 8_192, 3.0


def make_labels(n_rows: int, n_labels: int, cardinality: float) -> sparse.csr_array:
    """Long-tailed labels, CSR uint8; every row draws its labels on its own, so contexts are as wide as can be."""
    rng = np.random.default_rng(0)
    count = np.maximum(rng.poisson(cardinality, n_rows), 1)
    rows = np.repeat(np.arange(n_rows), count)
    columns = (n_labels * rng.random(len(rows)) ** 2).astype(np.int64)
    labels = sparse.coo_array((np.ones(len(rows), np.uint8), (rows, columns)), shape=(n_rows, n_labels)).tocsr()
    labels.data[:] = 1
    return labels


def make_selector(n_rows: int, n_labels: int, cardinality: float) -> D2ACE:
    """A selector whose history is full of made-up values."""
    near = np.random.default_rng(1).integers(0, n_rows, (n_rows, NEIGHBOURS))
    labels = make_labels(n_rows, n_labels, cardinality)
    selector = D2ACE(labels, batch_size=BATCH, epochs=100, warmup=0, neighbour_ids=near)
    rng = np.random.default_rng(2)
    for start in range(0, n_rows, 1024):
        ids = np.arange(start, min(start + 1024, n_rows))
        p = rng.uniform(0.001, 0.999, (len(ids), n_labels)).astype(np.float32)
        selector.observe(ids, p, -np.log(p))
    return selector


def read_state(selector: D2ACE) -> float:
    """Read every number of the history once, as fast as one thread can."""
    history = selector._ranges._states[0]._history
    arrays = (history.predictions, history.flip, history.last_loss, history.uncertainty)
    return max(float(array.reshape(-1).max()) for array in arrays)


def dense_scores(selector: D2ACE, rows: slice) -> float:
    """Steps 4 to 11 as the method's description writes them, on dense float32 matrices of some rows; seconds."""
    state = selector._ranges._states[0]
    labels = state._labels[rows].toarray().astype(np.float32)
    context = state._context[rows].toarray().astype(np.float32)
    history = state._history
    started = time.perf_counter()
    hard = rescoring.hardness(history.last_loss[rows], history.flip[rows], 0.0)
    for values in (history.uncertainty[rows], hard):
        weight = np.exp(0.5 * values.mean(axis=0) + 0.5 * values.std(axis=0))
        masked = values * labels
        norm = np.linalg.norm(masked, axis=0)
        cosine = masked.T @ masked / np.maximum(np.outer(norm, norm), 1e-30)
        correlation = cosine / (cosine.sum(axis=1, keepdims=True) + 1e-8)
        support = context @ correlation.T
        (weight * values * (1 + labels * support)).sum(axis=1)
    return time.perf_counter() - started


def both_clocks(work) -> tuple[float, float]:
    """Return wall clock seconds and CPU seconds of all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(name: str, repeats: int) -> dict:
    """Measure one case in this process."""
    size = CASES[name]
    selector = make_selector(*size)
    read_state(selector), selector.end_epoch(3)
    reading, rescored, planned, ratios, cpu_ratios = [], [], [], [], []
    for number in range(repeats):
        read, read_cpu = both_clocks(lambda: read_state(selector))
        wall, cpu = both_clocks(lambda: selector.end_epoch(3))
        planned += _common.repeat(lambda n=number: selector.plan(n), 1)
        reading.append(read), rescored.append(wall), ratios.append(wall / read), cpu_ratios.append(cpu / read_cpu)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    rows = slice(0, min(SLICE, size[0]))
    dense = _common.spread([dense_scores(selector, rows) for _ in range(3)])["median"] * size[0] / (rows.stop)
    history = selector._ranges._states[0]._history
    arrays = (history.predictions, history.flip, history.last_loss, history.uncertainty)
    return {
        "rows": size[0],
        "labels": size[1],
        "relevant_entries": selector.labels.nnz,
        "threads": thread_count(size[0] * size[1]),
        "read_state_s": _common.spread(reading),
        "rescoring_s": _common.spread(rescored),
        "plan_s": _common.spread(planned),
        "rescoring_to_read": _common.spread(ratios),
        "rescoring_to_read_cpu": _common.spread(cpu_ratios),
        "history_bytes": sum(array.nbytes for array in arrays),
        "peak_bytes": peak,
        "dense_s_from_slice": dense,
        "dense_rows_measured": rows.stop,
        "dense_to_rescoring": dense / _common.spread(rescored)["median"],
    }


def float16_effect(n_rows: int = 20_000, n_labels: int = 40, epochs: int = 20) -> dict:
    """Train a logistic regression in NumPy, show its predictions to both histories, compare laws and plans."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(n_rows, 30)).astype(np.float32)
    labels = (x @ rng.normal(size=(30, n_labels)) + rng.logistic(scale=3, size=(n_rows, n_labels)) > 8).astype(
        np.float32
    )
    near = rng.integers(0, n_rows, (n_rows, NEIGHBOURS))
    full, half = (
        D2ACE(labels, batch_size=BATCH, epochs=epochs, warmup=2, neighbour_ids=near, history_dtype=dtype)
        for dtype in ("float32", "float16")
    )
    weights = np.zeros((30, n_labels), np.float32)
    found = []
    for epoch in range(epochs - 1):
        for ids in full.plan(epoch).batches:
            p = 1 / (1 + np.exp(-x[ids] @ weights))
            loss = -np.log(np.where(labels[ids] > 0, p, 1 - p))
            weights -= 0.2 / len(ids) * x[ids].T @ (p - labels[ids])
            full.observe(ids, p, loss), half.observe(ids, p, loss)
        full.end_epoch(epoch), half.end_epoch(epoch)
        if epoch >= 2:
            one, other = full.plan(epoch + 1), half.plan(epoch + 1)
            change = np.abs(other.probabilities / one.probabilities - 1)
            apart = np.abs(other.probabilities - one.probabilities).sum() / 2
            found.append((float((one.ids != other.ids).mean()), float(change.max()), float(apart)))
    differ, largest, apart = (max(column) for column in zip(*found, strict=True))
    chance = float((full.plan(4).ids != full.plan(5).ids).mean())
    return {
        "draws_that_differ": differ,
        "draws_that_differ_between_two_seeds": chance,
        "largest_relative_change_of_p": largest,
        "total_variation": apart,
    }


def described(name: str, found: dict) -> str:
    """Return the lines that are printed for one case."""
    ratio, peak = found["rescoring_to_read"], found["peak_bytes"] / 2**30
    return (
        f"{name}: {found['rows']:,} x {found['labels']}: rescoring {found['rescoring_s']['median']:.3f} s "
        f"({found['threads']} threads), plan {found['plan_s']['median']:.3f} s, peak {peak:.2f} GiB\n"
        f"  {ratio['median']:.2f} times reading the state once ({ratio['min']:.2f} .. {ratio['max']:.2f}; in CPU time "
        f"{found['rescoring_to_read_cpu']['median']:.2f})\n"
        f"  the dense formula takes {found['dense_to_rescoring']:.1f} times as long "
        f"(from {found['dense_rows_measured']:,} rows)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=CASES, help="measure one case here and print it as JSON")
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(arguments.case, arguments.repeats)))
        return
    results = {}
    for name in CASES:
        command = [_common.sys.executable, __file__, "--case", name, "--repeats", str(arguments.repeats)]
        found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        results[name] = found
        print(described(name, found))
    ratio = results["imagenet"]["rescoring_to_read"]["median"]
    print(f"claim of at most {CLAIM:g} times at 1.28 million rows {'holds' if ratio <= CLAIM else 'FAILS'}")
    results["float16"] = float16_effect()
    print("float16 history:", {key: f"{value:.3g}" for key, value in results["float16"].items()})
    _common.record("scale", results)


if __name__ == "__main__":
    main()
