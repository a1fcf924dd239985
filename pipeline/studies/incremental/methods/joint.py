"""Joint training: after each task a new network on all rows and labels so far. The ceiling, not a rival."""

from typing import Any, ClassVar

from .api import Method


class Joint(Method):
    """Each task trains a new network on all rows and labels of all tasks so far."""

    name: ClassVar[str] = "joint"
    continues: ClassVar[bool] = False
    sees_all: ClassVar[bool] = True

    def settings(self, past: str | None) -> dict[str, Any]:
        """Return nothing: the run is trained as the sequence says."""
        return {}
