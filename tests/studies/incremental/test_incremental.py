"""Whole sequences: every method from the first task to the last, kills, leaks, and what may not be mixed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_sequence import CLASSES, small_sequence, write_classes

from d2ace.pipeline.cli import main
from d2ace.pipeline.common.errors import ConfigError, RunError
from d2ace.pipeline.common.storage.json_files import as_json
from d2ace.pipeline.data import digit_scenes
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_labels
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.pipeline.runs.trained_run import TrainedRun
from d2ace.pipeline.selection.inherited import Inherited
from d2ace.pipeline.studies.incremental import learning
from d2ace.pipeline.studies.incremental.execution import incremental
from d2ace.pipeline.studies.incremental.folder import SequenceFolder
from d2ace.pipeline.studies.incremental.learning import Learning
from d2ace.pipeline.studies.incremental.memory import Memory
from d2ace.pipeline.studies.incremental.methods import api as methods
from d2ace.pipeline.studies.incremental.outcome import Outcome
from d2ace.pipeline.studies.incremental.task_model import TaskModel
from d2ace.pipeline.studies.incremental.tasks import Tasks
from d2ace.pipeline.training.answers import Answers
from d2ace.pipeline.training.loop import Hook
from d2ace.selectors.common.label_matrix import LabelMatrix, Origin


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_classes(tmp_path_factory.mktemp("classes") / "data")


@pytest.fixture(scope="module")
def learned(data, tmp_path_factory):
    """Return the folder and the outcome of a method's whole sequence; each is learned once."""
    place, known = tmp_path_factory.mktemp("sequences"), {}

    def of(method: str) -> tuple[SequenceFolder, Outcome]:
        if method not in known:
            folder = SequenceFolder(place / method)
            known[method] = folder, incremental(small_sequence(data, method), folder.path, quiet=True)
        return known[method]

    return of


def weights(folder: SequenceFolder, task: int) -> dict[str, torch.Tensor]:
    return TrainedRun.open(folder.task(task).run).weights()


def head(folder: SequenceFolder, task: int) -> torch.Tensor:
    return weights(folder, task)["layers.3.weight"]


def contents(folder: SequenceFolder) -> dict[str, object]:
    """What a sequence learned, without what measuring its relabelled entries needs the truth for."""
    found: dict[str, object] = {}
    for task in (1, 2):
        at = folder.task(task)
        found |= {f"{task} {path.name}": path.read_bytes() for path in sorted(at.data.glob("*.parquet"))}
        found |= {f"{task} {name}": tensor.numpy().tobytes() for name, tensor in weights(folder, task).items()}
        found |= {f"{task} {path.name}": path.read_bytes() for path in sorted((at.run / "order").iterdir())}
        if at.memory.is_file():
            memory = Memory.load(at.memory).known
            found |= {f"{task} {name}": getattr(memory, name).tobytes() for name in ("rows", "values", "origins")}
    return found


@pytest.mark.parametrize("method", methods.names())
def test_every_method_learns_all_tasks_and_leaves_its_numbers(method, learned):
    folder, outcome = learned(method)
    assert outcome.is_complete
    assert outcome.classes == list(CLASSES)
    assert [len(task["label_ap"]) for task in outcome.tasks] == [2, 5]
    assert 0 < outcome.overall["last_map"] <= 1
    assert Outcome.read(folder.path).overall["last_map"] == outcome.overall["last_map"]
    assert Manifest.load(folder.task(2).data).labels == CLASSES
    config = TrainedRun.open(folder.task(2).run).config
    assert (config.model.initial is None) == (method == "joint")
    assert (config.train.distillation is not None) == (method in ("akd", "der++", "kd", "lwf", "pod-flat", "rebll"))
    assert folder.task(2).memory.is_file() == (methods.REGISTRY.find(method).replay != "never")


