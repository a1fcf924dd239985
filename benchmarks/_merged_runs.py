"""What ``entries.py`` and ``long_tails.py`` keep in git: a line a run, and the machine."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from _common import machine


def merge(path: Path, new: list[dict[str, Any]], key: list[str], **about: Any) -> None:
    """Put runs among those of a file, in place of what was there of the same runs.

    Args:
        path: the file; made where it is not there.
        new: runs, a dictionary each.
        key: what tells one run from another; the file is sorted by it.
        about: what else the file tells.
    """
    runs = pd.DataFrame(json.loads(path.read_text())["runs"] if path.exists() else [])
    runs = pd.concat([runs, pd.DataFrame(new)]).drop_duplicates(key, keep="last").sort_values(key)
    lines = [run.dropna().to_dict() for _, run in runs.iterrows()]
    path.write_text(json.dumps({"machine": machine(), **about, "runs": lines}, indent=1) + "\n")
