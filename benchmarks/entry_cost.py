"""What entry targets and policies cost an epoch. Claim: at most 1 % of an epoch at 82,081 rows x 80 labels.

Measured for one epoch of all rows in batches of 128: finding the listed entries of every batch and putting them into
tensors (the workers' part), and a policy's observations and judgement (the actor's part). The epoch beside it is a
plain torch loop of a network on features of 1,280 numbers, as a frozen backbone gives them: an image network takes
far longer. All in one run, alternating. ``python benchmarks/entry_cost.py``
"""

import _common

_common.one_thread()

import json  # noqa: E402
import time  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402

from d2ace.pipeline.feeds.api import Part  # noqa: E402
from d2ace.pipeline.training.micro_batch import trained_entries  # noqa: E402
from d2ace.selectors.common.label_matrix import LabelMatrix  # noqa: E402
from d2ace.selectors.entries.correct import Correct  # noqa: E402
from d2ace.selectors.plans.entries import EntryTargets  # noqa: E402

N, L, FEATURES, BATCH, REPEATS, LISTED = 82_081, 80, 1280, 128, 5, 0.02
KEPT = _common.ROOT / "benchmarks" / "results" / "entry_cost.json"


def main() -> None:
    """Measure, print, keep."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    labels = (rng.random((N, L)) < 2.9 / L).astype(np.float32)
    entries = listed(rng)
    policy = Correct(LabelMatrix.of(labels), epochs=2 * REPEATS + 2, release=1, gate=0.0, skill=0.0)
    seconds: dict[str, list[float]] = {"epoch": [], "targets": [], "observe": [], "judge": []}
    for epoch in range(REPEATS):
        batches = np.array_split(rng.permutation(N), -(-N // BATCH))
        seconds["epoch"].append(timed(lambda b=batches: train(b, labels)))
        seconds["targets"].append(timed(lambda b=batches: gather(b, labels, entries)))
        seen = rng.random((N, L), np.float32)
        seconds["observe"].append(timed(lambda b=batches, s=seen: [policy.observe(ids, s[ids]) for ids in b]))
        seconds["judge"].append(timed(lambda e=epoch: policy.end_epoch(e)))
    medians = {name: float(np.median(values)) for name, values in seconds.items()}
    shares = {name: medians[name] / medians["epoch"] for name in ("targets", "observe", "judge")}
    result = {"machine": _common.machine(), "commit": _common.commit(), "seconds": seconds, "share of an epoch": shares}
    KEPT.write_text(json.dumps(result, indent=1) + "\n")
    print(f"an epoch of {N:,} rows x {L} labels: {medians['epoch']:.1f} s (median of {REPEATS})")
    for name, share in shares.items():
        spread = f"{min(seconds[name]):.3f} to {max(seconds[name]):.3f} s"
        print(f"{name:8} {medians[name]:.3f} s, {share:.2%} of it ({spread})")


def listed(rng: np.random.Generator) -> EntryTargets:
    """Return a list of 2 % of all entries."""
    flat = np.sort(rng.choice(N * L, int(LISTED * N * L), replace=False))
    return EntryTargets.at(flat // L, flat % L, target=1.0)


def gather(batches: list[np.ndarray], labels: np.ndarray, entries: EntryTargets) -> None:
    """Make the targets of every batch."""
    for ids in batches:
        trained_entries(Part(ids, torch.empty(0), torch.from_numpy(labels[ids])), entries)


def train(batches: list[np.ndarray], labels: np.ndarray) -> None:
    """Take a step of a plain loop for every batch."""
    network = torch.nn.Sequential(torch.nn.Linear(FEATURES, 512), torch.nn.ReLU(), torch.nn.Linear(512, L))
    optimizer = torch.optim.AdamW(network.parameters())
    features = torch.randn(BATCH, FEATURES)
    for ids in batches:
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            network(features[: len(ids)]), torch.from_numpy(labels[ids])
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def timed(run: object) -> float:
    """Return the seconds of a call."""
    assert callable(run)
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
