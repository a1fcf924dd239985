"""Spaces whose knobs are the settings themselves, shares of the run among them."""

from collections.abc import Mapping
from typing import Any

from .api import Space


class PlainSpace(Space):
    """Every knob is the setting of the same name."""

    def settings(self, point: Mapping[str, Any], epochs: int) -> dict[str, Any]:
        """Return the method's settings at a point."""
        self.check(point)
        return dict(point)
