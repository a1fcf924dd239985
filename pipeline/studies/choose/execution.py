"""``choose``: from a configuration to the method that is better beyond chance, or to uniform."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import numpy as np

from ....selectors.common.randomness import generator
from ...common.config.config import Config
from ...common.errors import ConfigError, RunError
from ...common.storage.any_path import AnyPath, address_of, is_there, make_folder, place_of, replacing
from ...common.storage.begun import begun
from ...common.storage.bucket_lock import lock_of
from ...common.storage.locations import Location
from ...data.manifest import Manifest
from ...data.shards import read_labels
from ...feeds.shard_rows import ShardRows
from ...training.checks import check, check_data, with_absolute_paths
from ...training.idle_neighbours import without_idle_embeddings
from ...training.local_run import Prepared
from ...training.metrics import HIGHER_IS_BETTER, evaluate_predictions
from ...training.optim import require_momentum
from ...training.threads import torch_threads
from .arms import Arms, ArmState, arm_configs
from .candidates import UNIFORM, Candidate, candidates_of, uniform_config
from .decision import Decision, Evidence, decide
from .outcome import CHOSEN, Arm, Choice, require_same_question
from .schedule import BUDGET, REPEATS, Schedule, make_schedule

_GROUPS = 20
"""Groups of validation rows that the jackknife leaves out in turn."""


def choose(
    config: Config | str | Path,
    out: "str | AnyPath",
    *,
    methods: Sequence[str] = (),
    budget: float = BUDGET,
    repeats: int = REPEATS,
    quiet: bool = False,
) -> Choice:
    """Choose the selection method for a configuration and its data; a choice that was killed goes on where it was.

    ``out`` then holds ``chosen.yaml``, which ``d2ace train`` takes. Everything is trained in this process.

    Args:
        config: of the run that the choice is for, or its YAML file; its own method is a candidate.
        out: folder of the choice, a path or an address of a bucket.
        methods: candidates, ``NAME`` or ``NAME:key=value,...``; without any, one of each kind.
        budget: what all may cost, in epochs of such runs.
        repeats: runs with uniform batches, whose differences show what chance does; at least 2.
        quiet: say nothing while it works.

    Raises:
        ConfigError, DataError: before anything is trained, when a candidate could not work; in the shared part, when
            what it saw makes it select already.
        RunError: when another process writes ``out``, or it belongs to another choice.
    """
    base = with_absolute_paths(config if isinstance(config, Config) else Config.load(config))
    folder = place_of(out)
    offered = candidates_of(methods, base)
    schedule = make_schedule(base.train.epochs, len(offered), budget, repeats)
    taking_part = offered[: schedule.candidates]
    manifest = _checked(base, taking_part, schedule)
    new = not is_there(folder)
    make_folder(folder)
    again = f"d2ace choose CONFIG {address_of(folder)}, as before"
    with lock_of(folder, "choice"):
        require_same_question(folder, base, taking_part, schedule)
        refused: list[ConfigError] = []
        with begun(folder, lambda: not new or (not refused and is_there(folder / "shared")), again):
            prepared = Prepared(ShardRows(manifest), read_labels(manifest))
            try:
                arms = Arms(base, prepared, folder, schedule.shared, _silent if quiet else _say)
                with torch_threads(base.run.threads):
                    choice = _train(arms, base, taking_part, schedule, budget, offered[schedule.candidates :])
            except ConfigError as error:  # the same command would end so again: nothing to go on from
                refused.append(error)
                raise
            configs = {UNIFORM: uniform_config(base), **arm_configs(taking_part, base, schedule.shared)}
            _write(folder, configs[choice.chosen], choice)
    return choice


def _say(line: str) -> None:
    print(line, flush=True)


def _silent(_: str) -> None:
    pass


def _checked(base: Config, candidates: Sequence[Candidate], schedule: Schedule) -> Manifest:
    """Return the manifest of the data, when the run and all candidates' runs can work."""
    for key, given in (("entries", base.selector.entries), ("inherit", base.selector.inherit)):
        if given is not None:
            raise ConfigError(f"selector.{key}: choose compares methods of drawing rows; leave it out")
    if base.train.patience:
        raise ConfigError("train.patience: arms are compared epoch by epoch and train all of them; leave it out")
    require_momentum(base)
    manifest = Manifest.load(base.data.path)
    for config in (uniform_config(base), *arm_configs(candidates, base, schedule.shared).values()):
        check(without_idle_embeddings(config))  # what choose says of embeddings comes later
        check_data(config, manifest)
    return manifest


