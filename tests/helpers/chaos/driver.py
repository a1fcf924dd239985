"""The command of a run under fire: started, killed, and started again to go on."""

import os
import subprocess
from pathlib import Path

from forked_workers import CLIENT
from ray_head import ROOT


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

    def start(self) -> None:
        """Train the run, or go on with it."""
        begun = (self._run / "config.yaml").is_file()
        what = ["--resume", str(self._run)] if begun else [str(self._config)]
        command = [self._launcher, "-m", "d2ace.pipeline.cli", "train", *what]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._config.parent, env=self._environment, stdout=log, stderr=log
            )
        self.killed = False

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