def test_exemplars_that_are_not_recognised_may_have_the_new_classes(data, tmp_path):
    """Then a row is stored once, with old labels only, and what the current model fills in can be right."""
    folder = SequenceFolder(tmp_path / "sequence")
    memory = {"kind": "random", "per_class": 12, "recognised": False}
    incremental(small_sequence(data, memory=memory), folder.path, quiet=True)
    tasks, truth = Tasks.load(folder.tasks), read_labels(Manifest.load(data)).dense()
    held, after = Memory.load(folder.task(1).memory).known, Memory.load(folder.task(2).memory).known
    again = np.isin(after.rows, np.intersect1d(held.rows, tasks.rows[1]))
    assert again.any() and len(np.unique(after.rows)) == len(after.rows)
    upper = after.origins[again][:, 2:]
    assert (upper == Origin.CURRENT_MODEL).all()
    assert truth[after.rows[again]][:, tasks.order[2:]].any(axis=1).all()
    seen = Manifest.load(folder.task(2).data)
    assert seen.rows == len(tasks.rows[1]) + len(held.rows)


@pytest.mark.parametrize("method", methods.names())
def test_a_method_is_told_what_it_may_know_and_no_more(method, data, learned):
    folder, _ = learned(method)
    tasks, truth = Tasks.load(folder.tasks), read_labels(Manifest.load(data)).dense()
    labels = read_labels(Manifest.load(folder.task(2).data)).dense()
    if method == "joint":
        assert len(labels) == len(np.union1d(*tasks.rows))
        assert not np.isnan(labels).any()
        return
    path = folder.task(1).memory
    held = Memory.load(path).known.rows if path.is_file() else np.zeros(0, np.int64)
    rows = np.union1d(tasks.rows[1], held)
    expected = truth[rows]
    expected[~np.isin(rows, held), :2] = np.nan
    expected[~np.isin(rows, tasks.rows[1]), 2:] = np.nan
    if method == "pseudo-labels":
        filled = np.isin(rows, tasks.rows[1])[:, None] & np.isnan(expected) & (np.arange(5) < 2)
        assert filled.sum() > 10 and set(np.unique(labels[filled])) == {0, 1}
        labels[filled] = np.nan
    np.testing.assert_array_equal(labels, expected)


def test_old_lines_of_the_head_are_still_where_nothing_is_known_of_their_classes(data, tmp_path):
    """No gradient comes from unknown columns: without decay, fine-tuning leaves them where task 1 put them."""
    still = {"config": {**small_sequence(data).config, "optimizer": {"lr": 0.03, "weight_decay": 0}}}
    folder = SequenceFolder(tmp_path / "out")
    incremental(small_sequence(data, "fine-tune", **still), folder.path, quiet=True)
    assert torch.equal(head(folder, 2)[:2], head(folder, 1))
    assert not torch.equal(weights(folder, 2)["layers.0.weight"], weights(folder, 1)["layers.0.weight"])


def test_relabelling_fills_the_memory_and_nothing_else(learned):
    (filled, outcome), (plain, _) = learned("rebll"), learned("akd")
    after, before = (Memory.load(folder.task(2).memory).known for folder in (filled, plain))
    assert not np.isnan(after.values).any() and np.isnan(before.values).any()
    np.testing.assert_array_equal(after.values[~np.isnan(before.values)], before.values[~np.isnan(before.values)])
    assert set(np.unique(after.origins)) == {Origin.GIVEN, Origin.PAST_MODEL, Origin.CURRENT_MODEL}
    assert outcome.relabelling[0]["both"]["entries"] == np.isnan(before.values).sum()


def test_stored_logits_are_those_of_the_task_that_stored_the_row(data, learned):
    folder, _ = learned("der++")
    first, second = (Memory.load(folder.task(task).memory) for task in (1, 2))
    reader = ShardRows(Manifest.load(data), images=False).open()
    stayed, places = np.isin(second.known.rows, first.known.rows), np.isin(first.known.rows, second.known.rows)
    assert stayed.any() and not stayed.all()
    np.testing.assert_array_equal(second.logits[stayed][:, :2], first.logits[places])
    assert np.isnan(second.logits[stayed][:, 2:]).all()
    model = TaskModel(folder.task(2).run, reader)
    np.testing.assert_allclose(second.logits[~stayed], model.logits(second.known.rows[~stayed]), rtol=1e-5, atol=1e-6)
    answers = Answers.load(TrainedRun.open(folder.task(2).run).config.train.distillation.answers)
    np.testing.assert_array_equal(answers.logits, first.logits)
    assert len(answers.row_ids) == len(first.known.rows)


