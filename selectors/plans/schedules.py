"""What changes with the epochs of a run: the selection pressure, and the shares of a mixture of two branches."""

from dataclasses import dataclass

from ..common.settings import choice, number, stage, whole

MIXTURES = ("schedule", "uncertainty", "hardness")


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
        stage("pressure", self.start, self.end)

    def at(self, epoch: int) -> float:
        """Return s_t, at least 1."""
        if epoch < self.start:
            return float(self.initial)
        return float(max(1.0, self.initial ** (1 - (epoch - self.start) / (self.end - self.start))))


def pressure_schedule(
    initial: float, start: int | None, end: int | None, *, warmup: int, epochs: int
) -> PressureSchedule:
    """Return the schedule of a method's settings; None: it starts after ``warmup`` and ends with the run."""
    begin = warmup if start is None else whole("pressure_start", start)
    stop = max(epochs, begin + 1) if end is None else whole("pressure_end", end)
    return PressureSchedule(initial, begin, stop)


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
        stage("mixture", self.start, self.end)

    def at(self, epoch: int) -> float:
        """Return beta_t."""
        done = min(max((epoch - self.start) / (self.end - self.start), 0.0), 1.0)
        return float(self.initial + (self.final - self.initial) * done)


def mixture_schedule(
    mixture: str | float,
    initial: float,
    final: float,
    start: int | None,
    end: int | None,
    *,
    warmup: int,
    epochs: int,
) -> MixtureSchedule:
    """Return the schedule of a method's settings: "schedule", or one share throughout.

    Args:
        mixture: "schedule", "uncertainty" (share 1), "hardness" (share 0), or a share; only the first uses the rest.
        initial: share up to ``start``.
        final: share from ``end`` on.
        start: epoch; None: ``warmup``.
        end: epoch; None: 70 % of ``epochs``, but after ``start``.
        warmup: epochs of plain permutations.
        epochs: length of the run.
    """
    if isinstance(mixture, str) and choice("mixture", mixture, MIXTURES) == "schedule":
        begin = warmup if start is None else whole("mixture_start", start)
        stop = max(round(0.7 * epochs), begin + 1) if end is None else whole("mixture_end", end)
        return MixtureSchedule(initial, final, begin, stop)
    share = {"uncertainty": 1.0, "hardness": 0.0}.get(str(mixture), mixture)
    share = number("mixture", share, low=0.0, high=1.0)
    return MixtureSchedule(share, share, 0, 1)
