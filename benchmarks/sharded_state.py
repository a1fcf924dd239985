"""D2ACE's state over 1, 2 and 4 row ranges: the same plan bit for bit, and what an epoch costs.

Claims: plans, probabilities and branches are equal for every number of ranges, in one process and over Ray actors;
bytes that travel follow the cost model of ``docs/scaling.md``. A parent process holds only the coordinator; with
``--ray`` every range is an actor. ``python benchmarks/sharded_state.py [--rows N] [--labels L] [--ray]``
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import _common

_common.one_thread()

import numpy as np  # noqa: E402
from scale import make_labels  # noqa: E402

from d2ace.selectors.ranges.range_spec import RangeSpec  # noqa: E402
from d2ace.selectors.ranges.ranges import LocalRanges, Phase, Ranges  # noqa: E402
from d2ace.selectors.sharded import ShardedD2ACE  # noqa: E402

RANGES, CARDINALITY, NEIGHBOURS = (1, 2, 4), 2.9, 6


class Counted(Ranges):
    """Other ranges, with a count of the bytes that go in and out of each phase."""

    def __init__(self, inner: Ranges) -> None:
        self.bounds, self._inner = inner.bounds, inner
        self.sent, self.received, self.seconds = Counter(), Counter(), Counter()

    def scatter(self, phase: Phase, arguments: Sequence[tuple | None]) -> list[Any]:
        """Count, and pass on."""
        started = time.perf_counter()
        results = self._inner.scatter(phase, arguments)
        self.seconds[phase.__name__] += time.perf_counter() - started
        self.sent[phase.__name__] += sum(size_of(own) for own in arguments if own is not None)
        self.received[phase.__name__] += sum(size_of(result) for result in results if result is not None)
        return results

    def broadcast(self, phase: Phase, *arguments: Any) -> list[Any]:
        """Count, and pass on."""
        started = time.perf_counter()
        results = self._inner.broadcast(phase, *arguments)
        self.seconds[phase.__name__] += time.perf_counter() - started
        self.sent[phase.__name__] += size_of(arguments) * len(self)
        self.received[phase.__name__] += sum(size_of(result) for result in results)
        return results

    def post(self, phase: Phase, arguments: Sequence[tuple | None]) -> None:
        """Count, and pass on."""
        started = time.perf_counter()
        self._inner.post(phase, arguments)
        self.seconds[phase.__name__] += time.perf_counter() - started
        self.sent[phase.__name__] += sum(size_of(own) for own in arguments if own is not None)

    def restart(self) -> None:
        """Pass on."""
        self._inner.restart()


def size_of(value: Any) -> int:
    """Return the bytes of the arrays in a value, and 8 for every other number."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, tuple | list):
        return sum(size_of(part) for part in value)
    return 8


def range_bytes(ranges: Ranges) -> list[int]:
    """Return what the processes of Ray ranges hold each, in bytes; nothing for ranges of this process."""
    if isinstance(ranges, LocalRanges):
        return []
    import ray

    def resident(self: Any) -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    return ray.get([actor.__ray_call__.remote(resident) for actor in ranges._actors])


