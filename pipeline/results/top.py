"""How many entries a list shows."""

from ..common.errors import ConfigError


def require_top(top: int) -> None:
    """Raise ConfigError for a length of a list below 1."""
    if top < 1:
        raise ConfigError(f"--top must be at least 1, got {top}")
