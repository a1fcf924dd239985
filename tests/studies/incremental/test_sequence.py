"""The description of a sequence: complete, reloadable, and clear about what is wrong before anything starts."""

from dataclasses import replace

import numpy as np
import pytest
import yaml
from scipy.sparse import csr_array
from small_sequence import CLASSES, ROWS, small_sequence, tasks_of, write_classes

from d2ace.pipeline.common.errors import ConfigError, DataError
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.splits import Splits
from d2ace.pipeline.studies.incremental.execution import incremental
from d2ace.pipeline.studies.incremental.methods import api as methods
from d2ace.pipeline.studies.incremental.sequence import TaskSequence
from d2ace.pipeline.studies.incremental.tasks import Tasks, class_blocks, class_order, make_tasks

MINIMAL = {"name": "s", "data": {"path": "x"}, "protocol": "B0-C2", "method": {"name": "fine-tune"}}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_classes(tmp_path_factory.mktemp("classes") / "data")


def test_relative_paths_are_those_of_the_file_and_a_saved_sequence_reloads_equal(tmp_path, monkeypatch):
    values = {**MINIMAL, "data": {"path": "data/x"}, "config": {"selector": {"neighbour_features": "near.npy"}}}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(values))
    sequence = TaskSequence.load(tmp_path / "s.yaml")
    assert sequence.data.path == str(tmp_path / "data" / "x")
    assert sequence.config["selector"]["neighbour_features"] == str(tmp_path / "near.npy")
    sequence.save(tmp_path / "again.yaml")
    assert TaskSequence.load(tmp_path / "again.yaml") == sequence
    monkeypatch.chdir(tmp_path)
    assert TaskSequence.make(values).with_absolute_paths() == sequence


