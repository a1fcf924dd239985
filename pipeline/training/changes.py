"""What may change when a run goes on, and what may not: everything else would make it another run."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..common.config.config import Config
from ..common.errors import ConfigError, RunError
from ..common.storage.json_files import as_json
from ..runs.checkpoint_record import versions
from ..runs.checkpoints import CheckpointStore
from ..runs.run_folder import RunFolder
from .entry_release import ramp_from, release_of
from .selector_setup import warmup_of

MAY_CHANGE = (
    "data.cache_gb",
    "train.epochs",
    "train.patience",
    "selector.ranges",
    "run.workers",
    "run.min_workers",
    "run.cpus_per_worker",
    "run.worker_labels",
    "run.data_labels",
    "run.wait_for_nodes_s",
    "run.wait_limit_s",
    "run.feed",
    "run.max_failures",
    "run.checkpoint_steps",
    "run.keep_checkpoints",
    "run.trackers",
)
"""Keys, or sections, that decide how long a run goes on, on what, and what it keeps."""


def changed(config: Config, overrides: Sequence[str], finished_epochs: int) -> Config:
    """Return a run's configuration with overrides that may change it.

    Args:
        config: what the run was made with.
        overrides: ``section.key=value`` strings. With other ``train.epochs``, a policy for entries keeps the epoch in
            which it begins, and its ramp.
        finished_epochs: of the run so far.

    Raises:
        ConfigError: for any other change, with the list of what may change; or for fewer epochs than are done.
    """
    wanted = config.with_overrides(overrides)
    before, after = _flat(config.model_dump()), _flat(wanted.model_dump())
    fixed = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    fixed = [key for key in fixed if not may_change(key)]
    if fixed:
        raise ConfigError(
            f"{', '.join(fixed)}: cannot change when a run goes on, its results would be of neither setting; may "
            f"change: {', '.join(MAY_CHANGE)}. Start a new run for everything else"
        )
    if wanted.train.epochs < finished_epochs:
        raise ConfigError(f"train.epochs={wanted.train.epochs}: the run has finished {finished_epochs} epochs already")
    if wanted.selector.neighbour_features == "embeddings" and warmup_of(wanted) <= finished_epochs < warmup_of(config):
        raise ConfigError(
            f"train.epochs={wanted.train.epochs}: the warm-up would take {warmup_of(wanted)} epochs, after which "
            f"neighbours are looked for in embeddings; the run has finished {finished_epochs}, and has none yet"
        )
    return wanted if wanted.train.epochs == config.train.epochs else _with_release(wanted, config.train.epochs)


def _with_release(config: Config, epochs: int) -> Config:
    """Return a configuration whose policy for entries begins, and has all flags, as it does in a run of ``epochs``.

    Of another number of epochs a share would be another epoch: flags would stop again, or validation rows that count
    wrong labels be asked for after their epoch. A ramp that was cut short would be whole, and flags be taken back.
    """
    entries, release = config.selector.entries, release_of(config, epochs)
    if entries is None or release is None:
        return config
    ramp = ramp_from(config, epochs)
    when = {"release": release} if ramp is None else {"release": release, "ramp": ramp}
    pinned = entries.model_copy(update={"options": {**entries.options, **when}})
    return config.model_copy(update={"selector": config.selector.model_copy(update={"entries": pinned})})


def require_same_run(folder: RunFolder, config: Config, tell: Callable[[str], None]) -> None:
    """Compare what a run is to go on with with what its newest checkpoint was trained with.

    Args:
        folder: of the run; without a checkpoint, or with one of an older version, there is nothing to compare.
        config: what it is to go on with.
        tell: takes a line on versions that differ.

    Raises:
        ConfigError: when settings differ that may not change, with a list of them.
        RunError: when the checkpoint is one of other data.
    """
    record = _newest_record(folder)
    if record is None:
        return
    differing = _differences(record["config"], config)
    differing.pop("data.path", None)  # data may move; its content is compared
    fixed = [line for key, line in differing.items() if not may_change(key)]
    if fixed:
        raise ConfigError(
            f"{folder.config}: not what the run was trained with so far: {'; '.join(fixed)}. Its results would be of "
            f"neither setting: put it back, or start a new run. May change: {', '.join(MAY_CHANGE)}"
        )
    data = folder.data.load()
    if data is not None and data.fingerprint != record["data"]:
        raise RunError(f"{folder.checkpoints}: the newest checkpoint was trained on other data than {folder.path}")
    now = versions()
    others = [f"{name} {old} (now {now.get(name)})" for name, old in record["versions"].items() if now.get(name) != old]
    if others:
        tell(f"the run was trained so far with {', '.join(others)}: its numbers may differ from an unbroken run's")


def may_change(key: str) -> bool:
    """Return whether a dotted key, or the section it lies in, is one that may change."""
    return any(key == each or key.startswith(f"{each}.") for each in MAY_CHANGE)


def _newest_record(folder: RunFolder) -> dict[str, Any] | None:
    """Return the record of the newest checkpoint whose record can be read; of damage the run itself tells."""
    for checkpoint in reversed(CheckpointStore(folder.checkpoints).complete()):
        try:
            return checkpoint.record()
        except RunError:
            continue
    return None


def _differences(recorded: Mapping[str, Any], config: Config) -> dict[str, str]:
    """Return "key: now, was before" of all settings that differ, by dotted key; settings added since have defaults."""
    both = Config.make(recorded, "the checkpoint's configuration"), config
    before, now = (_flat(_plain(_with_release(each, each.train.epochs))) for each in both)
    absent = "nothing"
    return {
        key: f"{key} is {now.get(key, absent)}, was {before.get(key, absent)}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key, absent) != now.get(key, absent)
    }


def _plain(config: Config) -> dict[str, Any]:
    """Return the values as they come back from JSON, where a number that is not finite is null."""
    return json.loads(as_json(config.model_dump(mode="json")))


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested sections as one mapping with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
