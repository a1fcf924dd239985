"""Experience replay: the exemplars are rows like all others.

Source: Chaudhry et al. 2019, "On Tiny Episodic Memories in Continual Learning" [paper]; an exemplar has the labels that
its own task showed, all others are unknown and masked [own].
"""

from typing import Any, ClassVar

from .api import Method, Replay


class ER(Method):
    """Each task trains on its own rows and on the exemplars, with the labels that their tasks showed."""

    name: ClassVar[str] = "er"
    replay: ClassVar[Replay] = "needed"

    def settings(self, past: str | None) -> dict[str, Any]:
        """Return nothing: the run is trained as the sequence says."""
        return {}
