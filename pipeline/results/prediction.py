"""``predict``: probabilities and labels of all rows of a prepared data set, as Parquet."""

import shutil
from itertools import chain
from pathlib import Path

import pyarrow.parquet as pq

from ..common.cluster.session import ray_session
from ..common.errors import RunError
from ..common.stages import stage
from ..common.storage.json_files import write_json
from ..common.storage.local_paths import local_path
from ..common.storage.whole_files import temporary_beside
from ..data.manifest import Manifest
from ..runs.trained_run import TrainedRun, open_to_score
from .scoring import done_here, score, score_here, scoring


def predict(run: str | Path, data: str | Path, out: str | Path) -> Path:
    """Write predictions for every row of ``data`` into the folder ``out`` and return its path.

    The folder holds Parquet files with ``id`` int64, of images ``name`` (that of the file which was prepared),
    ``probabilities`` float32[L] and ``labels`` (the names of those above the run's threshold), and ``_labels.json``
    with the names of all labels, in the order of the probabilities, and the threshold.

    Args:
        run: a run's folder; of a run that was stopped the best epoch until then is taken.
        data: a prepared data set with the run's labels and input shape.
        out: a folder that does not exist yet.

    Raises:
        RunError: when ``out`` exists, or the run does not fit the data.
    """
    target = local_path(out, "OUT")
    if target.exists():
        raise RunError(f"{target}: exists already; predictions are not mixed with what is there")
    opened = open_to_score(run)
    manifest = Manifest.load(local_path(data, "data").resolve())
    temporary = temporary_beside(target.absolute())
    try:
        _write(opened, manifest, temporary)
        threshold = opened.config.train.threshold
        about = {"labels": list(opened.data.labels), "threshold": threshold, "rows": manifest.rows}
        write_json(temporary / "_labels.json", about)
        temporary.replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _write(run: TrainedRun, manifest: Manifest, folder: Path) -> None:
    """Write the Parquet files, from this process or from the tasks of Ray Data."""
    if not done_here(manifest):
        with ray_session(run.config.run), scoring(manifest.rows):
            score(run, manifest, None).write_parquet(str(folder))
        return
    tables = score_here(run, manifest, None)
    first = next(tables)
    folder.mkdir(parents=True)
    with (
        stage(f"scoring {manifest.rows} rows"),
        pq.ParquetWriter(folder / "part-00000.parquet", first.schema) as writer,
    ):
        for table in chain([first], tables):
            writer.write_table(table)
