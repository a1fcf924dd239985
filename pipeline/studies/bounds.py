"""What a study may take now: how many runs at a time and in all, and for how long."""

from ..common.errors import ConfigError


def require_bounds(*, parallel: int | None = None, limit: int | None = None, minutes: float | None = None) -> None:
    """Raise ConfigError for fewer than one run at a time or in all, or for minutes that are below 0 or not a number."""
    for name, value in (("parallel", parallel), ("limit", limit)):
        if value is not None and value < 1:
            raise ConfigError(f"{name}: expected at least 1, got {value}")
    if minutes is not None and not minutes >= 0:
        raise ConfigError(f"minutes: expected 0 or more, got {minutes:g}")