WRONG = [
    ({"protocl": "B0-C2"}, "unknown key 'protocl'; did you mean 'protocol'"),
    ({"protocol": "B0C2"}, r"protocol: expected Bi-Cj, for example B0-C10 or B40-C10 \(got 'B0C2'\)"),
    ({"protocol": "B0-C0"}, "protocol: expected Bi-Cj"),
    ({"method": {"name": "fine-tun"}}, "no incremental method is called 'fine-tun'; did you mean 'fine-tune'"),
    ({"method": {"name": "kd", "options": {"wight": 1}}}, "has no setting 'wight'; did you mean 'weight'"),
    ({"method": {"name": "lwf", "options": {"weight": -1}}}, "weight of incremental method 'lwf' must be a number"),
    ({"method": {"name": "akd", "options": {"form": "kdd"}}}, "form of incremental method 'akd' cannot be 'kdd'"),
    ({"method": {"name": "akd", "options": {"loss": "hill"}}}, "loss of incremental method 'akd' cannot be 'hill'"),
    ({"method": {"name": "er"}}, r"replays exemplars: set memory, for example {per_class: 20}"),
    ({"memory": {"per_class": 2}}, "method 'fine-tune' keeps no exemplars: leave out memory"),
    ({"method": {"name": "er"}, "memory": {}}, "a memory needs either 'per_class' or 'total'"),
    ({"method": {"name": "er"}, "memory": {"kind": "hearding", "total": 9}}, "did you mean 'herding'"),
    ({"method": {"name": "er"}, "memory": {"kind": "reservoir", "per_class": 2}}, "reservoir.*total"),
    ({"relabelling": {"labels": "soft"}}, "method 'fine-tune' makes no labels of predictions: leave out relabelling"),
    ({"config": {"run": {"seed": 1}}}, "config.run.seed is decided by the sequence"),
    ({"later": {"data": {"path": "y"}}}, "later.data is decided by the sequence"),
    (
        {"method": {"name": "rebll"}, "first": {"train": {"loss": "bce"}}},
        "first.train.loss is decided by method 'rebll'",
    ),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_what_is_wrong_is_told_with_what_was_expected(changes, message):
    with pytest.raises(ConfigError, match=message):
        TaskSequence.make(MINIMAL | changes)


UNFIT = [
    ("fine-tune", {"protocol": "B5-C1"}, ConfigError, "the first task would have 5 classes, the data has 5"),
    ("fine-tune", {"class_order": ["ant"]}, ConfigError, "expected each class once, got 'bee' 0 times"),
    ("fine-tune", {"class_order": ["ant", "ant", *CLASSES[1:]]}, ConfigError, "got 'ant' 2 times"),
    ("fine-tune", {"class_order": ["aunt"]}, ConfigError, "no class is called 'aunt'; did you mean 'ant'"),
    ("er", {"memory": {"total": 4}}, ConfigError, "memory.total=4: expected at least a row for each of 5 classes"),
    ("fine-tune", {"config": {"train": {"epoch": 1}}}, ConfigError, "task 1: unknown key 'train.epoch'; did you mean"),
    ("fine-tune", {"later": {"model": {"options": {"hiden": []}}}}, ConfigError, "task 2: .*did you mean 'hidden'"),
    ("fine-tune", {"config": {"model": {"name": "c2ae"}}}, ConfigError, "has a loss of its own"),
    ("fine-tune", {"config": {"model": {"name": "clif"}}}, ConfigError, "network 'clif' cannot grow by labels"),
    ("er", {"config": {"model": {"name": "clif"}}}, ConfigError, "cannot grow by labels"),
    (
        "fine-tune",
        {"later": {"selector": {"entries": {"policy": "correct"}}}},
        ConfigError,
        "task 2: selector.entries: policy 'correct' counts wrong labels on validation rows, and tasks have none",
    ),
]


@pytest.mark.parametrize(("method", "changes", "error", "message"), UNFIT)
def test_what_does_not_fit_the_data_is_told_before_anything_is_written(method, changes, error, message, data, tmp_path):
    with pytest.raises(error, match=message):
        incremental(small_sequence(data, method, **changes), tmp_path / "out", quiet=True)
    assert not (tmp_path / "out").exists()


def test_data_that_is_not_there_and_tasks_without_rows_are_told(data, tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        incremental(small_sequence(tmp_path / "nowhere"), tmp_path / "out", quiet=True)
    manifest, none = Manifest.load(data), csr_array((ROWS, len(CLASSES)), dtype=np.uint8)
    splits = Splits(np.arange(8), np.zeros(0, np.int64), np.arange(8, 9))
    with pytest.raises(DataError, match="task 1 has no row: none is positive in ant, bee"):
        make_tasks(small_sequence(data), manifest, none, splits)
    with pytest.raises(DataError, match="no test rows"):
        make_tasks(small_sequence(data), manifest, none, replace(splits, test=np.zeros(0, np.int64)))
    all_but_one = csr_array(
        np.array([[row != 8 or column > 1 for column in range(len(CLASSES))] for row in range(ROWS)])
    )
    with pytest.raises(DataError, match="no test row for the first task: none is positive in ant, bee"):
        make_tasks(small_sequence(data), manifest, all_but_one, splits)
    make_tasks(small_sequence(data), manifest, all_but_one, replace(splits, test=np.arange(7, 9)))


def test_each_task_has_settings_and_randomness_of_its_own(tmp_path):
    sequence = small_sequence(tmp_path, "kd", first={"optimizer": {"lr": 0.5}}, later={"optimizer": {"lr": 0.25}})
    first, second, third = (sequence.run_config(k, tmp_path, "past" if k > 1 else None) for k in (1, 2, 3))
    assert [config.optimizer.lr for config in (first, second, third)] == [0.5, 0.25, 0.25]
    assert len({config.run.seed for config in (first, second, third)}) == 3
    assert first.model.initial is None and first.train.distillation is None
    assert second.model.initial == second.train.distillation.teacher == "past"
    assert second.data.validation_fraction == second.data.test_fraction == 0


@pytest.mark.parametrize("method", methods.names())
def test_the_settings_of_every_method_are_those_of_a_run(method, tmp_path):
    sequence = small_sequence(tmp_path, method)
    for number, past in ((1, None), (2, "past")):
        config = sequence.run_config(number, tmp_path, past)
        assert (config.model.initial is not None) == (sequence.made.continues and number > 1)


@pytest.mark.parametrize(
    ("protocol", "blocks"), [("B0-C2", (2, 2, 1)), ("B2-C3", (2, 3)), ("B4-C3", (4, 1)), ("B0-C1", (1,) * 5)]
)
def test_a_protocol_says_how_many_classes_each_task_has(protocol, blocks, tmp_path):
    assert class_blocks(small_sequence(tmp_path, protocol=protocol), len(CLASSES)) == blocks


def test_classes_arrive_in_the_order_that_is_asked_for(tmp_path):
    names = ("dog", "ant", "eel", "bee", "cat")
    made = {
        order: class_order(small_sequence(tmp_path, class_order=order), names) for order in ("alphabetical", "seeded")
    }
    assert [names[place] for place in made["alphabetical"]] == sorted(names)
    assert sorted(made["seeded"]) == list(range(5))
    other = class_order(small_sequence(tmp_path, class_order="seeded", seed=1), names)
    assert not np.array_equal(made["seeded"], other)
    given = class_order(small_sequence(tmp_path, class_order=["eel", "bee", "cat", "dog", "ant"]), names)
    assert given.tolist() == [2, 3, 4, 0, 1]


def test_a_row_is_in_each_task_in_which_it_has_a_positive(data, tmp_path):
    tasks, labels, splits = tasks_of(data, protocol="B0-C2")
    for number in (1, 2, 3):
        positive = (labels[:, tasks.columns(number)] == 1).any(axis=1)
        assert tasks.rows[number - 1].tolist() == [row for row in splits.train if positive[row]]
    assert len(np.intersect1d(tasks.rows[0], tasks.rows[1])) > 0
    tasks.save(tmp_path / "tasks.npz")
    again = Tasks.load(tmp_path / "tasks.npz")
    assert again.blocks == tasks.blocks
    for one, other in zip((again.order, *again.rows, again.test), (tasks.order, *tasks.rows, tasks.test), strict=True):
        np.testing.assert_array_equal(one, other)
