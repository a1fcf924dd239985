"""Which rows of a folder are those of the study that was compared there last, and by which names.

A folder keeps all runs that were ever trained in it: those of a study as it was before it was changed, and those of
other studies.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ...common.storage.any_path import AnyPath, make_folder
from ...common.storage.json_files import read_json, write_json
from ...common.storage.reading import reading

STUDY_FILE = "study.json"
_TEXTS = ("key", "study", "data", "network", "method")
_MAYBE = ("tuned", "known")
NAMES: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys(_TEXTS, str),
    **dict.fromkeys(_MAYBE, (str, type(None))),
    "fold": int,
    "seed": int,
    "reference": bool,
}
"""Columns that name a run in its study, and what stands in them."""
_WORDS = {str: "a text", (str, type(None)): "a text or null", int: "a whole number", bool: "true or false"}
_MOST = 60
"""Characters of a wrong value that are told."""


def keep_names(folder: AnyPath, names: Sequence[Mapping[str, Any]]) -> None:
    """Keep the names of all runs of a study, ``study_row.names_of``; nothing is written where they are kept already."""
    asked, path = {"runs": [dict(each) for each in names]}, folder / STUDY_FILE
    if path.is_file() and read_json(path, dict) == json.loads(json.dumps(asked)):
        return
    make_folder(folder)
    write_json(path, asked, indent=1)


def kept_names(folder: AnyPath) -> pd.DataFrame | None:
    """Return the names that a folder keeps, one row a run; None for one of an older version.

    Raises:
        RunError: naming the file, when it does not hold such names.
    """
    path = folder / STUDY_FILE
    if not path.is_file():
        return None
    runs = read_json(path, dict).get("runs")
    with reading(path):
        for run in runs if isinstance(runs, list) else [runs]:
            if not isinstance(run, dict) or {*run} != {*NAMES}:
                raise ValueError(f"expected runs with {', '.join(NAMES)}, got {str(run)[:_MOST]}")
            for name, kind in NAMES.items():
                if not isinstance(run[name], kind) or (kind is int and isinstance(run[name], bool)):
                    raise ValueError(f"{name!r} of a run: expected {_WORDS[kind]}, got {str(run[name])[:_MOST]!r}")
    return pd.DataFrame(runs, columns=list(NAMES))


def as_named(frame: pd.DataFrame, names: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of some runs by these names: another study may have called the same run otherwise.

    Args:
        frame: rows of a table.
        names: as ``kept_names`` gives them.
    """
    return names.merge(frame.drop(columns=[c for c in names if c != "key"]), on="key")[list(frame.columns)]
