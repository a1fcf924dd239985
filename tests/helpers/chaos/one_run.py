"""One run under fire, from its first start to its end."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from chaos.driver import Driver
from chaos.victims import Field

from d2ace.pipeline.runs.checkpoints import Checkpoint, CheckpointStore

HANG_S = 240
"""No recovery takes so long; the longest wait of Ray after a loss is a minute."""
LOOK_S = 0.05
AFTERMATH_S = 0.3
"""A checkpoint that comes so soon after a kill was being written when it came."""
DOUBLE = 0.25
"""Share of kills after which the next comes while the run recovers."""


class Kill(NamedTuple):
    """One kill.

    Attributes:
        run: number of the run.
        scenario: kind of the run.
        victim: what was killed.
        epoch: of the newest checkpoint then, and ``step``; -1 where there was none.
        recovered_s: seconds until a newer checkpoint or the run's end; None when the next kill came before.
    """

    run: int
    scenario: str
    victim: str
    epoch: int
    step: int
    recovered_s: float | None

    def __str__(self) -> str:
        came = "the next came before it recovered" if self.recovered_s is None else f"recovered in {self.recovered_s} s"
        where = "before the first checkpoint" if self.epoch < 0 else f"at epoch {self.epoch + 1}, step {self.step + 1}"
        return f"run {self.run} ({self.scenario}): {self.victim}, {where}: {came}"


class HangError(Exception):
    """A run under fire neither goes on nor ends."""


@dataclass
class UnderFire:
    """Trains a run to its end while things are killed.

    Attributes:
        number: of the run.
        scenario: kind of the run.
        folder: of the run.
        driver: its command.
        field: what can be killed.
        mean_s: mean seconds from a recovery to the next kill.
        ends: last words of commands that ended by themselves and not well; each was started again.
    """

    number: int
    scenario: str
    folder: Path
    driver: Driver
    field: Field
    mean_s: float
    ends: list[str] = field(default_factory=list)

    def train(self, most: int, until: float) -> list[Kill]:
        """Train to the end, and kill on the way.

        Args:
            most: kills at most.
            until: no kill after this moment of the monotonic clock.

        Raises:
            HangError: when nothing goes on.
        """
        self.driver.start()
        kills: list[Kill] = []
        while not self._over():
            if len(kills) < most and time.monotonic() < until:
                self._pause()
                if not self._over():
                    kills.append(self._kill())
            else:
                self._progress(self._newest())
        return kills

    def _over(self) -> bool:
        """Whether the run is finished; a command that ended before that is started again."""
        code = self.driver.code()
        if code is None or code == 0:
            return code == 0
        if not self.driver.killed:
            self.ends.append(self.driver.last_words())
        self.driver.start()
        return False

    def _pause(self) -> None:
        deadline = time.monotonic() + float(self.field.draws.exponential(self.mean_s))
        while time.monotonic() < deadline and self.driver.code() is None:
            time.sleep(LOOK_S)

    def _kill(self) -> Kill:
        newest, struck = self._newest(), time.monotonic()
        victim, recovered = self.field.strike(self.driver), None
        if self.field.draws.random() >= DOUBLE:
            time.sleep(AFTERMATH_S)
            self._progress(self._newest())
            recovered = round(time.monotonic() - struck, 1)
        place = (newest.epoch, newest.step) if newest else (-1, -1)
        return Kill(self.number, self.scenario, victim, *place, recovered)

    def _progress(self, newest: Checkpoint | None) -> None:
        """Wait until the run has a newer checkpoint or is finished."""
        deadline = time.monotonic() + HANG_S
        while not self._over() and self._newest() == newest:
            if time.monotonic() > deadline:
                raise HangError(f"{self.folder}: nothing went on for {HANG_S} s: {self.driver.last_words()}")
            time.sleep(LOOK_S)

    def _newest(self) -> Checkpoint | None:
        return CheckpointStore(self.folder / "checkpoints").latest()
