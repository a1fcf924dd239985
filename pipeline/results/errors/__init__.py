"""``errors`` and ``diff``: the rows and labels a run is most wrong on, and where two runs differ, as pages."""

from pathlib import Path
from typing import Literal

from ...common.errors import RunError
from ...common.storage.any_path import AnyPath, place_of, replacing
from ...runs.own_data import own_data
from ...runs.trained_run import open_to_score
from ..judged_rows import JudgedRows
from ..top import require_top
from .differences import Difference, difference, require_alike
from .slices import row_groups_of
from .worst import Errors, errors_of

__all__ = ["Difference", "Errors", "diff", "errors"]

_SPLITS: tuple[Literal["validation", "test"], ...] = ("validation", "test")


def errors(
    run: "str | AnyPath",
    out: "str | AnyPath | None" = None,
    *,
    top: int = 24,
    slice_by: str | None = None,
    data: str | Path | None = None,
) -> tuple[AnyPath, list[Errors]]:
    """Find what a run is most wrong on among its validation and test rows, and write it as a page.

    Args:
        run: the run folder.
        out: the page to write; None for ``errors.html`` in the run folder.
        top: how many rows to show of each split.
        slice_by: a feature of a table, or ``FILE.csv:COLUMN``, by whose values errors are counted, too.
        data: where the run's data lies now, if it was moved.

    Returns:
        The page, and what was found on each split that has rows, validation first.

    Raises:
        ConfigError: for a top below 1; when there is no such column, or it says nothing of any judged row.
        RunError: when the run has no validated epoch, no such rows, or its data is gone or has changed.
    """
    from .errors_page import errors_page

    require_top(top)
    opened = open_to_score(run)
    splits = [split for split in _SPLITS if len(getattr(opened.data.splits, split))]
    if not splits:
        raise RunError(f"{run}: the run has neither validation nor test rows to judge it by")
    manifest = own_data(opened.folder, opened.config, opened.data, data)
    judged = [JudgedRows.of(opened, manifest, split) for split in splits]
    groups = row_groups_of(judged, slice_by)
    found = [errors_of(rows, top, mine) for rows, mine in zip(judged, groups, strict=True)]
    target = place_of(out) if out is not None else opened.folder.path / "errors.html"
    _write(target, errors_page(judged, found))
    return target, found


def diff(
    first: "str | AnyPath",
    second: "str | AnyPath",
    out: "str | AnyPath | None" = None,
    *,
    split: Literal["validation", "test"] = "test",
    top: int = 24,
    data: str | Path | None = None,
) -> tuple[AnyPath, Difference]:
    """Compare two runs on the same rows, row by row and label by label, and write it as a page.

    Args:
        first: a run folder.
        second: another; what is better is better in this one.
        out: the page to write; None for ``diff-FIRST.html`` in the second's folder.
        split: which rows, ``validation`` or ``test``.
        top: how many rows to show that got better, and that got worse.
        data: where the data of both lies now, if it was moved.

    Raises:
        ConfigError: for a top below 1.
        DataError: when no label of any of the rows is known.
        RunError: when the runs are of other data, other rows or other labels, or have no validated epoch.
    """
    from .diff_page import diff_page

    require_top(top)
    opened = [open_to_score(run) for run in (first, second)]
    require_alike(opened[0], opened[1], split)
    manifest = own_data(opened[0].folder, opened[0].config, opened[0].data, data)
    one, other = (JudgedRows.of(run, manifest, split) for run in opened)
    found = difference(one, other, top)
    name = f"diff-{one.run.folder.path.name}.html"
    target = place_of(out) if out is not None else other.run.folder.path / name
    _write(target, diff_page(one, other, found))
    return target, found


def _write(target: AnyPath, text: str) -> None:
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
