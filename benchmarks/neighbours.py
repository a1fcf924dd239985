"""Exact neighbours against faiss's exact index, measured in turns. Claim: at most 1.5 times faiss at 20,000 x 100.

faiss is no dependency: install it somewhere of its own (``pip install --no-deps --target FOLDER faiss-cpu``) and
name the folder. ``python benchmarks/neighbours.py --faiss FOLDER [--threads T] [--data FILE.npz]``; ``--data`` is a
matrix saved by ``scipy.sparse.save_npz``, searched as it is and with its features made dense.
"""

import argparse
import os
import sys
import time

arguments_parser = argparse.ArgumentParser(description=__doc__)
arguments_parser.add_argument("--faiss", help="folder faiss is installed in; without it scikit-learn is the only rival")
arguments_parser.add_argument("--threads", type=int, default=1, help="of BLAS and of faiss")
arguments_parser.add_argument("--rows", type=int, default=20_000)
arguments_parser.add_argument("--features", type=int, default=100)
arguments_parser.add_argument("--repeats", type=int, default=7)
arguments_parser.add_argument("--data", help="npz file of a sparse matrix")
arguments_parser.add_argument("--dense-rows", type=int, default=20_000, help="rows of the dense rival for --data")
ARGUMENTS = arguments_parser.parse_args()
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(ARGUMENTS.threads)  # before NumPy is imported

import _common  # noqa: E402
import numpy as np  # noqa: E402
from scipy import sparse  # noqa: E402

from d2ace.selectors.neighbours import points  # noqa: E402
from d2ace.selectors.neighbours.search import nearest_neighbours  # noqa: E402

K, CLAIM = 6, 1.5


def timed(work) -> tuple[float, float]:
    """Return wall clock and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def rivals(features: np.ndarray) -> dict:
    """Return what searches these features, by name: functions that return ids (N, K + 1)."""
    from sklearn.neighbors import NearestNeighbors

    def brute() -> np.ndarray:
        return NearestNeighbors(n_neighbors=K + 1, algorithm="brute").fit(features).kneighbors(features)[1]

    found = {"scikit-learn brute": brute}
    if ARGUMENTS.faiss:
        sys.path.append(ARGUMENTS.faiss)
        import faiss

        faiss.omp_set_num_threads(ARGUMENTS.threads)

        def flat() -> np.ndarray:
            index = faiss.IndexFlatL2(features.shape[1])
            index.add(features)
            return index.search(features, K + 1)[1]

        found["faiss flat"] = flat
    return found


def compare(features: np.ndarray) -> dict:
    """Measure all in turns; return seconds, and ratios of ours to each rival in the same round."""
    others = rivals(features)
    ours = nearest_neighbours(features, K)
    agree = {name: float((np.sort(work(), 1) == np.sort(ours, 1)).mean()) for name, work in others.items()}
    walls: dict[str, list[float]] = {"d2ace": [], **{name: [] for name in others}}
    cpus = {name: [] for name in walls}
    for _ in range(ARGUMENTS.repeats):
        for name, work in {"d2ace": lambda: nearest_neighbours(features, K), **others}.items():
            wall, cpu = timed(work)
            walls[name].append(wall), cpus[name].append(cpu)
    results: dict = {"rows": len(features), "features": features.shape[1], "threads": ARGUMENTS.threads}
    for name, wall in walls.items():
        results[name] = {"seconds": _common.spread(wall), "cpu_seconds": _common.spread(cpus[name])}
        print(f"{name}: {_common.shown(wall)}, CPU {_common.shown(cpus[name])}")
        if name != "d2ace":
            ratio = _common.spread([a / b for a, b in zip(walls["d2ace"], wall, strict=True)])
            cpu = _common.spread([a / b for a, b in zip(cpus["d2ace"], cpus[name], strict=True)])
            results[name] |= {"d2ace_takes": ratio, "d2ace_takes_cpu": cpu, "same_ids": agree[name]}
            print(
                f"  d2ace takes {ratio['median']:.2f} times as long ({ratio['min']:.2f} .. {ratio['max']:.2f}), "
                f"{cpu['median']:.2f} in CPU time; {agree[name]:.4%} of the ids are the same"
            )
    return results


def sparse_data(path: str) -> dict:
    """Search a sparse matrix as it is, and a part of its rows also dense; all must agree."""
    matrix = sparse.csr_array(sparse.load_npz(path))
    share = matrix.nnz / (matrix.shape[0] * matrix.shape[1])
    part = matrix[: ARGUMENTS.dense_rows]
    seconds, found = {}, {}
    found["sparse part"], seconds["sparse part"] = search(part)
    points._SPARSE_SHARE, kept = 0.0, points._SPARSE_SHARE
    found["dense part"], seconds["dense part"] = search(part)
    points._SPARSE_SHARE = kept
    _, seconds["whole"] = search(matrix)
    same = bool((found["sparse part"] == found["dense part"]).all())
    print(f"{path}: {matrix.shape[0]:,} x {matrix.shape[1]:,}, {share:.2%} not 0")
    print(f"  whole {seconds['whole'][0]:.1f} s (CPU {seconds['whole'][1]:.1f})")
    ratio = seconds["dense part"][1] / seconds["sparse part"][1]
    print(f"  {part.shape[0]:,} rows: dense takes {ratio:.1f} times the CPU time; same result: {same}")
    return {
        "rows": matrix.shape[0],
        "features": matrix.shape[1],
        "share_not_0": share,
        "seconds": seconds,
        "same": same,
    }


def search(matrix: sparse.csr_array) -> tuple[np.ndarray, tuple[float, float]]:
    """Return neighbours, and wall clock and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = nearest_neighbours(matrix, K)
    return found, (time.perf_counter() - wall, time.process_time() - cpu)


def main() -> None:
    if ARGUMENTS.data:
        _common.record("neighbours_sparse", sparse_data(ARGUMENTS.data))
        return
    features = np.random.default_rng(0).normal(size=(ARGUMENTS.rows, ARGUMENTS.features)).astype(np.float32)
    results = compare(features)
    if "faiss flat" in results:
        ratio = results["faiss flat"]["d2ace_takes"]["median"]
        print(f"claim of at most {CLAIM} times faiss {'holds' if ratio <= CLAIM else 'FAILS'}")
    _common.record(f"neighbours_{ARGUMENTS.threads}_threads", results)


if __name__ == "__main__":
    main()
