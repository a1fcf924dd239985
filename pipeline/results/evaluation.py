"""``evaluate``: the metrics of a run on some rows."""

import logging
from pathlib import Path

from ..common.errors import DataError
from ..common.storage.any_path import AnyPath
from ..common.storage.locations import Location
from ..data.manifest import Manifest
from ..data.shards import read_labels
from ..data.support import support_of
from ..runs.decisions import decisions_of
from ..runs.own_data import own_data
from ..runs.trained_run import open_to_score
from ..training.metrics import evaluate_predictions
from .decisions.quality import at_chosen_thresholds
from .judged_rows import Split, rows_of
from .scoring import probabilities_of

_log = logging.getLogger("d2ace")
_CHOSEN_HERE = "%s: F1 @chosen is too good here: these rows chose the thresholds; d2ace decide says what others give"


def evaluate(run: "str | AnyPath", data: str | Path | None = None, *, split: Split = "test") -> dict[str, float]:
    """Return the metrics of a run's best weights; of a run that was stopped, of its best epoch until then.

    Decisions are those of the run's threshold. Where thresholds were chosen (``decide``), F1 at these is there too, as
    ``macro_f1@chosen`` and ``micro_f1@chosen``. Unknown labels count in no metric; the log then says what the metrics
    rest on.

    Args:
        run: the run folder.
        data: another prepared data set, or the run's own in another place; None for the run's own.
        split: which rows: of the run's own data those of the run's splits, of other data those its source marked so.

    Raises:
        DataError: when there are no such rows.
        RunError: when the run has no validated epoch, does not fit the data, or its own data has changed or is gone.
    """
    opened = open_to_score(run)
    if data is None:
        manifest = own_data(opened.folder, opened.config, opened.data)
    else:
        manifest = Manifest.load(Location.of(data).resolved())
    wanted = rows_of(opened, manifest, split)
    if not len(wanted):
        raise DataError(f"{manifest.folder}: no rows are marked {split!r}; split 'all' takes all of them")
    labels = read_labels(manifest)
    if not labels.take(wanted).positive_counts().any():
        raise DataError(f"{manifest.folder}: none of these {len(wanted)} rows has a label, so nothing can be judged")
    if not labels.is_complete:
        _log.warning("%s: %s", manifest.folder, support_of(labels, wanted).sentence())
    ids, probabilities = probabilities_of(opened, manifest, wanted)
    truth = labels.dense(ids)
    metrics = evaluate_predictions(probabilities, truth, opened.config.train.threshold)
    if decisions := decisions_of(opened):
        if split != "test" and manifest.fingerprint() == opened.data.fingerprint:
            _log.warning(_CHOSEN_HERE, opened.folder.path)
        metrics |= at_chosen_thresholds(probabilities > decisions.raw_thresholds, truth)
    return metrics
