"""How long training stands still for a checkpoint, how many bytes it writes, and how long resuming reads it.

Claims: training stands still for at most 1 % of an epoch of 60 s, and a checkpoint has at most 1.05 times the bytes of
the state. Rival: the same checkpoint with training waiting until it is whole, as it was before there was a thread that
writes. Both in turn, with D2ACE in an actor as for runs with workers, and beside the network as for those without.
Steps go on while a checkpoint is written; their seconds stand beside those of undisturbed ones.

Run: python benchmarks/checkpoint.py [--rows N] [--labels L] [--width W] [--repeats R]

A run of the issue's size, ``--rows 1280000``, needs some 14 GiB of memory, 14 GB of disk, and a quiet machine.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _common import one_thread, record, shown, spread

one_thread()

import numpy as np  # noqa: E402
import ray  # noqa: E402
import torch  # noqa: E402
from scale import NEIGHBOURS, make_labels  # noqa: E402

from d2ace.pipeline.common.config.config import Config  # noqa: E402
from d2ace.pipeline.feeds.api import Part  # noqa: E402
from d2ace.pipeline.models.api import ModelContext  # noqa: E402
from d2ace.pipeline.runs.checkpoint_writer import CheckpointWriter  # noqa: E402
from d2ace.pipeline.runs.checkpoints import CheckpointStore  # noqa: E402
from d2ace.pipeline.selection import actor as selection_actor  # noqa: E402
from d2ace.pipeline.selection.batches import Batches  # noqa: E402
from d2ace.pipeline.selection.blueprint import Blueprint  # noqa: E402
from d2ace.pipeline.selection.conversation import Conversation, Messages  # noqa: E402
from d2ace.pipeline.selection.local import LocalSelection  # noqa: E402
from d2ace.pipeline.selection.observation import Seen  # noqa: E402
from d2ace.pipeline.selection.remote import RemoteSelection  # noqa: E402
from d2ace.pipeline.training.hooks.checkpointing import Checkpointing  # noqa: E402
from d2ace.pipeline.training.learner import Learner  # noqa: E402
from d2ace.pipeline.training.loop import Epoch, Training  # noqa: E402
from d2ace.pipeline.training.micro_batch import MicroBatch  # noqa: E402
from d2ace.pipeline.training.ranks import ALONE  # noqa: E402

FEATURES, BATCH, STEP_ROWS, MESSAGE_STEPS, EPOCH_S = 1_000, 1_024, 8, 8, 60.0
STALL_CLAIM, BYTES_CLAIM = 0.01, 1.05


@dataclass
class Seconds:
    """What was measured, a number a checkpoint, but for steps.

    Attributes:
        stall: training stood still for a checkpoint that was written in the background.
        stall_cpu: seconds of a processor that its thread took meanwhile, which says more on a machine with other work.
        waiting: training stood still until the checkpoint was whole.
        written: from the end of an epoch until the checkpoint was whole, while steps went on.
        step: of training steps, undisturbed and (``beside``) beside the writing.
        resume: of resuming, by part.
    """

    stall: list[float] = field(default_factory=list)
    stall_cpu: list[float] = field(default_factory=list)
    waiting: list[float] = field(default_factory=list)
    written: list[float] = field(default_factory=list)
    step: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    resume: dict[str, list[float]] = field(default_factory=dict)


class Bench:
    """A network and a selection that write checkpoints into a folder, with random observations in between."""

    def __init__(self, learner: Learner, selection: Conversation, labels: int, folder: Path) -> None:
        self.learner, self.selection, self.labels = learner, selection, labels
        self.store, self.writer = CheckpointStore(folder), CheckpointWriter()
        self.hook = Checkpointing(self.store, self.writer, lambda _: None, 0)
        nothing: Any = None
        self.training = Training(nothing, nothing, learner, nothing, nothing, selection, ALONE, (self.hook,))
        rng = np.random.default_rng(0)
        features = torch.from_numpy(rng.random((STEP_ROWS, FEATURES), dtype=np.float32))
        targets = torch.from_numpy((rng.random((STEP_ROWS, labels)) < 0.05).astype(np.float32))
        self._part = Part(np.arange(STEP_ROWS), features, targets)
        self.epoch = 0
        selection.join(selection.rewind(None, 1))
        self.batches = selection.plan(0)
        for _ in range(2):
            self.step()

    def step(self) -> float:
        """Train a step; returns its seconds."""
        return timed(lambda: self.learner.step([MicroBatch(self._part)], STEP_ROWS))

    def observe_epoch(self) -> None:
        """Let selection see every row of its plan once, and rescore."""
        p = np.random.default_rng(self.epoch).uniform(0.001, 0.999, (BATCH, self.labels)).astype(np.float32)
        shown_p, losses = torch.from_numpy(p), torch.from_numpy(-np.log(p))
        for start, stop in zip(self.batches.offsets[:-1], self.batches.offsets[1:], strict=True):
            rows = slice(0, stop - start)
            seen = Seen(shown_p[rows], losses[rows], torch.zeros((), dtype=torch.float64))
            self.selection.observe(self.batches.ids[start:stop], [seen])
        self.selection.settle()
        self.selection.record(self.epoch)

    def end_epoch(self, found: list[float], *, wait: bool) -> None:
        """End an epoch with a checkpoint and begin the next one; adds the seconds until its first step may come."""

        def standing() -> None:
            ended = Epoch(self.epoch, self.batches, 0, 0.0)
            self.hook.after_epoch(self.training, ended)
            if wait:
                self.writer.wait()
            self.batches: Batches = self.selection.plan(self.epoch + 1)

        found.append(timed(standing))
        self.epoch += 1


def timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure(bench: Bench, repeats: int) -> Seconds:
    """Write checkpoints in both ways in turn; the first of each, which makes memory, does not count."""
    found = Seconds()
    for repeat in range(repeats + 1):
        if repeat == 1:
            found = Seconds()
        bench.observe_epoch()
        found.step += [bench.step() for _ in range(3)]
        started, worked = time.perf_counter(), time.thread_time()
        bench.end_epoch(found.stall, wait=False)
        found.stall_cpu.append(time.thread_time() - worked)
        while not bench.writer.done:
            found.beside.append(bench.step())
        found.written.append(time.perf_counter() - started)
        bench.writer.wait()
        bench.observe_epoch()
        bench.end_epoch(found.waiting, wait=True)
    for _ in range(repeats):
        resume(bench, found.resume)
    return found


def resume(bench: Bench, found: dict[str, list[float]]) -> None:
    """Do what a resumed run does."""
    held: dict[str, Any] = {}
    parts: dict[str, Callable[[], Any]] = {
        "checking all files": lambda: held.update(checkpoint=bench.store.intact()),
        "selection": lambda: bench.selection.join(bench.selection.rewind(held["checkpoint"].selection, 1)),
        "network": lambda: bench.learner.load_state_dict(held["checkpoint"].training_state()["learner"]),
    }
    for name, work in parts.items():
        found.setdefault(name, []).append(timed(work))


def made_blueprint(rows: int, labels: int) -> Blueprint:
    near = np.random.default_rng(1).integers(0, rows, (rows, NEIGHBOURS))
    arguments = {"labels": make_labels(rows, labels, 2.9), "neighbour_ids": near, "batch_size": BATCH, "epochs": 999}
    return Blueprint("d2ace", {**arguments, "warmup": 0, "seed": 0}, np.arange(rows))


def made_learner(rows: int, labels: int, width: int) -> Learner:
    model = {"name": "mlp", "options": {"hidden": [width, width]}}
    config = Config.make({"data": {"path": "-"}, "train": {"reduction": "ddp"}, "model": model})
    return Learner(config, ModelContext(labels, (FEATURES,), (4,) * labels, rows), torch.device("cpu"), 1, 100)


@contextmanager
def in_actor(blueprint: Blueprint, labels: int) -> Iterator[Conversation]:
    """Give a conversation with an actor on a Ray of its own."""
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        with selection_actor.started() as actor:
            shared = blueprint.by_reference()
            selection_actor.build(actor, shared, lambda: 0)
            yield RemoteSelection(actor, shared, Messages(labels, MESSAGE_STEPS))
    finally:
        ray.shutdown()


@contextmanager
def here(blueprint: Blueprint, labels: int) -> Iterator[Conversation]:
    """Give a conversation with a selection of this process."""
    yield LocalSelection(blueprint, Messages(labels))


def state_bytes(learner: Learner, checkpoint: Path) -> int:
    """Return the bytes of all numbers: of network and optimiser, and of the arrays of selection."""
    network = sum(t.nbytes for t in learner.model.state_dict().values())
    optimiser = sum(t.nbytes for state in learner.optimizer.state.values() for t in state.values())
    with np.load(checkpoint / "selection.npz") as arrays:
        return network + optimiser + sum(arrays[name].nbytes for name in arrays)


def report(name: str, found: Seconds, written: int, state: int) -> dict[str, Any]:
    """Print one way and return its results."""
    share = spread(found.stall)["median"] / EPOCH_S
    ratio = spread(found.waiting)["median"] / spread(found.stall)["median"]
    print(f"{name}: training stands still {shown(found.stall)}, {share:.2%} of an epoch of {EPOCH_S:g} s")
    print(f"  seconds of a processor: {shown(found.stall_cpu)}")
    print(f"  claim {'holds' if share <= STALL_CLAIM and written <= BYTES_CLAIM * state else 'FAILS'}")
    print(f"  waiting until it is whole: {shown(found.waiting)}, {ratio:.0f} times as long")
    print(
        f"  whole after {shown(found.written)} beside steps of {shown(found.beside)}, undisturbed {shown(found.step)}"
    )
    print(f"  {written / 1e9:.3f} GB written, {written / state:.4f} times the state")
    print("  resuming: " + ", ".join(f"{part} {shown(seconds)}" for part, seconds in found.resume.items()))
    results = {key: spread(value) for key, value in vars(found).items() if key != "resume"}
    results["resume"] = {part: spread(seconds) for part, seconds in found.resume.items()}
    return {**results, "stall_share": share, "waiting_to_stall": ratio, "bytes": written, "state_bytes": state}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=160_000)
    parser.add_argument("--labels", type=int, default=80)
    parser.add_argument(
        "--width", type=int, default=8_950, help="units of both layers; 8,950 make 90 million parameters"
    )
    parser.add_argument("--repeats", type=int, default=5)
    sizes = parser.parse_args()
    blueprint = made_blueprint(sizes.rows, sizes.labels)
    results: dict[str, Any] = {}
    for name, conversation in (("actor", in_actor), ("here", here)):
        learner = made_learner(sizes.rows, sizes.labels, sizes.width)
        with tempfile.TemporaryDirectory(dir=".") as folder, conversation(blueprint, sizes.labels) as selection:
            bench = Bench(learner, selection, sizes.labels, Path(folder) / "checkpoints")
            with bench.writer:
                found = measure(bench, sizes.repeats)
            newest = bench.store.complete()[-1].path
            written = sum(file.stat().st_size for file in Path(newest).iterdir())
            results[name] = report(name, found, written, state_bytes(learner, Path(newest)))
    parameters = sum(p.numel() for p in learner.model.parameters())
    record("checkpoint", {"rows": sizes.rows, "labels": sizes.labels, "parameters": parameters, **results})


if __name__ == "__main__":
    main()
