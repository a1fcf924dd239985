"""Groups of rows and of labels, and how wrong a run is on each.

n rows, L labels.
"""

import csv
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ...common.errors import ConfigError, did_you_mean
from ...feeds.shard_rows import ShardRows
from ..judged_rows import JudgedRows
from .intervals import mean_interval

_MOST_VALUES = 12
"""A column with more different values is cut at its quartiles, when it holds numbers."""
_MANY_LABELS = 4
_TOO_LARGE = 2**53
"""Row ids below are exact in floating point."""
_THIRDS = ("rarest third", "middle third", "most frequent third")


class RowGroup(NamedTuple):
    """Rows that something is true of.

    Attributes:
        kind: what rows are grouped by.
        name: of the group.
        rows: bool (n,).
    """

    kind: str
    name: str
    rows: np.ndarray


def row_groups_of(judged: Sequence[JudgedRows], column: str | None) -> list[list[RowGroup]]:
    """Return groups by the number of labels, by the rarest label of a row, and by a column where one is named.

    Args:
        judged: the rows of each of some splits.
        column: see ``column_values``.

    Returns:
        The groups of each split, none of them empty.

    Raises:
        ConfigError: as ``column_values``.
    """
    groups = [[*_by_number(rows), *_by_rarest(rows)] for rows in judged]
    if column is not None:
        for mine, values in zip(groups, column_values(judged, column), strict=True):
            mine += _by_values(_column_name(judged[0], column), values)
    return [[group for group in mine if group.rows.any()] for mine in groups]


def _by_number(judged: JudgedRows) -> Iterator[RowGroup]:
    counted = np.minimum((judged.truth >= 0.5).sum(axis=1), _MANY_LABELS)
    for count in range(_MANY_LABELS + 1):
        name = f"{count} or more" if count == _MANY_LABELS else str(count)
        yield RowGroup("labels of the row", name, counted == count)


def label_groups(judged: JudgedRows) -> dict[str, np.ndarray]:
    """Return thirds of the labels by their training rows, the rarest first: indices (l,) by name."""
    frequency = np.asarray(judged.run.data.context.label_counts)
    parts = np.array_split(np.argsort(frequency, kind="stable"), len(_THIRDS))
    return {name: part for name, part in zip(_THIRDS, parts, strict=True) if len(part)}


def _by_rarest(judged: JudgedRows) -> Iterator[RowGroup]:
    has, left = judged.truth >= 0.5, np.ones(len(judged.ids), bool)
    for name, part in label_groups(judged).items():
        mine = left & has[:, part].any(axis=1)
        yield RowGroup("rarest label of the row", f"of the {name}", mine)
        left &= ~mine


def _by_values(kind: str, values: pd.Series) -> Iterator[RowGroup]:
    """Yield a group for each value, or for each quarter of many numbers; and one for rows without a value."""
    if values.nunique() > _MOST_VALUES:
        if not pd.api.types.is_numeric_dtype(values):
            raise ConfigError(
                f"--slice {kind}: {values.nunique()} different values; expected numbers, or at most {_MOST_VALUES}"
            )
        values = pd.qcut(values, 4, duplicates="drop").astype(str).where(values.notna())
    for value in sorted(values.dropna().unique()):
        yield RowGroup(kind, str(value), (values == value).to_numpy())
    yield RowGroup(kind, "no value", values.isna().to_numpy())


def column_values(judged: Sequence[JudgedRows], column: str) -> list[pd.Series]:
    """Return the values of a named column for the judged rows of each split, in their order.

    Args:
        judged: the rows of each of some splits, of one data set.
        column: a feature of a table, also one with a colon in its name; else ``FILE.csv:COLUMN``, of a file with a
            column ``row`` (row ids).

    Raises:
        ConfigError: when there is no such file or column, or the file says nothing of any judged row.
    """
    manifest = judged[0].manifest
    names, (file, sign, name) = manifest.feature_names, column.rpartition(":")
    if sign and column not in (names or ()):
        return _of_file(Path(file), name, [rows.ids for rows in judged])
    if names is None or column not in names:
        hint = did_you_mean(column, names) if names else "; the data has no named features"
        raise ConfigError(f"--slice {column}: no such feature{hint}; FILE.csv:COLUMN takes a column of a file")
    at = names.index(column)
    found = [ShardRows(manifest).open().gather(rows.ids).features for rows in judged]
    return [pd.Series(features[:, at]) for features in found if features is not None]  # only images have none, or names


