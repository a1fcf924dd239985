"""What a study may take now: how many runs at a time and in all, and for how long."""

from ..common.errors import ConfigError


def require_bounds(*, parallel: int | None = None, limit: int | None = None, minutes: float | None = None) -> None:
    """Raise ConfigError for no run at a time, or for a limit or minutes that are below 0 or not a number."""
    if parallel is not None and parallel < 1:
        raise ConfigError(f"parallel: expected at least 1, got {parallel}")
    for name, value in (("limit", limit), ("minutes", minutes)):
        if value is not None and not value >= 0:
            raise ConfigError(f"{name}: expected 0 or more, got {value:g}")
