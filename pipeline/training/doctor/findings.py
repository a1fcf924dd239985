"""What was measured, put together to an epoch of the run.

What happens in an epoch, and hence how the parts add up [own]: a thread of each worker gathers, decodes and transfers
rows while the worker trains on earlier ones, and the selection actor observes meanwhile, so the slowest of the three
sets the pace. Rescoring and evaluation follow one after the other. A checkpoint is written while the next epoch is
trained, which waits only for the rest of a longer one; copying the state is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from .rate import Rate

FEED = ("gather", "decode", "transfer")
STAGES = ("storage", *FEED, "step", "training", "observe", "rescore", "evaluation", "checkpoint")
"""All stages, in the order in which a run meets them."""


@dataclass(frozen=True)
class Size:
    """How large the run is.

    Attributes:
        rows: of the data set, N.
        train: rows that train, also the draws of an epoch.
        validation: rows that are predicted at the end of each epoch.
        steps: of an epoch.
        epochs: of the run.
        workers: that train side by side.
        share: of each batch that the busiest worker computes.
    """

    rows: int
    train: int
    validation: int
    steps: int
    epochs: int
    workers: int
    share: float


@dataclass(frozen=True)
class Memory:
    """Bytes that the run needs and that there are; 0 where the cluster does not tell.

    Attributes:
        data: the prepared data in an object store.
        store: of the smallest object store of a node that may train.
        state: the selection state, or one of its ranges.
        head: for actors on the head node.
    """

    data: int
    store: int
    state: int
    head: int


@dataclass(frozen=True)
class Setting:
    """What advice has to know of the configuration and the cluster.

    Attributes:
        images: whether rows are images.
        decode_threads: that decode them in a worker.
        method: of selection.
        splits: whether the method's state can be split by rows.
        can_split: whether ``selector.ranges`` and a float16 history are there for the method and not used yet.
        gpu: whether workers train on GPUs.
        idle_gpus: GPUs of the cluster that the run does not use.
        precision: of training.
        threads: of a worker's arithmetic.
        checkpoint_steps: of the run.
        machine: what the numbers were measured on, in words.
    """

    images: bool
    decode_threads: int
    method: str
    splits: bool
    can_split: bool
    gpu: bool
    idle_gpus: int
    precision: str
    threads: int
    checkpoint_steps: int
    machine: str


@dataclass(frozen=True)
class Findings:
    """All that was measured, and the epoch that follows from it.

    Attributes:
        rates: by stage; ``training`` is feed and step together, as a run has them.
        size, memory, setting: see there.
    """

    rates: Mapping[str, Rate]
    size: Size
    memory: Memory
    setting: Setting

    def seconds(self, stage: str) -> float:
        """Seconds that a stage takes in an epoch (``storage``: in a run), if nothing else happens."""
        return self.rates[stage].seconds_for(self._rows(stage))

    def _rows(self, stage: str) -> float:
        size = self.size
        if stage == "storage":
            return size.rows
        if stage in ("observe", "rescore"):  # one actor for all workers
            return size.train
        if stage == "checkpoint":
            every = self.setting.checkpoint_steps
            return size.train * (1 + ((size.steps - 1) // every if every else 0))
        if stage == "evaluation":
            return size.validation / size.workers
        return size.train * size.share

    @cached_property
    def feed_s(self) -> float:
        """Seconds of an epoch that the feed's thread works."""
        return sum(self.seconds(stage) for stage in FEED if stage in self.rates)

    @cached_property
    def parts(self) -> dict[str, float]:
        """Seconds of an epoch by what happens one after the other; the first is named by the stage that bounds it.

        Of ``checkpoint`` it is what all others leave over, for it is written beside them. The first is ``feed``,
        ``step`` or ``observe``, or ``cores`` where feed and steps together are much slower than the slower of them
        alone, which happens when they share a core.
        """
        alone = {"feed": self.feed_s, "step": self.seconds("step"), "observe": self.seconds("observe")}
        slowest, together = max(alone, key=lambda name: alone[name]), self.seconds("training")
        if together > _SHARED * alone[slowest]:
            slowest = "cores"
        parts = {slowest: max(together, alone["observe"])}
        parts |= {stage: self.seconds(stage) for stage in ("rescore", "evaluation")}
        return {**parts, "checkpoint": max(0.0, self.seconds("checkpoint") - sum(parts.values()))}

    @property
    def epoch_s(self) -> float:
        """Seconds of an epoch."""
        return sum(self.parts.values())

    @property
    def bound(self) -> str:
        """What takes most of an epoch: ``feed``, ``step``, ``observe``, ``cores``, or a stage that follows."""
        return max(self.parts, key=lambda name: self.parts[name])

    def share(self, *parts: str) -> float:
        """Share of an epoch that these parts take."""
        return sum(self.parts.get(part, 0.0) for part in parts) / max(self.epoch_s, 1e-9)


_SHARED = 1.4
"""Feed and steps share cores when together they take so many times the slower of them alone [own]."""
