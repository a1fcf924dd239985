"""Pseudo-labels: the network of the task before says which old classes the rows of a new task show.

Source: Dong et al. 2023, "Knowledge Restore and Transfer for Multi-label Class-Incremental Learning" [paper], whose
other half, an attention layer that grows, is not here. How predictions become labels is [own], see ``relabelling.py``.
"""

from typing import Any, ClassVar

from .api import Method, Replay


class PseudoLabels(Method):
    """Each task trains on its rows with the old labels that the task before predicts, and on exemplars if there are."""

    name: ClassVar[str] = "pseudo-labels"
    replay: ClassVar[Replay] = "possible"
    labels_rows: ClassVar[bool] = True

    def settings(self, past: str | None) -> dict[str, Any]:
        """Return nothing: the run is trained as the sequence says."""
        return {}
