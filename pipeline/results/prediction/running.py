"""Runs the pieces of a prediction on Ray Data over the cluster, or in this process where they are few."""

import json
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import torch

from ...common.cluster.session import data_context, ray_session
from ...common.errors import DataError
from ...common.stages import stage
from ...common.storage.locations import Location
from ...runs.trained_run import TrainedRun
from ..scoring import scoring
from .job import Finished, Job, Piece
from .predictor import Predictor

_FEW_IMAGES = 1000
"""About as many as this process predicts while a Ray would start."""


def finished_before(job: Job) -> dict[int, Finished]:
    """Return the pieces that an earlier call finished, by number; what is damaged counts as not finished."""
    found = {}
    for name in Location.of(job.folder).glob("_piece-*.json"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            piece = Finished.from_plain(json.loads((job.folder / name).read_text(encoding="utf-8")))
            if not piece.rows or job.part(piece.number).is_file():
                found[piece.number] = piece
    return found


def run_pieces(pieces: Sequence[Piece], job: Job, run: TrainedRun, tell: Callable[[Finished], object]) -> None:
    """Predict pieces and tell each that is finished, as they come.

    Raises:
        DataError: the first one that a piece raises, at once; finished pieces stay.
    """
    rows = sum(piece.rows for piece in pieces)
    if not pieces:
        return
    if _few(pieces, rows):
        with stage(f"predicting {rows} rows"):
            predictor = Predictor(job, run)
            for piece in pieces:
                tell(predictor(piece))
        return
    with ray_session(run.config.run), scoring(rows):
        for finished in _on_ray(pieces, job):
            tell(finished)


def _few(pieces: Sequence[Piece], rows: int) -> bool:
    """Return whether this process predicts the pieces by itself: they are few, and no cluster was named."""
    few = len(pieces) == 1 or (bool(pieces[0].images) and rows <= _FEW_IMAGES)
    return few and not os.environ.get("RAY_ADDRESS")


def _on_ray(pieces: Sequence[Piece], job: Job) -> Iterator[Finished]:
    """Yield pieces as they are finished: one worker a GPU, or a CPU where there is no GPU."""
    import ray

    cpus, gpus = (int(ray.cluster_resources().get(name, 0)) for name in ("CPU", "GPU"))
    with data_context():
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = False  # an error is told at once
        items = [{"piece": pickle.dumps(piece)} for piece in pieces]
        rows = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            _PredictorOnRay,
            fn_constructor_args=(job,),
            batch_size=None,
            num_cpus=None if gpus else 1,
            num_gpus=1 if gpus else None,
            concurrency=max(1, min(len(pieces), gpus or cpus)),
        )
        for row in rows.iter_rows():
            if row["error"]:
                raise DataError(row["error"])
            yield Finished.from_plain(json.loads(row["finished"]))


class _PredictorOnRay:
    """A Ray Data worker; without GPUs it is one of as many processes as there are CPUs, so it decodes in one thread."""

    def __init__(self, job: Job) -> None:
        self._predictor = Predictor(job, threads=None if torch.cuda.is_available() else 1)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """Predict the pieces of a batch; an error of the data is a result, so that it reaches the user in one line."""
        finished, errors = [], []
        for piece in batch["piece"]:
            try:
                finished.append(json.dumps(asdict(self._predictor(pickle.loads(piece)))))
                errors.append("")
            except DataError as error:
                finished.append("")
                errors.append(str(error))
        return {"finished": finished, "error": errors}
