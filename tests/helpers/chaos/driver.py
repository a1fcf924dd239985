"""The command of a run under fire: started, killed, and started again to go on."""

import os
import subprocess
from pathlib import Path

from forked_workers import CLIENT
from ray_head import ROOT

SECOND_S = 60
REFUSED = "is writing this run"


class Driver:
    """A ``d2ace train`` of its own process, which goes on with its run where there is one.

    Args:
        config: file of the configuration.
        run: folder of the run.
        address: of the Ray that it is to use.
        launcher: what starts it.
        log: file that all its commands append their output to.
    """

    def __init__(self, config: Path, run: Path, address: str, launcher: str, log: Path) -> None:
        self._config, self._run, self.log, self._launcher = config, run, log, launcher
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": address, CLIENT: str(run)}
        self._process: subprocess.Popen[bytes] | None = None
        self.killed = False

    @property
    def begun(self) -> bool:
        """Whether there is a run to go on with."""
        return (self._run / "config.yaml").is_file()

    def start(self) -> None:
        """Train the run, or go on with it."""
        self._process = self._command(self.log, *(["--resume", str(self._run)] if self.begun else [str(self._config)]))
        self.killed = False

    def meet_a_second(self) -> None:
        """Start a second command that wishes to go on with the run, and wait for its end.

        Raises:
            RuntimeError: when it does not end, or not because the run is the first one's. Where the first had not begun
                yet, or ended meanwhile, the second may go on with the run.
        """
        said = self.log.with_suffix(".second")
        said.unlink(missing_ok=True)
        second = self._command(said, "--resume", str(self._run))
        try:
            code = second.wait(SECOND_S)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            second.kill()
            second.wait()
        text = said.read_text(errors="replace")
        if self.code() is None and code != 0 and not (code and REFUSED in text):
            raise RuntimeError(f"a second command on {self._run} ended with {code}: {text}")

    def _command(self, log: Path, *arguments: str) -> "subprocess.Popen[bytes]":
        command = [self._launcher, "-m", "d2ace.pipeline.cli", "train", *arguments]
        with log.open("ab") as out:
            return subprocess.Popen(command, cwd=self._config.parent, env=self._environment, stdout=out, stderr=out)

    def kill(self) -> None:
        """End the command without a word, and wait for its end."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self.killed = True

    def code(self) -> int | None:
        """Return the exit code, or None while the command runs."""
        assert self._process is not None
        return self._process.poll()

    def last_words(self) -> str:
        """Return the last line that was said."""
        return (self.log.read_text(errors="replace").strip().splitlines() or ["nothing"])[-1]