def _train(
    arms: Arms,
    base: Config,
    candidates: Sequence[Candidate],
    schedule: Schedule,
    budget: float,
    left_out: Sequence[Candidate],
) -> Choice:
    """Train everything in the order of the schedule, and decide."""
    monitor, configs = base.train.monitor, arm_configs(candidates, base, schedule.shared)
    shared = arms.train_shared(configs)
    numbers = {candidate.name: schedule.repeats + place for place, candidate in enumerate(candidates)}
    trained: dict[str, ArmState] = {}
    alive = [candidate.name for candidate in candidates]
    for end in schedule.round_ends():
        for name in alive:
            trained[name] = arms.train(name, configs[name], numbers[name], end)
        alive = _better_half(alive, trained, monitor)
    uniform = {f"{UNIFORM} {number + 1}": number for number in range(schedule.repeats)}
    for name, number in uniform.items():
        trained[name] = arms.train(name, uniform_config(base), number, schedule.epochs)
    (finalist,) = alive
    trained[finalist] = arms.train(finalist, configs[finalist], numbers[finalist], schedule.epochs)
    decision = _decide(trained[finalist], [trained[name] for name in uniform], base, schedule)
    told = [_arm(name, uniform_config(base), trained[name], base, schedule) for name in uniform]
    told += [_arm(name, configs[name], trained[name], base, schedule) for name in configs]
    return Choice(
        chosen=finalist if decision.better else UNIFORM,
        finalist=finalist,
        monitor=monitor,
        rows=len(shared.labels),
        data=Location.of(base.data.path).resolved().name,
        schedule=schedule,
        left_out=tuple(candidate.name for candidate in left_out),
        arms=tuple(told),
        decision=decision,
        budget=budget,
        shared_s=_seconds(shared, 0),
    )


def _better_half(alive: Sequence[str], trained: dict[str, ArmState], monitor: str) -> list[str]:
    """Return who goes on after a round: the better half, rounded up; of equals the first."""
    sign = 1 if HIGHER_IS_BETTER[monitor] else -1
    ranked = sorted(alive, key=lambda name: -sign * trained[name].value(monitor))
    return ranked[: ceil(len(ranked) / 2)]


def _decide(finalist: ArmState, uniform: Sequence[ArmState], base: Config, schedule: Schedule) -> Decision:
    """Let the guard judge the finalist's best epoch against those of the repeats."""
    monitor, sign = base.train.monitor, 1 if HIGHER_IS_BETTER[base.train.monitor] else -1
    rows = len(finalist.labels)
    count = min(_GROUPS, rows)
    group = generator(base.run.seed, "groups of validation rows").permutation(rows) % count
    without = np.array([sign * _gain(finalist, uniform, base, group != number) for number in range(count)])
    values = np.array([sign * state.value(monitor) for state in uniform])
    parted = np.array([sign * state.value_since(monitor, schedule.shared) for state in uniform])
    if not np.isfinite([finalist.value(monitor), *values, *parted, *without]).all():
        told = f"validation {monitor} is not a number for some arm or some part of the {rows} validation rows"
        raise RunError(f"{told}; choose another train.monitor, or more rows by data.validation_fraction")
    return decide(Evidence(values, parted, sign * finalist.value(monitor), schedule.candidates, without))


def _gain(finalist: ArmState, uniform: Sequence[ArmState], base: Config, rows: np.ndarray) -> float:
    """Return the finalist's metric on some validation rows minus the mean of the repeats'."""
    values = [
        evaluate_predictions(state.probabilities[rows], state.labels[rows], base.train.threshold)[base.train.monitor]
        for state in (finalist, *uniform)
    ]
    return values[0] - float(np.mean(values[1:]))


def _arm(name: str, config: Config, state: ArmState, base: Config, schedule: Schedule) -> Arm:
    monitor = base.train.monitor
    return Arm(
        name=name,
        method=config.selector.name,
        options=config.selector.options,
        value=state.value(monitor),
        best_epoch=state.best_epoch,
        epochs=len(state.history),
        curve=[float(record[monitor]) for record in state.history],
        seconds=_seconds(state, schedule.shared),
    )


def _seconds(state: ArmState, first: int) -> float:
    return float(sum(record["seconds"] for record in state.history[first:]))


def _write(folder: AnyPath, chosen: Config, choice: Choice) -> None:
    """Write the outcome and the configuration that follows from it."""
    with replacing(folder / CHOSEN) as temporary:
        chosen.save(temporary)
    choice.write(folder)
