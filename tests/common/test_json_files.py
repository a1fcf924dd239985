"""What is called JSON is JSON: no NaN, no infinity, and a way back."""

import json
import math

import numpy as np
import pytest

from d2ace.pipeline.cli import main
from d2ace.pipeline.common.storage.json_files import (
    append_json_lines,
    as_json,
    drop_torn_line,
    read_json_lines,
    write_json_lines,
)
from d2ace.pipeline.common.storage.json_text import parse_json
from d2ace.pipeline.runs.run_folder import RunFolder


def strict(text):
    """Parse as a strict reader does, to which NaN is a fault."""
    return json.loads(text, parse_constant=lambda word: (_ for _ in ()).throw(ValueError(word)))


def test_numbers_that_are_not_finite_become_null_wherever_they_stand():
    value = {"a": math.nan, "b": [1.5, -math.inf, (math.inf,)], "c": {"d": np.float32("nan"), "e": np.array([1, 2])}}
    assert strict(as_json(value)) == {"a": None, "b": [1.5, None, [None]], "c": {"d": None, "e": [1, 2]}}


def test_lines_come_back_with_nan_and_old_files_too(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write_json_lines(path, [{"epoch": 0, "map": math.nan}])
    append_json_lines(path, [{"epoch": 1, "scores": [math.nan, 0.5]}])
    assert [strict(line) for line in path.read_text().splitlines()] == [
        {"epoch": 0, "map": None},
        {"epoch": 1, "scores": [None, 0.5]},
    ]
    first, second = read_json_lines(path)
    assert math.isnan(first["map"]) and math.isnan(second["scores"][0]) and second["scores"][1] == 0.5
    path.write_text('{"epoch": 0, "map": NaN}\n{"epoch": 1, "ma')  # of an older version; and a kill
    (old,) = read_json_lines(path)
    assert math.isnan(old["map"])


def test_a_line_that_is_cut_off_within_a_character_is_left_out_and_dropped(tmp_path):
    path, records = tmp_path / "outcomes.jsonl", [{"name": "a"}, {"name": "fluß"}, {"name": "日本"}]
    write_json_lines(path, records)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        kept = records[: whole[:size].count(b"\n")]
        assert read_json_lines(path) == kept
        drop_torn_line(path)
        append_json_lines(path, [{"name": "new"}])
        assert read_json_lines(path) == [*kept, {"name": "new"}]
    path.write_bytes(b'{"name": "a"}\n{"name": "\xc3"}\n')
    with pytest.raises(ValueError, match=r"line 2: 'utf-8' codec can't decode"):
        read_json_lines(path)


def test_files_of_a_run_hold_null_and_its_readers_see_nan(tmp_path):
    run = RunFolder(tmp_path)
    assert run.read_result() is None
    run.write_result({"best_epoch": 1, "best_value": None, "test": {"map": math.nan, "macro_auc": 0.5}})
    assert strict(run.result.read_text())["test"] == {"map": None, "macro_auc": 0.5}
    result = run.read_result()
    assert result is not None and math.isnan(result["test"]["map"]) and result["best_value"] is None
    run.write_metrics([{"epoch": 0, "macro_auc": math.nan}])
    assert strict(run.metrics.read_text()) == {"epoch": 0, "macro_auc": None}
    assert math.isnan(run.read_metrics()[0]["macro_auc"])


@pytest.mark.parametrize("text", ['["\\ud800"]', '{"\\udc00": 1}', '"\\ud83d\\ud83d"', b'"\xed\xa0\x80"'])
def test_half_of_a_character_is_refused(text):
    with pytest.raises(ValueError, match=r"half of a character|codec can't decode"):
        parse_json(text)


def test_whole_characters_are_read_however_they_are_written():
    assert parse_json('["\\ud83d\\ude00", "\\\\ud800"]') == ["\U0001f600", "\\ud800"]
    assert parse_json('"\u00e9"'.encode("utf-16")) == "\u00e9"


def test_evaluate_prints_json(monkeypatch, capsys):
    monkeypatch.setattr("d2ace.pipeline.results.evaluation.evaluate", lambda *_, **__: {"macro_auc": math.nan})
    monkeypatch.setattr("d2ace.pipeline.command.verbs.evaluate.require_run", lambda run: None)
    assert main(["evaluate", "run"]) == 0
    assert strict(capsys.readouterr().out) == {"macro_auc": None}
