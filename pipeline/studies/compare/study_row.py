"""The row of one run in the table of a comparison."""

import json
import logging
import platform
from datetime import UTC, datetime
from typing import Any

from ...common.storage.any_path import AnyPath
from ..origin import package_version
from .rivals import api as rivals
from .study import StudyRun
from .study_run import train_run


def run_to_row(run: StudyRun, neighbours: AnyPath, tested: bool = True) -> dict[str, Any]:
    """Train one run in a Ray worker and return its row; a failure becomes part of it.

    Args:
        run: what to train.
        neighbours: folder of the neighbours that runs of the same data share.
        tested: whether test rows are looked at.
    """
    log, row = logging.getLogger("d2ace"), beginning_of_row(run)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        row |= train_run(run, neighbours, tested=tested) | {"error": None}
    except Exception as error:
        row |= {"error": f"{type(error).__name__}: {error}"}
    finally:
        log.setLevel(level)
    return row | {"finished": now()}


def beginning_of_row(run: StudyRun) -> dict[str, Any]:
    """Return the columns of a row that are known before the run is trained."""
    config, rival = run.config.model_dump(mode="json"), run.rival
    if rival is not None:  # it has no batches to select
        config["selector"] = rival.model_dump(mode="json")
    return {
        **names_of(run),
        "selector": run.config.selector.name if rival is None else None,
        "rival": None if rival is None else rivals.get(rival.name).family,
        "config": json.dumps(config, sort_keys=True),
        "protocol": run.study.protocol,
        "version": package_version("d2ace"),
        "machine": platform.processor() or platform.machine(),
    }


def now() -> str:
    """Return the time in UTC, for column ``finished``."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def names_of(run: StudyRun) -> dict[str, Any]:
    """Return the columns of a row that name the run in its study."""
    return {
        "key": run.key,
        "study": run.study.name,
        "data": run.data,
        "network": run.network,
        "method": run.method,
        "tuned": run.tuned,
        "known": run.known,
        "fold": run.fold,
        "seed": run.seed,
        "reference": run.method == run.study.reference,
    }