@pytest.mark.parametrize("recognised", [True, False])
def test_exemplars_bring_along_what_selection_saw_of_them(data, learned, tmp_path, recognised):
    """The run of the second task starts from what the first one's selection knew of these rows."""
    folder = SequenceFolder(tmp_path / "out")
    if recognised:
        folder, _ = learned("er")
    else:
        memory = {"per_class": 12, "recognised": False}
        incremental(small_sequence(data, "er", memory=memory), folder.path, quiet=True)
    tasks, held = Tasks.load(folder.tasks), Memory.load(folder.task(1).memory).known.rows
    run = TrainedRun.open(folder.task(2).run)
    found = Inherited.load(run.config.selector.inherit)
    last = CheckpointStore(folder.task(1).run / "checkpoints").selection_states()[-1].selection_state()["selector"]
    there = np.searchsorted(tasks.rows[0], held)
    assert last["visits"].max() > 1 and last["predictions"].shape[2] == 2
    for name in ("predictions", "visits", "flip", "last_loss"):
        np.testing.assert_array_equal(found.seen[name], last[name][there])
    reader = ShardRows(Manifest.load(folder.task(2).data), images=False).open()
    source = ShardRows(Manifest.load(data), images=False).open()
    np.testing.assert_array_equal(reader.gather(found.row_ids).features, source.gather(held).features)
    labels = read_labels(Manifest.load(folder.task(2).data)).dense(found.row_ids)
    assert not np.isnan(labels[:, :2]).any()  # the copy with the old labels, where a row is there twice
    states = CheckpointStore(folder.task(2).run / "checkpoints").selection_states()
    after_one = states[0].selection_state()["selector"]["visits"]
    others = np.setdiff1d(np.arange(len(after_one)), found.row_ids)
    np.testing.assert_array_equal(after_one[found.row_ids], found.seen["visits"] + 1)
    assert (after_one[others] == 1).all()


class _Kill(Hook):
    """Ends the run after a step of its last epoch, as a kill would."""

    def after_batch(self, training, epoch, step):
        if epoch.number == 1 and step.number == 1:
            raise KeyboardInterrupt


def test_a_killed_sequence_goes_on_with_the_next_batch_of_its_task_and_ends_as_if_unbroken(
    data, learned, tmp_path, monkeypatch
):
    from d2ace.pipeline.training import whole_run

    (unbroken, outcome), folder = learned("rebll"), SequenceFolder(tmp_path / "out")
    settings = small_sequence(data).config
    sequence = small_sequence(data, config={**settings, "run": {"workers": 0, "checkpoint_steps": 1}})
    original, made = whole_run.TellProgress, []

    def second_one_kills(events):
        made.append(_Kill() if len(made) == 1 else original(events))
        return made[-1]

    monkeypatch.setattr(whole_run, "TellProgress", second_one_kills)
    with pytest.raises(KeyboardInterrupt) as caught:
        incremental(sequence, folder.path, quiet=True)
    (note,) = caught.value.__notes__
    assert note.startswith("go on with: d2ace incremental ") and note.endswith(" --resume")
    first = (folder.task(1).run / "model.pt").stat().st_mtime_ns
    assert folder.task(1).read_record() is not None and folder.task(2).read_record() is None
    with pytest.raises(RunError, match="a sequence was begun here; go on with it: --resume"):
        incremental(sequence, folder.path, quiet=True)
    again = incremental(sequence, folder.path, go_on=True, quiet=True)
    assert len(made) == 3  # the first task was not trained again
    assert (folder.task(1).run / "model.pt").stat().st_mtime_ns == first
    assert contents(folder) == contents(unbroken)
    assert again.overall["last_map"] == outcome.overall["last_map"]
    monkeypatch.setattr(learning, "fit", lambda *_, **__: pytest.fail("a finished task was trained again"))
    assert incremental(sequence, folder.path, go_on=True, quiet=True).is_complete


