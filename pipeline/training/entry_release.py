"""When a run's policy for entries begins, in epochs of the run."""

from ...selectors.entries import api as policies
from ...selectors.plans.schedules import in_epochs
from ..common.config.config import Config


def release_of(config: Config, epochs: int) -> int | None:
    """Return the epoch, from 0, that is the first one trained with flags in a run of so many; None without a policy."""
    entries = config.selector.entries
    setting = None if entries is None else policies.options(entries.policy).get("release")
    if entries is None or setting is None:
        return None
    return max(in_epochs("release", entries.options.get("release", setting.default), epochs), 1)


def epochs_until_settled(config: Config) -> int:
    """Return how many epochs a run has trained when the first of them had all flags of its policy; 0 without one."""
    release, entries = release_of(config, config.train.epochs), config.selector.entries
    if release is None or entries is None:
        return 0
    ramp = policies.options(entries.policy).get("ramp")
    return release + (1 if ramp is None else int(entries.options.get("ramp", ramp.default)))
