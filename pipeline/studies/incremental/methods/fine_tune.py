"""Fine-tuning: each task trains on its own rows and labels alone. What every method must beat."""

from typing import Any, ClassVar

from .api import Method


class FineTune(Method):
    """Each task goes on from the weights of the one before, on its own rows and labels alone."""

    name: ClassVar[str] = "fine-tune"

    def settings(self, past: str | None) -> dict[str, Any]:
        """Return nothing: the run is trained as the sequence says."""
        return {}
