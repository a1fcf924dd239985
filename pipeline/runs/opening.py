"""Whether a folder is a run, found out without loading anything heavy."""

import shlex

from ..common.errors import RunError
from ..common.storage.any_path import AnyPath, address_of, any_path

CONFIG_FILE = "config.yaml"
METRICS_FILE, RESULT_FILE, DATA_FILE = "metrics.jsonl", "result.json", "data.json"


def require_run(path: "str | AnyPath") -> AnyPath:
    """Return the absolute path, or the location in a bucket, of a run folder; raises RunError when it is none."""
    folder = any_path(path)
    if not (folder / CONFIG_FILE).is_file():
        raise RunError(f"{path}: not a run folder (it has no {CONFIG_FILE}); d2ace runs FOLDER lists what is there")
    return folder


def resume_command(folder: AnyPath) -> str:
    """Return the command line that goes on with a run."""
    return f"d2ace train --resume {shlex.quote(address_of(folder))}"
