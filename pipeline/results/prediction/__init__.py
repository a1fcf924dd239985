"""``predict``: probabilities and labels of new rows or of prepared ones, as Parquet or CSV, with pictures if wanted."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from ...common.errors import ConfigError, DataError
from ...common.part_progress import PartProgress
from ...common.stages import stage
from ...common.storage.addresses import redacted
from ...common.storage.any_path import AnyPath, address_of, is_there, make_folder
from ...common.storage.begun import begun
from ...common.storage.partial_work import claimed
from ...data.from_tables.files import local_copies
from ...data.manifest import Manifest
from ...runs.decisions import decisions_of
from ...runs.trained_run import TrainedRun, open_to_score
from ..top import require_top
from .columns import label_columns
from .job import Finished, Job, Piece, Unreadable
from .new_images import image_pieces
from .new_tables import TableOptions, staged
from .output import ROWS, Output, put_in_place
from .page import write_page
from .running import finished_before, run_pieces
from .source import NewSource, open_source

_VERSION = 1
"""Raised when the same call begins to make other parts."""
_SHOWN = 3
_log = logging.getLogger("d2ace")


def predict(
    run: "str | AnyPath",
    source: str | Path,
    out: "str | AnyPath",
    *,
    top: int = 5,
    threshold: float | None = None,
    page: int = 0,
    tables: TableOptions | None = None,
) -> AnyPath:
    """Predict rows and return where the prediction went.

    A row has ``id`` int64; ``path`` of a new image, ``name`` of a prepared image or of a table's ``id_column``;
    ``split`` and ``truth`` where they are known, with ``unknown``, the labels that nobody knows; ``labels``, the
    names of those decided; ``top``, the most probable ones; a float32 column for each label; and ``probabilities``
    float32[L], all of them in one. Labels are decided, and probabilities calibrated, as ``decide`` chose, else by the
    run's threshold. ``_labels.json`` has the names of the labels and how they were decided, ``_unreadable.csv`` the
    images that could not be read.

    Finished parts collect in ``OUT.partial``, from where the same call goes on after a kill. A folder in a bucket holds
    them at once; it is a prediction when ``_labels.json`` is there, which comes last.

    Args:
        run: a run's folder; of a run that was stopped the best epoch until then is taken.
        source: prepared data; or a folder or bucket of images, or one image; or a table, or a folder of tables.
        out: place of a folder for Parquet files, or of one ``.parquet`` or ``.csv`` file; it does not exist yet.
        top: how many of the most probable labels to name.
        threshold: for all labels; None for what the run says.
        page: how many thumbnails go into an HTML page; 0 for no page.
        tables: how tables are read.

    Raises:
        ConfigError: for a number out of range, or an option that the source does not take.
        DataError: when the source cannot be read, or does not fit; when no image of it can be read.
        RunError: when ``out`` exists, or the run does not fit prepared data.
    """
    _check(top, threshold, page)
    output = Output.of(out)
    opened = open_to_score(run)
    with stage(f"looking at {redacted(str(source))}"):
        found = open_source(source, opened)
    options = tables or TableOptions()
    if options != TableOptions() and not found.tables:
        raise ConfigError("options for tables go with a table that is read here")
    if page and not (found.images or (found.manifest is not None and found.manifest.kind == "image")):
        raise ConfigError("a page shows images, and the rows of a table have none: leave out --page")
    job = _job(opened, found, output, top, threshold, page)
    go_on = f"d2ace predict {run} {redacted(str(source))} {out}, and the same options"
    with (
        claimed(job.folder, _fingerprint(opened, job, found, options), what="prediction"),
        begun(job.folder, partial(_holds_work, job), go_on),
    ):
        return _predicted(opened, found, options, job, output)


def _holds_work(job: Job) -> bool:
    """Return whether a part is finished, or a table is read, so that another call can go on."""
    return bool(job.parts()) or is_there(job.folder / ROWS)


def _check(top: int, threshold: float | None, page: int) -> None:
    require_top(top)
    if page < 0:
        raise ConfigError(f"page must be at least 0, got {page}")
    if threshold is not None and not 0 <= threshold < 1:
        raise ConfigError(f"threshold must be at least 0 and below 1, got {threshold}")


def _job(run: TrainedRun, found: NewSource, output: Output, top: int, threshold: float | None, page: int) -> Job:
    decisions = decisions_of(run) if threshold is None else None
    usual = run.config.train.threshold if threshold is None else threshold
    columns = label_columns(run.data.labels)
    run_at, parts, pages = address_of(run.folder.path), output.parts, output.pages
    job = Job(run_at, parts, pages, decisions, usual, top, columns, thumbnails=page)
    if found.images:
        return replace(job, images=found.folder, names="path")
    return job if found.manifest is None else _of_manifest(job, found.manifest, run)


def _of_manifest(job: Job, manifest: Manifest, run: TrainedRun) -> Job:
    """Return the job with what is known of prepared rows."""
    own = manifest.fingerprint() == run.data.fingerprint
    split = own or manifest.splits.get("", 0) < manifest.rows
    names = "name" if manifest.kind == "image" else None
    known = manifest.is_labelled
    unknown = known and manifest.known_counts is not None
    return replace(job, manifest=manifest, names=names, truth=known, unknown=unknown, split=split)


def _fingerprint(run: TrainedRun, job: Job, found: NewSource, options: TableOptions) -> str:
    """Return a SHA-256 of all that decides the parts."""
    elsewhere = {"decisions": None, "manifest": None, "images": None, "folder": Path(), "pages": Path()}
    values = asdict(replace(job, **elsewhere)) | {"folder": address_of(job.folder)}  # type: ignore[arg-type]
    decisions = [] if job.decisions is None else [job.decisions.raw_thresholds, job.decisions.coefficients]
    chosen = [each.tolist() for each in decisions]
    plain = [_VERSION, values, chosen, found.state, asdict(options), run.weights_digest()]
    return hashlib.sha256(json.dumps(plain, default=str).encode()).hexdigest()


def _predicted(run: TrainedRun, found: NewSource, options: TableOptions, job: Job, output: Output) -> AnyPath:
    """Run what is left of the pieces, and put the result in place."""
    if found.tables:
        places = found.table_files()
        told = places[0][0] if len(places) == 1 else found.folder
        with stage(f"reading {redacted(str(told))}"), local_copies() as local:
            files = [(local(place), kind) for place, kind in places]
            manifest = staged(files, run, options, job.folder / ROWS)
        named = "name" if options.id_column is not None else None
        job = replace(_of_manifest(job, manifest, run), names=named)
    if job.thumbnails:
        make_folder(job.pictures)
    pieces = image_pieces(found.images) if job.manifest is None else _shards(job.manifest)
    finished = finished_before(job)
    if finished:
        _log.info("going on with %d of %d parts that were finished before", len(finished), len(pieces))
    _run(pieces, finished, job, run)
    unreadable = [each for number in sorted(finished) for each in finished[number].unreadable]
    rows = sum(piece.rows for piece in finished.values())
    _tell(unreadable, rows, output)
    about = _about(run, job, rows, len(unreadable))
    if job.thumbnails:
        write_page(job, run, about, unreadable)
    put_in_place(job, output, about, unreadable)
    return output.target


def _shards(manifest: Manifest) -> list[Piece]:
    firsts = manifest.first_rows().tolist()
    return [Piece(number, firsts[number], shard.rows) for number, shard in enumerate(manifest.shards)]


def _run(pieces: Sequence[Piece], finished: dict[int, Finished], job: Job, run: TrainedRun) -> None:
    """Run the pieces that are not finished, and add them."""
    total = sum(piece.rows for piece in pieces)
    progress = PartProgress(total, len(pieces), thing="row", part="part", say=_log.info)

    def tell(piece: Finished) -> None:
        finished[piece.number] = piece
        progress.advance(piece.rows + len(piece.unreadable))

    try:
        for piece in [*finished.values()]:
            progress.advance(piece.rows + len(piece.unreadable))
        run_pieces([piece for piece in pieces if piece.number not in finished], job, run, tell)
    finally:
        progress.close()


def _tell(unreadable: Sequence[Unreadable], rows: int, output: Output) -> None:
    """Say how many images could not be read; raise DataError when that was all of them."""
    if not unreadable:
        return
    shown = "; ".join(f"{path}: {reason}" for path, reason in unreadable[:_SHOWN])
    more = "; ..." if len(unreadable) > _SHOWN else ""
    if not rows:
        raise DataError(f"none of {len(unreadable)} images can be read: {shown}{more}")
    what = f"{len(unreadable)} of {rows + len(unreadable)} images cannot be read and have no prediction"
    _log.warning("%s: %s%s; all are in %s", what, shown, more, output.unreadable)


def _about(run: TrainedRun, job: Job, rows: int, unreadable: int) -> dict[str, Any]:
    """Return what ``_labels.json`` says."""
    decided: dict[str, Any] = {"threshold": job.threshold, "thresholds": None, "rule": None, "calibration": None}
    if job.decisions is not None:
        decided = {
            "threshold": None,
            "thresholds": job.decisions.thresholds,
            "rule": job.decisions.about.get("rule"),
            "calibration": job.decisions.about.get("calibration"),
        }
    labels = list(run.data.labels)
    return {"labels": labels, "columns": list(job.columns), **decided, "rows": rows, "unreadable": unreadable}
