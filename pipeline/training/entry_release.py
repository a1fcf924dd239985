"""When a run's policy for entries begins, in epochs of the run; one that comes too late is refused."""

import numpy as np

from ...selectors.common.errors import SelectionError
from ...selectors.common.label_matrix import LabelMatrix
from ...selectors.entries import api as policies
from ...selectors.entries.judging import ramp_of
from ...selectors.plans.schedules import in_epochs
from ..common.config.config import Config
from ..common.errors import ConfigError

_LABELS = LabelMatrix.of(np.zeros((1, 1), np.float32))


def release_of(config: Config, epochs: int) -> int | None:
    """Return the epoch, from 0, that is the first one trained with flags in a run of so many; None without a policy."""
    entries = config.selector.entries
    setting = None if entries is None else policies.options(entries.policy).get("release")
    if entries is None or setting is None:
        return None
    return max(in_epochs("release", entries.options.get("release", setting.default), epochs), 1)


def ramp_from(config: Config, epochs: int) -> int | None:
    """Return over how many epochs flags grow to their number in a run of so many; None for a policy without a ramp."""
    entries, release = config.selector.entries, release_of(config, epochs)
    setting = None if entries is None else policies.options(entries.policy).get("ramp")
    if entries is None or setting is None or release is None:
        return None
    return ramp_of(entries.options.get("ramp", setting.default), release, epochs)


def epochs_until_settled(config: Config) -> int:
    """Return how many epochs a run has trained when the first of them had all flags of its policy; 0 without one."""
    epochs = config.train.epochs
    release = release_of(config, epochs)
    return 0 if release is None else release + (ramp_from(config, epochs) or 1)


def require_flags(config: Config) -> None:
    """Raise ConfigError when no epoch of the run could have all flags of its policy for entries, or its options fail.

    The best epoch would be one before all flags. In a run of one epoch nothing can be judged: that needs no permission.
    """
    entries, epochs = config.selector.entries, config.train.epochs
    if entries is None:
        return
    try:
        policies.create(entries.policy, _LABELS, epochs=epochs, **entries.options)
    except SelectionError as error:
        raise ConfigError(f"selector.entries.options of {entries.policy!r}: {error}") from None
    release, until = release_of(config, epochs) or 0, epochs_until_settled(config)
    if until <= epochs or epochs == 1:
        return
    told = f"its flags begin after {release} epochs (release)"
    if release < epochs:
        told += f" and grow over {ramp_from(config, epochs)} (ramp)"
    raise ConfigError(
        f"selector.entries: policy {entries.policy!r} would take no full effect in this run of {epochs} epochs: "
        f"{told}, so the first epoch with all of them would be epoch {until}, and the run would keep weights from "
        f"before. Raise train.epochs to at least {until}, or choose a smaller release or ramp in "
        "selector.entries.options"
    )
