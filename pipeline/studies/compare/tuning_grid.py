"""``tuning:`` of a study: which settings are tried for every arm, and by which runs."""

import json
from collections.abc import Iterator, Mapping
from itertools import product
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from ...common.config.section import Different, Fraction, NonNegativeInt, Section

Settings = Mapping[str, Any]
"""Values by the dotted keys of a configuration, such as ``optimizer.lr``."""
NOTHING: Settings = MappingProxyType({})
RATE, DECAY, DROPOUT = "optimizer.lr", "optimizer.weight_decay", "model.options.dropout"
_DROPOUTS = (0.0, 0.3)
_DECAYS, _DECOUPLED_DECAYS = (1e-4, 1e-2), (1e-2, 1.0)
_MANY_RATES = 5
_Values = Field(min_length=1)


class Chosen(NamedTuple):
    """What tuning chose for an arm.

    Attributes:
        settings: that all its runs are trained with.
        runs: that tried settings, for this arm.
        validation: mean over the tuning seeds of the best validation value with these settings.
        at_end: keys whose chosen value is the smallest or largest of three or more: a wider range may be better.
    """

    settings: Settings
    runs: int
    validation: float
    at_end: tuple[str, ...]

    def as_json(self) -> str:
        """Return it as the table keeps it."""
        return json.dumps(self._asdict(), sort_keys=True)


class StudyTuning(Section):
    """What is tried: every learning rate with every weight decay and every dropout, the same for all arms.

    ``weight_decays``: null tries 0.0001 and 0.01; for ``adamw``, whose decay is no part of the gradient, 0.01 and 1
    [own; ``docs/what-did-not-work.md``]. ``dropouts``: null tries 0 and 0.3 where the network has dropout. ``seeds``:
    of the runs that try; no seeds of the study. Each makes folds of its own, of which the first is used.
    """

    rates: Annotated[tuple[Annotated[float, Field(gt=0)], ...], _Values, Different] = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
    weight_decays: Annotated[tuple[Annotated[float, Field(ge=0)], ...], _Values, Different] | None = None
    dropouts: Annotated[tuple[Fraction, ...], _Values, Different] | None = None
    seeds: Annotated[tuple[NonNegativeInt, ...], _Values, Different] = (1000,)

    @property
    def advice(self) -> str:
        """What to try instead where few rates are tried; "" else."""
        if len(self.rates) >= _MANY_RATES:
            return ""
        few = f"tuning tries {len(self.rates)} learning rate{'s' * (len(self.rates) > 1)}"
        return f"{few}: where the best of them lies may decide what is compared, so try {_MANY_RATES} or more"

    def grid(self, has_dropout: bool, optimizer: str) -> dict[str, tuple[float, ...]]:
        """Return the values that are tried, by dotted key.

        Args:
            has_dropout: whether the network has a setting ``dropout``.
            optimizer: its name.
        """
        decays = self.weight_decays or (_DECOUPLED_DECAYS if optimizer == "adamw" else _DECAYS)
        dropouts = self.dropouts or (_DROPOUTS if has_dropout else ())
        grid = {RATE: self.rates, DECAY: decays, DROPOUT: dropouts}
        return {key: values for key, values in grid.items() if values}


def combinations(grid: Mapping[str, tuple[float, ...]]) -> Iterator[dict[str, float]]:
    """Yield every combination of a grid's values by dotted key, the last key changing fastest."""
    for values in product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def settings_at(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by dotted keys as nested sections."""
    nested: dict[str, Any] = {}
    for key, value in settings.items():
        *parents, last = key.split(".")
        node = nested
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    return nested
