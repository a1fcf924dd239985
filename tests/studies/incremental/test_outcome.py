"""The file that a sequence of tasks leaves."""

import math
from dataclasses import replace

import numpy as np
import pytest
from small_sequences import synthetic_outcome

from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.studies.incremental.outcome import OUTCOME_FILE, Outcome


def test_an_outcome_comes_back_as_it_was_written(tmp_path):
    written = synthetic_outcome()
    written.write(tmp_path)
    read = Outcome.read(tmp_path)
    assert read.is_complete and math.isnan(read.tasks[0]["old_map"])
    for name, value in written.as_record().items():
        np.testing.assert_equal(read.as_record()[name], list(value) if isinstance(value, tuple) else value)
    assert read.overall["last_map"] == written.tasks[-1]["map"]


def test_an_outcome_of_some_tasks_says_so():
    whole = synthetic_outcome()
    assert not replace(whole, tasks=whole.tasks[:1]).is_complete


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


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"blocks": 3.5}, "blocks is no list"),
        ({"tasks": []}, "tasks lack their label_ap"),
        ({"tasks": [{"label_ap": [0.5, "x"]}]}, "tasks lack their label_ap"),
        ({"tasks": [{"label_ap": [0.5, 0.5]}, {"label_ap": [0.5]}]}, "label_ap becomes shorter"),
        (
            {"tasks": [{"label_ap": [0.5], "map": []}, {"label_ap": [0.5], "map": 0.5}]},
            "map is no number in every task",
        ),
    ],
)
def test_an_outcome_of_another_form_is_refused(tmp_path, changed, message):
    with pytest.raises(RunError, match=f"here: not the outcome of class-incremental learning: {message}"):
        Outcome.of_record(synthetic_outcome().as_record() | changed, "here")
