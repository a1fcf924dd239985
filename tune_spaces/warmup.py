"""Spaces whose only schedule is the warm-up: everything else is the setting it is."""

from collections.abc import Mapping
from typing import Any

from .api import Space
from .stages import warm_up


class WarmUpSpace(Space):
    """``warmup`` is a share of the epochs, a twentieth unless a point says otherwise."""

    def settings(self, point: Mapping[str, Any], epochs: int) -> dict[str, Any]:
        """Return the method's settings at a point."""
        self.check(point)
        return {**point, "warmup": warm_up(point.get("warmup", 0.05), epochs)}
