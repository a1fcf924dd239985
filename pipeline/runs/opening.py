"""Whether a folder is a run, found out without loading anything heavy."""

import shlex
from pathlib import Path

from ..common.errors import RunError
from ..common.storage.local_paths import local_path

CONFIG_FILE = "config.yaml"
METRICS_FILE, RESULT_FILE, DATA_FILE = "metrics.jsonl", "result.json", "data.json"


def require_run(path: str | Path) -> Path:
    """Return the absolute path of a run folder; raises RunError when it is none, ConfigError for an address."""
    folder = local_path(path, "run folder").resolve()
    if not (folder / CONFIG_FILE).is_file():
        raise RunError(f"{path}: not a run folder (it has no {CONFIG_FILE}); d2ace runs FOLDER lists what is there")
    return folder


def resume_command(folder: Path) -> str:
    """Return the command line that goes on with a run."""
    return f"d2ace train --resume {shlex.quote(str(folder))}"
