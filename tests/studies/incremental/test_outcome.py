"""The file that a sequence of tasks leaves."""

import math

import numpy as np
import pytest

from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.studies.incremental.metrics import relabelling_quality, task_metrics
from d2ace.pipeline.studies.incremental.outcome import OUTCOME_FILE, Outcome


def outcome(**other):
    rng = np.random.default_rng(0)
    blocks, tasks, relabelling = (2, 1), [], []
    for task in range(2):
        classes = sum(blocks[: task + 1])
        truth = (rng.random((40, classes)) < 0.4).astype(float)
        tasks.append(task_metrics(rng.random((40, classes)), truth, blocks[: task + 1]))
        origins = rng.integers(0, 4, truth.shape).astype(np.uint8)
        relabelling.append(relabelling_quality(truth, origins, truth))
    given = {
        "name": "er",
        "data": "digits",
        "protocol": "B0-C2",
        "order": "alphabetical",
        "seed": 0,
        "classes": ["a", "b", "c"],
        "blocks": list(blocks),
        "tasks": tasks,
        "relabelling": relabelling,
        "seconds": [1.0, 2.0],
    }
    return Outcome(**given | other)


def test_an_outcome_comes_back_as_it_was_written(tmp_path):
    written = outcome()
    written.write(tmp_path)
    read = Outcome.read(tmp_path)
    assert read.is_complete and math.isnan(read.tasks[0]["old_map"])
    np.testing.assert_equal(read.as_record(), written.as_record())
    assert read.overall["last_map"] == written.tasks[-1]["map"]


def test_an_outcome_of_some_tasks_says_so(tmp_path):
    assert not outcome(tasks=outcome().tasks[:1]).is_complete


@pytest.mark.parametrize(
    ("text", "message"),
    [("[]", "expected a mapping, got list"), ("{", "cannot be read"), ('{"schema": 7}', r"this version writes \(7\)")],
)
def test_a_file_that_is_no_outcome_is_refused(tmp_path, text, message):
    (tmp_path / OUTCOME_FILE).write_text(text)
    with pytest.raises(RunError, match=message):
        Outcome.read(tmp_path)


def test_a_folder_without_an_outcome_is_refused(tmp_path):
    with pytest.raises(RunError, match="No such file"):
        Outcome.read(tmp_path)