def _column_name(judged: JudgedRows, column: str) -> str:
    """Return what a column is called: a feature's name, or that of a column of a file."""
    return column if column in (judged.manifest.feature_names or ()) else column.rpartition(":")[2]


def _of_file(file: Path, column: str, splits: Sequence[np.ndarray]) -> list[pd.Series]:
    """Return a column of a file for the row ids of each split, int64 (n,); NaN for those that it leaves out."""
    try:
        table = pd.read_csv(file, converters={"row": str.strip})  # as text: one bad cell would make all of them text
    except (OSError, ValueError) as error:
        raise ConfigError(f"--slice {file}: cannot be read: {error}") from None
    for name in ("row", column):
        if name not in table:
            raise ConfigError(
                f"--slice {file}: no column is called {name!r}{did_you_mean(name, map(str, table.columns))}"
            )
    table["row"] = _row_ids(file, table["row"])
    if table["row"].duplicated().any():
        raise ConfigError(f"--slice {file}: row {table['row'][table['row'].duplicated()].iloc[0]} stands there twice")
    ids = np.concatenate(splits)
    if not table["row"].isin(ids).any():
        raise ConfigError(f"--slice {file}: its column row names none of the {len(ids)} rows that are judged")
    values = table.set_index("row", drop=False)[column]
    return [values.reindex(each).reset_index(drop=True) for each in splits]


def _row_ids(file: Path, cells: pd.Series) -> np.ndarray:
    """Return the row ids that cells of text hold, int64; raises ConfigError with the line of the first that is none."""
    numbers = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64)  # pandas writes 3.0 where cells are missing
    whole = (np.abs(numbers) < _TOO_LARGE) & (numbers == np.floor(numbers))
    if not whole.all():
        bad = int(np.argmin(whole))
        got = "nothing" if pd.isna(cells.iloc[bad]) else repr(cells.iloc[bad])
        raise ConfigError(f"--slice {file}:{_line_of(file, bad)}: row must be a row id, got {got}")
    return numbers.astype(np.int64)


def _line_of(file: Path, record: int) -> int:
    """Return the line on which a record below the header ends, counted from 0; empty lines are none, as in pandas."""
    with file.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text)
        ends = (reader.line_num for cells in reader if len(cells) > 1 or "".join(cells).strip())
        return next(itertools.islice(ends, record + 1, None))


def row_table(judged: JudgedRows, groups: Sequence[RowGroup]) -> pd.DataFrame:
    """Return a line a group: rows, mean loss with its interval, share of rows without an error, micro-F1.

    Rows of which no label is known are in no group: their loss would be 0, and none of their labels wrong.
    """
    known, has = ~np.isnan(judged.truth), judged.truth >= 0.5
    right = known & has & judged.decided
    off = known & (has != judged.decided)
    loss = judged.losses.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    lines = []
    for group in groups:
        mine = group.rows & known.any(axis=1)
        if not mine.any():
            continue
        low, high = mean_interval(loss[mine])
        found, errors = right[mine].sum(), off[mine].sum()
        lines.append(
            {
                "by": group.kind,
                "group": group.name,
                "rows": int(mine.sum()),
                "loss": loss[mine].mean(),
                "loss_low": low,
                "loss_high": high,
                "all_right": (~off[mine].any(axis=1)).mean(),
                "micro_f1": 2 * found / (2 * found + errors) if found + errors else np.nan,
            }
        )
    return pd.DataFrame(lines)


def label_table(labels: pd.DataFrame, groups: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return a line for each group of labels: how many, positives, errors, mean F1, average precision and loss.

    As in ``training.metrics`` the mean F1 is over the labels that are known in some row, and an F1 of 0/0 counts as 0.
    """
    rated = labels.assign(f1=labels["f1"].fillna(0).where(labels["loss"].notna()))
    lines = []
    for name, places in groups.items():
        mine = rated[rated["place"].isin(places)]
        means = {key: mine[key].mean() for key in ("f1", "average_precision", "loss")}
        sums = {key: int(mine[key].sum()) for key in ("positives", "missed", "wrong")}
        lines.append({"group": name, "labels": len(mine), **sums, **means})
    return pd.DataFrame(lines)
