"""The knobs that a sweep adds to those of the method: their section, and which keys they may have."""

from typing import Any, Self

from pydantic import model_validator

from ....tune_spaces.knobs import Choice, Knob, Real, Whole
from ...common.config.config import Config
from ...common.config.section import Section
from ...common.errors import ConfigError, did_you_mean


class KnobSection(Section):
    """A further dimension: a list of values in ``choice``, or a range; ``whole`` numbers, evenly in the ``log``."""

    choice: list[Any] | None = None
    low: float | None = None
    high: float | None = None
    log: bool = False
    whole: bool = False

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.choice is None) == (self.low is None or self.high is None):
            raise ValueError("expected either 'choice' or both 'low' and 'high'")
        self.knob()
        return self

    def knob(self) -> Knob:
        """Return the knob; raises ValueError for an empty choice or an empty range."""
        if self.choice is not None:
            return Choice(self.choice)
        assert self.low is not None and self.high is not None
        if self.whole:
            return Whole(int(self.low), int(self.high), self.log)
        return Real(self.low, self.high, self.log)


def refuse_fixed(key: str) -> None:
    """Raise ValueError for a key that is the same in all trials, or is searched in the method's space."""
    if "." not in key or key.split(".")[0] in ("data", "run", "selector") or key == "train.epochs":
        raise ValueError(
            f"knobs: {key!r} cannot be searched; expected a key of optimizer, train or model such as "
            "'optimizer.lr' (settings of the method come from its space; all trials have the same epochs)"
        )


def check_key(key: str, source: str) -> None:
    """Raise ConfigError unless a dotted key is one of the configuration's."""
    section: Any = Config
    for part in key.split("."):
        known = list(getattr(section, "model_fields", {}))
        if not known:  # the options of a network, which it checks itself
            return
        if part not in known:
            raise ConfigError(f"{source}: knobs: unknown key {key!r}{did_you_mean(part, known)}")
        section = section.model_fields[part].annotation


def nested(key: str, value: Any) -> dict[str, Any]:
    """Return the value of a dotted key as a configuration holds it."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return value
