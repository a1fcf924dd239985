"""What may change when a run goes on, and what may not: everything else would make it another run."""

from collections.abc import Sequence
from typing import Any

from ..common.config.config import Config
from ..common.errors import ConfigError

MAY_CHANGE = ("train.epochs", "run.workers", "run.keep_checkpoints")
"""Keys that decide how long a run goes on, on what, and what it keeps."""


def changed(config: Config, overrides: Sequence[str], finished_epochs: int) -> Config:
    """Return a run's configuration with overrides that may change it.

    Args:
        config: what the run was made with.
        overrides: ``section.key=value`` strings.
        finished_epochs: of the run so far.

    Raises:
        ConfigError: for any other change, with the list of what may change; or for fewer epochs than are done.
    """
    wanted = config.with_overrides(overrides)
    before, after = _flat(config.model_dump()), _flat(wanted.model_dump())
    fixed = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    fixed = [key for key in fixed if key not in MAY_CHANGE]
    if fixed:
        raise ConfigError(
            f"{', '.join(fixed)}: cannot change when a run goes on, its results would be of neither setting; may "
            f"change: {', '.join(MAY_CHANGE)}. Start a new run for everything else"
        )
    if wanted.train.epochs < finished_epochs:
        raise ConfigError(f"train.epochs={wanted.train.epochs}: the run has finished {finished_epochs} epochs already")
    return wanted


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested sections as one mapping with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
