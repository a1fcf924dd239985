"""Runs pieces on Ray Data over the cluster, or here when there is only one."""

import json
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from ...common.errors import DataError
from .partial import save_finished
from .pieces import Finished, Job, Piece, write_piece


def run_pieces(pieces: Sequence[Piece], job: Job, tell: Callable[[Finished], None]) -> list[Finished]:
    """Write pieces, each in a task of one CPU; a single one in this process, without Ray.

    Args:
        pieces: to write.
        job: what they share.
        tell: called with every finished piece, as they come.

    Raises:
        DataError: the first one that a piece raises, at once; finished pieces stay.
    """
    found = []
    for finished in _run_here(pieces, job) if len(pieces) < 2 else _run_on_ray(pieces, job):
        found.append(finished)
        tell(finished)
    return found


def _run_here(pieces: Sequence[Piece], job: Job) -> Iterator[Finished]:
    for piece in pieces:
        finished = write_piece(piece, job)
        save_finished(job.records, finished)
        yield finished


def _run_on_ray(pieces: Sequence[Piece], job: Job) -> Iterator[Finished]:
    from ...common.cluster.room import wait_for_room
    from ...common.cluster.session import data_context, ray_session
    from ...common.config.sections import RunSection

    with ray_session(RunSection()), data_context():
        import ray
        from ray.data import DataContext

        wait_for_room({"CPU": 1.0}, 1, "a task that packs images")
        DataContext.get_current().execution_options.preserve_order = False  # an error is told at once
        items = [{"piece": pickle.dumps(piece)} for piece in pieces]
        rows = ray.data.from_items(items, override_num_blocks=len(items)).map(_task, fn_kwargs={"job": job})
        for row in rows.iter_rows():
            if row["error"]:
                raise DataError(row["error"])
            yield Finished.from_plain(json.loads(row["finished"]))


def _task(row: dict[str, Any], job: Job) -> dict[str, str]:
    """Write one piece on some node; an error of the data is a result, so that it reaches the user in one line."""
    try:
        finished = write_piece(pickle.loads(row["piece"]), job)
        save_finished(job.records, finished)
    except DataError as error:
        return {"finished": "", "error": str(error)}
    return {"finished": json.dumps(asdict(finished)), "error": ""}