def measure(n_rows: int, n_labels: int, ranges: int, use_ray: bool, epochs: int) -> dict:
    """Run some epochs over so many ranges in this process and its actors."""
    if use_ray:
        from d2ace.pipeline.selection.ray_ranges import RayRanges

        start_ray()
    holder: list[Counted] = []

    def make(specs: Sequence[RangeSpec]) -> Ranges:
        holder.append(Counted(RayRanges(specs) if use_ray else LocalRanges(specs)))
        return holder[0]

    near = np.random.default_rng(1).integers(0, n_rows, (n_rows, NEIGHBOURS))
    labels, started = make_labels(n_rows, n_labels, CARDINALITY), time.perf_counter()
    settings = {"batch_size": 1024, "epochs": 10, "warmup": 0, "neighbour_ids": near}
    selector = ShardedD2ACE(labels, ranges=ranges, make_ranges=make, **settings)
    made = time.perf_counter() - started
    counted, digest, seconds = holder[0], hashlib.sha256(), Counter()
    for counter in (counted.sent, counted.received, counted.seconds):
        counter.clear()
    for epoch in range(epochs):
        clock = time.perf_counter()
        plan = selector.plan(epoch)
        seconds["plan"] += time.perf_counter() - clock
        for part in (plan.ids, plan.branches, plan.probabilities):
            digest.update(part.tobytes())
        for number, ids in enumerate(plan.batches):
            p = np.random.default_rng((epoch, number)).uniform(0.01, 0.99, (len(ids), n_labels)).astype(np.float32)
            loss, clock = -np.log(p), time.perf_counter()
            selector.observe(ids, p, loss)
            seconds["observe"] += time.perf_counter() - clock
        clock = time.perf_counter()
        selector.summary()  # waits for the observations
        seconds["observe"] += time.perf_counter() - clock
        clock = time.perf_counter()
        selector.end_epoch(epoch)
        seconds["rescore"] += time.perf_counter() - clock
    found = {
        "make_s": made,
        **{f"{kind}_s": value / epochs for kind, value in seconds.items()},
        "sent_bytes": {phase: size // epochs for phase, size in counted.sent.items()},
        "received_bytes": {phase: size // epochs for phase, size in counted.received.items()},
        "phase_s": {phase: value / epochs for phase, value in counted.seconds.items()},
        "model_bytes": [spec.nbytes for spec in selector._specs(near, selector._bounds())],
        "range_resident_bytes": range_bytes(counted._inner),
        "coordinator_peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    digest.update(selector.plan(epochs).ids.tobytes())
    return {"plans": digest.hexdigest(), **found}


def start_ray() -> None:
    """Start a quiet local Ray with more logical CPUs than cores."""
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    ray.init(address="local", num_cpus=4, include_dashboard=False, object_store_memory=10**9, log_to_driver=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[320_000, 1_280_000])
    parser.add_argument("--labels", type=int, default=80)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--one", type=json.loads, help="measure one case here and print it as JSON")
    parser.add_argument("--ray", action="store_true", help="ranges as Ray actors")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(*arguments.one)))
        return
    results: dict[str, Any] = {"labels": arguments.labels}
    for n_rows in arguments.rows:
        for ranges in RANGES:
            case = [n_rows, arguments.labels, ranges, arguments.ray, arguments.epochs]
            command = [_common.sys.executable, __file__, "--one", json.dumps(case)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found = results[f"{n_rows} rows, {ranges} ranges"] = json.loads(done.stdout.splitlines()[-1])
            resident = ", ".join(f"{size / 2**30:.2f}" for size in found["range_resident_bytes"])
            print(
                f"{n_rows:,} x {arguments.labels} over {ranges}: plan {found['plan_s']:.2f} s, observe "
                f"{found['observe_s']:.2f} s, rescore {found['rescore_s']:.2f} s; sent "
                f"{sum(found['sent_bytes'].values()) / 2**20:.1f} MiB, received "
                f"{sum(found['received_bytes'].values()) / 2**20:.1f} MiB; coordinator "
                f"{found['coordinator_peak_bytes'] / 2**30:.2f} GiB; ranges [{resident}] GiB, by the model "
                f"[{', '.join(f'{size / 2**30:.2f}' for size in found['model_bytes'])}]",
                flush=True,
            )
        plans = {results[f"{n_rows} rows, {ranges} ranges"]["plans"] for ranges in RANGES}
        print(f"  plans of all numbers of ranges are {'the same' if len(plans) == 1 else 'DIFFERENT'}", flush=True)
    _common.record("sharded_state_ray" if arguments.ray else "sharded_state", results)


if __name__ == "__main__":
    main()
