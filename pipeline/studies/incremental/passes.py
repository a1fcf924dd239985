"""A model's answers about many stored rows, as a pass of Ray Data over them.

Workers take the very pieces that one process would take one after the other, so that both come to the same bytes.

b rows of a piece
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import ray

from ...common.cluster.quiet import without_lines
from ...common.cluster.room import wait_for_room
from ...common.cluster.session import data_context
from ...common.cluster.usage import free_and_held
from ...common.stages import stage
from ...feeds.row_store import original_errors

Ask = Callable[[np.ndarray], np.ndarray]
"""Returns what is wanted of rows by id, float32 (b, ...)."""

_ABOUT_RESTARTS = "has constructor arguments in the object store and max_restarts > 0"
"""An error of Ray's core about workers of Ray Data, which holds those arguments itself (Ray 2.60)."""


class _Worker:
    """Asks about one piece after the other."""

    def __init__(self, make: Callable[[], Ask]) -> None:
        self._ask = make()

    def __call__(self, piece: dict[str, Any]) -> dict[str, Any]:
        found = np.ascontiguousarray(self._ask(np.asarray(piece["ids"], np.int64)), np.float32)
        return {"number": piece["number"], "values": found.tobytes(), "shape": list(found.shape)}


def pass_over(
    pieces: Sequence[np.ndarray], make: Callable[[], Ask], *, workers: int, gpu: bool, limit_s: float | None
) -> np.ndarray:
    """Return what is wanted of rows, float32 (n, ...), one piece after the other; on the Ray that is there.

    Args:
        pieces: int64 (b,) each, row ids.
        make: called in each worker, makes what is asked there.
        workers: at most so many.
        gpu: whether a worker has a GPU.
        limit_s: most seconds to wait for room; None: see ``wait_for_room``.

    Raises:
        DataError: when rows cannot be read.
        RunError: when there is no room.
    """
    wait_for_room({"GPU" if gpu else "CPU": 1.0}, 1, "a worker that looks at rows", limit_s=limit_s)
    told = f"looking at {sum(map(len, pieces))} rows"
    with without_lines(_ABOUT_RESTARTS), stage(told, free_and_held), data_context(), original_errors():
        items = [{"number": number, "ids": piece.tolist()} for number, piece in enumerate(pieces)]
        found = (
            ray.data.from_items(items, override_num_blocks=len(items))
            .map(
                _Worker,
                fn_constructor_args=(make,),
                num_gpus=1 if gpu else None,
                concurrency=min(workers, len(pieces)),
            )
            .take_all()
        )
    found.sort(key=lambda line: line["number"])
    return np.concatenate([np.frombuffer(line["values"], np.float32).reshape(line["shape"]) for line in found])
