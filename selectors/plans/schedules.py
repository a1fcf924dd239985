"""What changes with the epochs of a run: warm-up, selection pressure, and the shares of a mixture of two branches.

A setting that says when something happens is a whole number of epochs, or a share of the run: a float above 0 and
below 1. So ``warmup=10`` is ten epochs of any run, and ``warmup=0.1`` a tenth of it. Shares keep their order whatever
the length of the run: a warm-up takes at least one epoch and leaves at least one, a stage begins after the warm-up
and ends after it begins. Epochs are taken as they are. [own]
"""

import warnings
from dataclasses import dataclass
from typing import Any

from ..common.errors import SelectionError
from ..common.settings import choice, number, whole

MIXTURES = ("schedule", "uncertainty", "hardness")
WARM_UP = 0.1
"""Default of all methods that have a warm-up in which their scores are learnt first: a tenth of the run [own]."""

When = int | float
"""A number of epochs (int), or a share of the run (float above 0 and below 1)."""


def is_share(value: Any) -> bool:
    """Return whether a setting is a share of the run rather than a number of epochs."""
    return isinstance(value, float) and 0 < value < 1


def in_epochs(name: str, value: When, epochs: int) -> int:
    """Return a setting in epochs of a run of ``epochs``, shares rounded.

    Raises:
        SelectionError: unless it is a whole number of at least 0, or a share; 1.0 could be either and is refused.
    """
    if is_share(value):
        return round(value * epochs)
    if isinstance(value, float) and value == 1:
        raise SelectionError(f"{name}=1.0 has two readings: write 1 for one epoch; a share of the run is below 1")
    try:
        return whole(name, value)
    except SelectionError:
        raise SelectionError(
            f"{name} must be a whole number of epochs of at least 0, or a share of the run below 1, got {value!r}"
        ) from None


def share_of(share: float, epochs: int) -> int:
    """Return a share of a run in epochs, at least 1, and leaving one where the run has two."""
    return min(max(round(share * epochs), 1), max(epochs - 1, 1))


def warm_up(value: When, epochs: int) -> int:
    """Return the warm-up in epochs; warns when it lasts the whole run, raises SelectionError as ``in_epochs``."""
    warmup = share_of(value, epochs) if is_share(value) else in_epochs("warmup", value, epochs)
    if warmup >= epochs:
        warnings.warn(
            f"a warm-up of {warmup} is not shorter than the run of {epochs} epochs: no batch will be selected",
            stacklevel=3,
        )
    return warmup


def stage(
    name: str, start: When | None, end: When | None, *, warmup: int, epochs: int, until: float = 1.0
) -> tuple[int, int]:
    """Return the epochs at which a stage begins and ends.

    Args:
        name: the settings are ``name_start`` and ``name_end``.
        start: None: ``warmup``; a share begins no earlier than that.
        end: None: ``until``; a share, and None, end at least one epoch after the start.
        warmup: epochs of plain permutations.
        epochs: length of the run.
        until: share of the run at which the stage ends by default.

    Raises:
        SelectionError: for settings that are neither epochs nor shares, or a stage that ends before it begins.
    """
    begin = warmup if start is None else in_epochs(f"{name}_start", start, epochs)
    stop = round(until * epochs) if end is None else in_epochs(f"{name}_end", end, epochs)
    if is_share(start):
        begin = max(begin, warmup)
    if end is None or is_share(end):
        stop = max(stop, begin + 1)
    return begin, stop


def check_order(name: str, start: int, end: int) -> None:
    """Raise SelectionError unless a stage ends after it starts."""
    if end <= start:
        raise SelectionError(f"{name}_end ({end}) must be later than {name}_start ({start})")


@dataclass(frozen=True)
class PressureSchedule:
    """The selection pressure s_t: ``initial`` until epoch ``start``, then falling to 1 at epoch ``end``.

    Source: the law all methods share [released].

    Raises:
        SelectionError: if initial is below 1, or the stage does not end after it starts.
    """

    initial: float
    start: int
    end: int

    def __post_init__(self) -> None:
        number("pressure", self.initial, low=1.0)
        check_order("pressure", self.start, self.end)

    @classmethod
    def constant(cls, pressure: float, epochs: int) -> "PressureSchedule":
        """Return the schedule of a pressure that stays for the whole run."""
        return cls(pressure, epochs, epochs + 1)

    @classmethod
    def of(
        cls, initial: float, start: When | None, end: When | None, *, warmup: int, epochs: int
    ) -> "PressureSchedule":
        """Return the schedule of a method's settings; None: it starts after ``warmup`` and ends with the run."""
        return cls(initial, *stage("pressure", start, end, warmup=warmup, epochs=epochs))

    def at(self, epoch: int) -> float:
        """Return s_t, at least 1."""
        if epoch < self.start:
            return float(self.initial)
        return float(max(1.0, self.initial ** (1 - (epoch - self.start) / (self.end - self.start))))

    def selects_from(self, warmup: int, epochs: int) -> int | None:
        """Return the first epoch after the warm-up whose law has a pressure above 1, or None when none has.

        The law of an epoch takes the pressure of the epoch before.
        """
        return warmup if warmup < epochs and self.at(max(warmup - 1, 0)) > 1 else None


@dataclass(frozen=True)
class MixtureSchedule:
    """The share beta of the first branch: linear from ``initial`` at ``start`` to ``final`` at ``end``.

    Source: D2ACE [released].

    Raises:
        SelectionError: if a share is outside 0..1, or the stage does not end after it starts.
    """

    initial: float
    final: float
    start: int
    end: int

    def __post_init__(self) -> None:
        number("mixture_initial", self.initial, low=0.0, high=1.0)
        number("mixture_final", self.final, low=0.0, high=1.0)
        check_order("mixture", self.start, self.end)

    @classmethod
    def of(
        cls,
        mixture: str | float,
        initial: float,
        final: float,
        start: When | None,
        end: When | None,
        *,
        warmup: int,
        epochs: int,
    ) -> "MixtureSchedule":
        """Return the schedule of a method's settings: "schedule", or one share throughout.

        Args:
            mixture: "schedule", "uncertainty" (share 1), "hardness" (share 0), or a share; only the first uses the
                rest.
            initial: share up to ``start``.
            final: share from ``end`` on.
            start: epochs or share of the run; None: ``warmup``.
            end: epochs or share of the run; None: 70 % of the run, but after ``start``.
            warmup: epochs of plain permutations.
            epochs: length of the run.
        """
        if isinstance(mixture, str) and choice("mixture", mixture, MIXTURES) == "schedule":
            return cls(initial, final, *stage("mixture", start, end, warmup=warmup, epochs=epochs, until=0.7))
        share = {"uncertainty": 1.0, "hardness": 0.0}.get(str(mixture), mixture)
        share = number("mixture", share, low=0.0, high=1.0)
        return cls(share, share, 0, 1)

    def at(self, epoch: int) -> float:
        """Return beta_t."""
        done = min(max((epoch - self.start) / (self.end - self.start), 0.0), 1.0)
        return float(self.initial + (self.final - self.initial) * done)