def test_absurd_hidden_labels_change_nothing_that_is_learned(data, learned, tmp_path):
    """Of a training row all labels of tasks that it is not in are replaced, the cut into tasks stays."""
    unpoisoned, outcome = learned("rebll")
    tasks, manifest = Tasks.load(unpoisoned.tasks), Manifest.load(data)
    truth = read_labels(manifest)
    absurd = truth.dense()
    hidden = np.zeros(absurd.shape, bool)
    hidden[np.unique(np.concatenate(tasks.rows))] = True
    for number in (1, 2):
        hidden[np.ix_(tasks.rows[number - 1], tasks.columns(number))] = False
    absurd[hidden] = np.resize([1.0, 0.5, np.nan], hidden.sum())
    assert hidden.sum() > 50
    folder = SequenceFolder(tmp_path / "out")
    learning = Learning(
        small_sequence(data),
        folder,
        tasks,
        ShardRows(manifest, images=False),
        LabelMatrix.of(absurd),
        truth,
        quiet=True,
    )
    assert as_json(learning.all_tasks().overall) == as_json(outcome.overall)
    assert contents(folder) == contents(unpoisoned)


def test_a_folder_is_of_one_sequence_and_of_its_data(data, learned, tmp_path):
    folder, _ = learned("fine-tune")
    sequence = small_sequence(data, "fine-tune")
    with pytest.raises(ConfigError, match=r"seed: not what .* was begun with"):
        incremental(small_sequence(data, "fine-tune", seed=3), folder.path, go_on=True)
    with pytest.raises(RunError, match="no sequence was begun here"):
        incremental(sequence, tmp_path / "none", go_on=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter").touch()
    with pytest.raises(RunError, match="exists and holds something else"):
        incremental(sequence, tmp_path / "other")
    changed = replace(Manifest.load(data), labels=("ant", "bee", "cat", "dog", "elk"), folder=tmp_path)
    for path in Path(data).glob("*.parquet"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    changed.save()
    with pytest.raises(RunError, match="no longer what this sequence was begun with"):
        incremental(small_sequence(tmp_path, "fine-tune"), folder.path, go_on=True)


def test_images_a_backbone_and_a_query_head_learn_as_tables_do(tmp_path):
    """One whole sequence, since all of them have code of their own on the way from a task to the next."""
    pytest.importorskip("transformers")
    digit_scenes.build(tmp_path / "digits", rows=100)
    resnet = {"embedding_size": 8, "hidden_sizes": [8], "depths": [1], "layer_type": "basic"}
    head = {"head": "query", "head_options": {"width": 8, "attention_heads": 2, "queries": 10}}
    config = {
        "model": {"name": "huggingface", "options": {"architecture": "resnet", "config": resnet, **head}},
        "images": {"size": 16, "flip": 0.5},
        "selector": {"name": "uniform"},
        "train": {"epochs": 1, "batch_size": 32, "ema": 0.5},
        "run": {"workers": 0},
    }
    values = {"protocol": "B0-C5", "config": config, "memory": {"per_class": 2}, "class_order": "seeded"}
    folder = SequenceFolder(tmp_path / "out")
    outcome = incremental(small_sequence(tmp_path / "digits", **values), folder.path, quiet=True)
    assert [len(task["label_ap"]) for task in outcome.tasks] == [5, 10]
    first, second = (TrainedRun.open(folder.task(task).run) for task in (1, 2))
    assert second.data.scaler.to_dict() == first.data.scaler.to_dict()
    assert [tuple(run.weights()["head.queries"].shape) for run in (first, second)] == [(5, 8), (10, 8)]
    few = {**config, "model": {"name": "huggingface", "options": {**config["model"]["options"]}}}
    few["model"]["options"]["head_options"] = {**head["head_options"], "queries": 6}
    with pytest.raises(ConfigError, match=r"head_options\.queries of at least the number of all labels"):
        incremental(small_sequence(tmp_path / "digits", **{**values, "config": few}), tmp_path / "few")


def test_the_command_learns_goes_on_and_prints_a_table(data, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small_sequence(data, "er", protocol="B4-C1").save(tmp_path / "s.yaml")
    assert main(["incremental", "s.yaml", "out"]) == 0
    shown = capsys.readouterr().out
    assert "task 2 of 2: eel; " in shown and " exemplars\n" in shown
    assert "epoch   2/2" in shown
    assert "er (B4-C1): average mAP 0." in shown
    assert shown.endswith("outcome: out/outcome.json\n")
    assert main(["incremental", "s.yaml", "out"]) == 2
    assert main(["incremental", "s.yaml", "out", "--resume"]) == 0
    assert "epoch" not in capsys.readouterr().out
