"""How the epochs that a choice may cost are shared out: the shared part, repeats of uniform, and rounds of candidates.

E epochs of a run   W epochs of the shared part   P repeats   K candidates   r epochs of a round
"""

import math
from dataclasses import dataclass

from ...common.config.section import NonNegativeInt, PositiveInt
from ...common.errors import ConfigError

BUDGET, REPEATS = 2.5, 3
"""What a choice may cost, in runs; repeats with uniform batches, whose differences show what chance does."""
_MOST_RUNS = 10_000
_SHARED = 0.6
"""Share of a run that all arms have in common [own]: a later fork pays for more repeats, an earlier one for longer
selection."""


@dataclass(frozen=True)
class Schedule:
    """Who trains how long.

    Attributes:
        epochs: E.
        shared: W, epochs with uniform batches that are trained once, for all.
        repeats: P, arms that go on with uniform batches to the end.
        rounds: how many candidates train in each round; after the last one a single one is left. () with one candidate.
        length: r, epochs of a round.
    """

    epochs: PositiveInt
    shared: NonNegativeInt
    repeats: NonNegativeInt
    rounds: tuple[NonNegativeInt, ...]
    length: NonNegativeInt

    @property
    def candidates(self) -> int:
        """K."""
        return self.rounds[0] if self.rounds else 1

    @property
    def cost(self) -> int:
        """Epochs that are trained in all."""
        lost = sum(count - 1 for count in self.rounds) * self.length
        return self.shared + (self.repeats + 1) * (self.epochs - self.shared) + lost

    def round_ends(self) -> list[int]:
        """Return the epoch at whose start each round is over."""
        return [self.shared + (number + 1) * self.length for number in range(len(self.rounds))]


def make_schedule(epochs: int, candidates: int, budget: float = BUDGET, repeats: int = REPEATS) -> Schedule:
    """Return the schedule with the most candidates, then the longest rounds, that the budget pays for.

    Successive halving (Jamieson and Talwalkar, Non-stochastic best arm identification, AISTATS 2016): the better half
    of the candidates, rounded up, goes on after each round.

    Args:
        epochs: E.
        candidates: how many there are; with a small budget only the first of them take part.
        budget: what all may cost, in runs of E epochs.
        repeats: P, at least 2.

    Raises:
        ConfigError: for fewer than two repeats, or when the budget does not pay for a single candidate.
    """
    if repeats < 2:
        raise ConfigError(f"expected at least 2 repeats, got {repeats}")
    if not 0 < budget <= _MOST_RUNS:
        raise ConfigError(f"expected a budget above 0 and up to {_MOST_RUNS:,} runs, got {budget:g}")
    most = math.floor(budget * epochs + 1e-9)
    least = math.ceil(((repeats + 1) * epochs - most) / repeats)  # W + (P + 1) (E - W) <= most
    shared = max(math.ceil(_SHARED * epochs - 1e-9), least, 1)
    shared = min(shared, epochs - 1) if epochs > 1 else shared
    alone = Schedule(epochs, shared, repeats, (), 0)
    if epochs < 2 or alone.cost > most:
        raise ConfigError(
            f"train.epochs={epochs}: a choice at {budget:g} times the cost of a run needs {repeats} repeats and one "
            "candidate that part after at least one epoch; give it more epochs or a larger --budget"
        )
    for count in range(candidates, 1, -1):
        rounds = _halving(count)
        per_epoch = sum(each - 1 for each in rounds)
        length = min((most - alone.cost) // per_epoch, (epochs - shared) // len(rounds))
        if length:
            return Schedule(epochs, shared, repeats, rounds, length)
    return alone


def _halving(count: int) -> tuple[int, ...]:
    """Return how many train in each round: count, then half of them rounded up, down to 2."""
    rounds = []
    while count > 1:
        rounds.append(count)
        count = math.ceil(count / 2)
    return tuple(rounds)
