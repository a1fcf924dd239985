"""How fast is a weighted plan? Claim: at least 4 million ids/s at N = 1,000,000 on one core, tables included.

Rival: NumPy's own ``choice(replace=False, p=...)`` for each batch. ``python benchmarks/plan.py [--rows N]``
"""

import argparse

import _common

_common.one_thread()

import numpy as np  # noqa: E402
from scipy.stats import chi2  # noqa: E402

from d2ace.selectors.common.randomness import generator  # noqa: E402
from d2ace.selectors.plans import law  # noqa: E402
from d2ace.selectors.plans.draw import weighted_plan  # noqa: E402

SHARES, BATCH, CLAIM = (0.6, 0.4), 128, 4e6


def levels(n_rows: int) -> list[np.ndarray]:
    """Two branches of made-up scores: one skewed, one even."""
    rng = np.random.default_rng(0)
    return [law.levels(s, s.min(), s.max(), n_rows) for s in (rng.beta(1, 3, n_rows), rng.random(n_rows))]


def make_plan(level: list[np.ndarray], pressure: float, epoch: int) -> tuple[np.ndarray, ...]:
    """Everything a plan needs, from the frozen levels on: weights, probabilities, tables, draws."""
    weights = [law.weights(one, pressure, len(one)) for one in level]
    law.mixed(weights, SHARES)
    return weighted_plan(weights, SHARES, BATCH, generator(0, "plan", epoch))


def choice_ids_per_second(level: list[np.ndarray], pressure: float, batches: int) -> float:
    """The rival's speed, measured over a few batches (its cost does not depend on which)."""
    p = law.mixed([law.weights(one, pressure, len(one)) for one in level], SHARES)
    rng = np.random.default_rng(0)
    seconds = _common.repeat(lambda: rng.choice(len(p), BATCH, replace=False, p=p / p.sum()), batches)
    return BATCH / _common.spread(seconds)["median"]


def chi_square() -> float:
    """Return the p-value of ordered pairs of five rows, drawn in one plan, against exact probabilities."""
    weights = [np.pad([900, 300, 100, 30, 10], (0, 99_995)), np.pad([10, 10, 500, 10, 10], (0, 99_995))]
    ids, *_ = weighted_plan(weights, SHARES, 2, generator(0, "chi-square"))
    counts = np.zeros((5, 5))
    np.add.at(counts, tuple(ids.reshape(-1, 2).T), 1)
    p = law.mixed(weights, SHARES)[:5]
    expected = np.outer(p, p) / (1 - p)[:, None] * counts.sum()
    off = ~np.eye(5, dtype=bool)
    return float(chi2.sf(((counts - expected)[off] ** 2 / expected[off]).sum(), 19))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    level, results = levels(arguments.rows), {"rows": arguments.rows, "batch": BATCH}
    for pressure in (8.0, 100.0):
        make_plan(level, pressure, 0)
        epochs = iter(range(10**9))
        seconds = _common.repeat(lambda p=pressure, e=epochs: make_plan(level, p, next(e)), arguments.repeats)
        speeds = [arguments.rows / s for s in seconds]
        rival = choice_ids_per_second(level, pressure, 20)
        ratio = _common.spread(speeds)["median"] / rival
        print(
            f"pressure {pressure:g}: {_common.shown(speeds, 1e-6, 'M ids/s')}, choice() {rival:.3g} ids/s: "
            f"{ratio:,.0f} times; claim of 4 M ids/s {'holds' if min(speeds) >= CLAIM else 'FAILS'}"
        )
        results[f"pressure {pressure:g}"] = {
            "ids_per_second": _common.spread(speeds),
            "choice_ids_per_second": rival,
            "ratio": ratio,
        }
    results["chi_square_p"] = chi_square()
    print(f"chi-square of 50,000 ordered pairs: p = {results['chi_square_p']:.3f}")
    _common.record("plan", results)


if __name__ == "__main__":
    main()
