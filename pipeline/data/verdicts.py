"""``verdicts.csv``: what a person said of some entries of a prepared data set.

C verdicts.
"""

import csv
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..common.errors import DataError, did_you_mean
from ..common.storage.local_paths import local_path
from .manifest import Manifest

_NEEDED = ("row", "label", "verdict")
_WORDS = ("present", "absent", "unsure")


@dataclass(frozen=True)
class Verdicts:
    """Entries of which somebody knows the value; no entry comes twice.

    Attributes:
        rows: int64 (C,), row ids.
        labels: int64 (C,).
        present: bool (C,), whether the row has the label.
    """

    rows: np.ndarray
    labels: np.ndarray
    present: np.ndarray


def read_verdicts(path: str | Path, manifest: Manifest) -> Verdicts:
    """Return the verdicts of a CSV file with the columns ``row``, ``label`` and ``verdict``; those unsure are left out.

    A column ``data``, where there is one, holds the fingerprint of the data that the verdicts are about.

    Args:
        path: the file.
        manifest: of the data set that they must be about.

    Raises:
        DataError: with file and line, for a row, a label or a verdict that does not exist, two that contradict each
            other, or other data; also when nothing is decided.
    """
    file = local_path(path, "--verdicts", DataError)
    places = {name: place for place, name in enumerate(manifest.labels)}
    found: dict[tuple[int, int], tuple[bool, int]] = {}
    for line, record in _records(file, places):
        if problem := _problem(record, manifest):
            raise DataError.at(file, line, problem)
        if record["verdict"] == "unsure":
            continue
        entry, present = (int(record["row"]), places[record["label"]]), record["verdict"] == "present"
        before, there = found.setdefault(entry, (present, line))
        if before != present:
            raise DataError.at(file, line, f"row {entry[0]}, label {record['label']!r}: line {there} says the opposite")
    if not found:
        raise DataError(f"{file}: decides nothing: no verdict is present or absent")
    rows, labels = np.array(list(found), np.int64).T
    return Verdicts(rows, labels, np.array([present for present, _ in found.values()]))


def _records(file: Path, labels: Collection[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the lines below the header with their numbers, cells without spaces around them.

    A cell keeps its spaces where it so names one of the labels: Parquet and NPZ have labels with blanks at an end.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text, strict=True)
            if lacking := [name for name in _NEEDED if name not in (reader.fieldnames or ())]:
                told = f"expected the columns {', '.join(_NEEDED)}, {', '.join(lacking)} missing in {reader.fieldnames}"
                raise DataError.at(file, 1, told)
            for record in reader:
                if None in record or None in record.values():
                    raise DataError.at(file, reader.line_num, f"expected {len(reader.fieldnames or ())} cells")
                cells = {name: cell.strip() for name, cell in record.items()}
                if record["label"] in labels:
                    cells["label"] = record["label"]
                yield reader.line_num, cells
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{file}: is not UTF-8 text") from None
    except csv.Error as error:
        raise DataError.at(file, reader.line_num, f"no valid CSV: {error}") from None


def _problem(record: dict[str, str], manifest: Manifest) -> str | None:
    """Return what is wrong with a line, None when nothing is."""
    row, label, verdict = (record[name] for name in _NEEDED)
    if (data := record.get("data")) and data != manifest.fingerprint():
        return f"the verdict is about other data than {manifest.folder} (their fingerprints differ)"
    if not (row.isascii() and row.isdigit() and len(row) < 19 and int(row) < manifest.rows):
        return f"row must be a row id, 0 to {manifest.rows - 1}, got {row!r}"
    if label not in manifest.labels:
        return f"the data has no label {label!r}{did_you_mean(label, manifest.labels)}"
    if verdict not in _WORDS:
        return (
            f"verdict must be {', '.join(_WORDS[:-1])} or {_WORDS[-1]}, got {verdict!r}{did_you_mean(verdict, _WORDS)}"
        )
    return None
