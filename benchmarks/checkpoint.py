"""How long training stands still for a checkpoint, how many bytes it writes, and how long resuming reads it.

Claims: a checkpoint lets training stand still for at most 1 % of an epoch of 60 s, and has at most 1.05 times the bytes
of the state. An end of an epoch looks at the weights and takes the next plan with or without a checkpoint, so the same
end without one is timed in turn: the stall is what a checkpoint adds to it, and to the first message behind it, which
may wait for the copy of selection. Rival: the same checkpoint with training waiting until it is whole, as it was before
there was a thread that writes. D2ACE is in an actor as for runs with workers, then beside the network as for those
without. Steps go on while a checkpoint is written; their seconds stand beside those of undisturbed ones.
What it would save to write the state of selection every few epochs, and the observations of every epoch instead, is
calculated from what was measured.

Run: python benchmarks/checkpoint.py [--rows N] [--labels L] [--width W] [--repeats R] [--only actor|here]

As many rows as ImageNet has, ``--rows 1280000``, need some 14 GiB of memory, 14 GB of disk, and a quiet machine. Each
number of rows has a file of results of its own.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _common import commit, one_thread, record, recorded, shown, spread

one_thread()

import numpy as np  # noqa: E402
from _checkpoint_bench import Bench, Seconds, here, in_actor, made_blueprint, made_learner, timed  # noqa: E402

from d2ace.pipeline.training.learner import Learner  # noqa: E402

ROWS = 160_000
EPOCH_S = 60.0
WAYS = {"actor": in_actor, "here": here}
STALL_CLAIM, BYTES_CLAIM = 0.01, 1.05


def measure(bench: Bench, repeats: int) -> Seconds:
    """End epochs in all ways in turn; the first of each, which makes memory, does not count."""
    found = Seconds()
    for repeat in range(repeats + 1):
        if repeat == 1:
            found = Seconds()
        bench.observe_epoch()
        found.step += [bench.step() for _ in range(3)]
        bench.end_epoch(found.plain, keep=False)
        found.step.append(bench.step())
        found.plain_told.append(bench.tell_first())
        bench.observe_epoch()
        started, worked = time.perf_counter(), time.thread_time()
        bench.end_epoch(found.end)
        found.end_cpu.append(time.thread_time() - worked)
        found.beside.append(bench.step())
        found.told.append(bench.tell_first())
        while not bench.writer.done:
            found.beside.append(bench.step())
        found.written.append(time.perf_counter() - started)
        bench.writer.wait()
        bench.observe_epoch()
        found.epoch = bench.selection.record(bench.epoch)
        bench.end_epoch(found.waiting, wait=True)
    for _ in range(repeats):
        resume(bench, found.resume)
    return found


def resume(bench: Bench, found: dict[str, list[float]]) -> None:
    """Do what a resumed run does."""
    held: dict[str, Any] = {}
    parts: dict[str, Callable[[], Any]] = {
        "checking all files": lambda: held.update(checkpoint=bench.store.intact()),
        "selection": lambda: bench.selection.join(bench.selection.rewind(held["checkpoint"].selection(), 1)),
        "network": lambda: bench.learner.load_state_dict(held["checkpoint"].training_state()["learner"]),
    }
    for name, work in parts.items():
        found.setdefault(name, []).append(timed(work))


def state_bytes(learner: Learner, checkpoint: Path) -> int:
    """Return the bytes of all numbers: of network and optimiser, and of the arrays of selection."""
    network = sum(t.nbytes for t in learner.model.state_dict().values())
    optimiser = sum(t.nbytes for state in learner.optimizer.state.values() for t in state.values())
    with np.load(checkpoint / "selection.npz") as arrays:
        return network + optimiser + sum(arrays[name].nbytes for name in arrays)


def replayed(found: Seconds, selection: int) -> dict[str, Any]:
    """Calculate what it would save to write the state of selection every k-th epoch, and observations every epoch.

    A run that goes on would read the state and replay (k - 1) / 2 epochs in the mean.

    Args:
        found: what was measured.
        selection: bytes of the state of selection.
    """
    told = found.epoch["bytes"]
    again = sum(found.epoch[part] for part in ("observe_s", "rescore_s"))
    print(f"  observations of an epoch: {told / 1e9:.3f} GB, state of selection {selection / 1e9:.3f} GB")
    rows = []
    for every in (1, 2, 5, 10):
        written = selection if every == 1 else told + selection / every
        seconds = (every - 1) / 2 * again
        rows.append({"every": every, "bytes_an_epoch": written, "replay_s": seconds})
        print(f"    state every {every}: {written / 1e9:.3f} GB an epoch, {seconds:.2f} s of replay when a run goes on")
    return {"observation_bytes": told, "selection_bytes": selection, "replay": rows}


def report(name: str, found: Seconds, written: int, state: int) -> dict[str, Any]:
    """Print one way and return its results."""
    share = spread(found.stall)["median"] / EPOCH_S
    ratio = spread(found.waiting)["median"] / spread(found.end)["median"]
    print(f"{name}: a checkpoint adds {shown(found.stall)} of standing still, {share:.2%} of an epoch of {EPOCH_S:g} s")
    print(f"  an epoch's end: {shown(found.end)}, of a processor {shown(found.end_cpu)}; without {shown(found.plain)}")
    print(f"  telling what the first step showed: {shown(found.told)}; without {shown(found.plain_told)}")
    print(f"  claim {'holds' if share <= STALL_CLAIM and written <= BYTES_CLAIM * state else 'FAILS'}")
    print(f"  waiting until it is whole: {shown(found.waiting)}, {ratio:.0f} times as long")
    print(
        f"  whole after {shown(found.written)} beside steps of {shown(found.beside)}, undisturbed {shown(found.step)}"
    )
    print(f"  {written / 1e9:.3f} GB written, {written / state:.4f} times the state")
    print("  resuming: " + ", ".join(f"{part} {shown(seconds)}" for part, seconds in found.resume.items()))
    results = {key: spread(value) for key, value in vars(found).items() if key not in ("resume", "epoch")}
    results["stall"] = spread(found.stall)
    results["resume"] = {part: spread(seconds) for part, seconds in found.resume.items()}
    return {**results, "stall_share": share, "waiting_to_end": ratio, "bytes": written, "state_bytes": state}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--labels", type=int, default=80)
    parser.add_argument(
        "--width", type=int, default=8_950, help="units of both layers; 8,950 make 90 million parameters"
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=WAYS, help="one of both ways; what is kept of the other stays")
    sizes = parser.parse_args()
    blueprint = made_blueprint(sizes.rows, sizes.labels)
    file = "checkpoint" if sizes.rows == ROWS else f"checkpoint_{sizes.rows}"
    results = recorded(file) if sizes.only else {}
    for name, conversation in WAYS.items():
        if sizes.only not in (None, name):
            continue
        learner = made_learner(sizes.rows, sizes.labels, sizes.width)
        with tempfile.TemporaryDirectory(dir=".") as folder, conversation(blueprint, sizes.labels) as selection:
            bench = Bench(learner, selection, sizes.labels, Path(folder) / "checkpoints")
            with bench.writer:
                found = measure(bench, sizes.repeats)
            newest = bench.store.complete()[-1].path
            written = sum(file.stat().st_size for file in Path(newest).iterdir())
            results[name] = report(name, found, written, state_bytes(learner, Path(newest)))
            results[name] |= replayed(found, (Path(newest) / "selection.npz").stat().st_size)
            results[name]["commit"] = commit()
        results |= {"rows": sizes.rows, "labels": sizes.labels, "parameters": parameters_of(learner)}
    record(file, results)


def parameters_of(learner: Learner) -> int:
    return sum(parameter.numel() for parameter in learner.model.parameters())


if __name__ == "__main__":
    main()
