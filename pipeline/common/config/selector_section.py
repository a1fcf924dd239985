"""The section of the selection: the method, its options and presets, and the policy for entries."""

from typing import Any, Self

from pydantic import Field, model_validator

from ....selectors.common.errors import SelectionError
from ..errors import did_you_mean
from .section import LocalPath, Place, PositiveInt, Section

PRESETS = ("recommended", "paper")
"""Names under which methods have settings."""


class EntriesSection(Section):
    """Which policy decides what labels to believe, and its own options (see docs/missing-labels.md)."""

    policy: str
    options: dict[str, Any] = Field(default={})


class SelectorSection(Section):
    """Which selection method and its own options.

    ``preset``: where options that are not given are from, for methods with presets (``d2ace``): ``recommended``, or
    ``paper`` for those of its paper.
    ``entries``: a policy that leaves out or corrects entries whose label seems missing or wrong; null believes all.
    ``neighbour_features``: what methods with neighbours look for them in. ``inputs`` are the scaled features of a
    table, or coarse thumbnails of images; ``embeddings`` what the model makes of the rows at the end of the warm-up;
    else the path of a ``.npy`` file with one line for each row of the data set.
    ``allow_uniform``: train also when the method would choose no batch, since the run ends before its warm-up.
    ``inherit``: a file with what earlier runs saw of some rows, which goes on here (``selection/inherited.py``); a
    sequence of tasks writes one for the exemplars that come again.
    ``ranges``: split the state by rows over that many actors, on several nodes, for methods that can; the plans are
    the same.
    """

    name: str = "d2ace"
    preset: str = "recommended"
    options: dict[str, Any] = Field(default={})
    neighbour_features: LocalPath = "inputs"
    allow_uniform: bool = False
    ranges: PositiveInt = 1
    entries: EntriesSection | None = None
    inherit: Place | None = None

    @model_validator(mode="after")
    def _preset_is_there(self) -> Self:
        if self.preset not in PRESETS:
            raise ValueError(f"no preset is called {self.preset!r}{did_you_mean(self.preset, PRESETS)}")
        return self

    @property
    def settings(self) -> dict[str, Any]:
        """The method's options, and those of the preset where they are not given."""
        from ....selectors import api as selectors

        return selectors.settings(self.name, self.preset, self.options)

    def require_known(self) -> None:
        """Raise ValueError for a method, a policy or a setting that does not exist.

        No validator of the section itself: the methods bring NumPy and SciPy, and problems elsewhere are told without.
        """
        from ....selectors import api as selectors
        from ....selectors.entries import api as policies

        try:
            selectors.REGISTRY.check_settings(self.name, self.options, selectors.options(self.name))
            if self.entries is not None:
                policies.check_options(self.entries.policy, self.entries.options)
        except SelectionError as error:
            raise ValueError(str(error)) from None
        if self.ranges > 1 and selectors.get(self.name).split is None:
            raise ValueError(f"the state of method {self.name!r} cannot be split into ranges")
