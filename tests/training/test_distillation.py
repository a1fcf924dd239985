"""A run with a teacher: it starts from an earlier run, keeps what that run says, and never changes it."""

import shutil

import numpy as np
import pytest
import torch
from small_config import small_config
from small_table import N_FEATURES

from d2ace.pipeline import fit
from d2ace.pipeline.common.config.sections import DistillationSection
from d2ace.pipeline.common.errors import ConfigError, RunError
from d2ace.pipeline.data.manifest import SPLITS, Manifest
from d2ace.pipeline.data.rows import Rows
from d2ace.pipeline.data.shard_writer import ShardWriter
from d2ace.pipeline.feeds.api import Part
from d2ace.pipeline.models.api import ModelContext, Output
from d2ace.pipeline.runs.run_folder import RunFolder
from d2ace.pipeline.runs.trained_run import TrainedRun
from d2ace.pipeline.training.answers import Answers
from d2ace.pipeline.training.changes import require_same_run
from d2ace.pipeline.training.distillation import teacher_digest, teacher_of
from d2ace.pipeline.training.driver import resume
from d2ace.pipeline.training.initial_weights import initial_scaler
from d2ace.pipeline.training.learner import Learner
from d2ace.pipeline.training.micro_batch import MicroBatch
from d2ace.selectors.common.label_matrix import LabelMatrix

OLD, ALL, ROWS = 2, 4, 60
CPU = torch.device("cpu")


def write(folder, labels, shift):
    """A table whose last two labels alone are known when there are four, as in a second task."""
    rng = np.random.default_rng(labels)
    features = rng.normal(size=(ROWS, N_FEATURES)).astype(np.float32) + shift
    truth = (features @ rng.normal(size=(N_FEATURES, labels)) > 0.5).astype(np.float32)
    if labels == ALL:
        truth[:, :OLD] = np.nan
    names = [f"label{j}" for j in range(labels)]
    with ShardWriter(folder, kind="dense", labels=names, n_features=N_FEATURES) as writer:
        writer.write(Rows(features, LabelMatrix.of(truth), np.full(ROWS, SPLITS.index("train"), np.int8)))
    return folder


def config_of(data, storage, *overrides):
    plain = ("selector.name=uniform", "selector.options={}", "data.validation_fraction=0", "data.test_fraction=0")
    return small_config(data, storage, *plain, "train.epochs=2", *overrides)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Data of two tasks, and the run of the first."""
    place = tmp_path_factory.mktemp("distillation")
    first, second = write(place / "first", OLD, 0.0), write(place / "second", ALL, 5.0)
    teacher = fit(config_of(first, place / "runs", "run.name=teacher"), quiet=True).folder
    return first, second, teacher


def student(world, storage, *overrides):
    _, second, teacher = world
    named = (f"model.initial={teacher}", f"train.distillation.teacher={teacher}")
    return config_of(second, storage, *named, *overrides)


def learner_of(config):
    context = ModelContext(ALL, (N_FEATURES,), (5,) * ALL, ROWS)
    return Learner(config, context, torch.device("cpu"), 1, 2)


def micro_batches(seed=0):
    rng = np.random.default_rng(seed)
    made = []
    for number in range(4):
        labels = torch.tensor((rng.random((8, ALL)) < 0.5).astype(np.float32))
        labels[:, :OLD] = torch.nan
        features = torch.tensor(rng.normal(size=(8, N_FEATURES)).astype(np.float32))
        made.append(MicroBatch(Part(np.arange(8), features, labels), seed=number, number=number))
    return made


def stepped(config, order):
    learner, batches = learner_of(config), micro_batches()
    for _ in range(3):
        learner.step([batches[number] for number in order], 32)
    return learner


def test_a_student_starts_where_its_teacher_ended(world, tmp_path):
    config, teacher = student(world, tmp_path), TrainedRun.open(world[2])
    own = learner_of(config).model.state_dict()
    assert all(torch.equal(own[name][: len(old)], old) for name, old in teacher.weights().items())
    scaler = initial_scaler(config)
    assert scaler is not None
    assert scaler.to_dict() == teacher.data.scaler.to_dict()


def test_a_whole_run_keeps_scaler_and_digest_and_leaves_its_teacher_alone(world, tmp_path):
    before = RunFolder(world[2]).weights.read_bytes()
    run = TrainedRun.open(fit(student(world, tmp_path, "run.name=student"), quiet=True).folder)
    assert run.data.scaler.to_dict() == TrainedRun.open(world[2]).data.scaler.to_dict()
    assert run.config.train.distillation.sha256 is not None
    assert RunFolder(world[2]).weights.read_bytes() == before
    require_same_run(run.folder, run.config, pytest.fail)


@pytest.mark.parametrize("form", ["kd", "positive-decay", "full-decay", "task-adaptive", "features"])
def test_which_worker_computes_a_micro_batch_does_not_change_a_bit(form, world, tmp_path):
    """The loss is one of each row, so the fixed-point sums are the same in any order and any partition."""
    config = student(world, tmp_path, f"train.distillation.loss={form}")
    one, other = stepped(config, (0, 1, 2, 3)), stepped(config, (3, 1, 0, 2))
    assert all(torch.equal(a, b) for a, b in zip(one.weights().values(), other.weights().values(), strict=True))


def test_features_that_are_the_teachers_cost_nothing_and_others_their_squared_distance(world, tmp_path):
    teacher = teacher_of(student(world, tmp_path, "train.distillation.loss=features").train.distillation, CPU)
    mine = torch.tensor([[3.0, 4.0], [0.0, 2.0], [-1.0, 0.0]])
    taught = torch.tensor([[6.0, 8.0], [1.0, 0.0], [1.0, 0.0]])
    losses = teacher.row_losses(Output(torch.zeros(3, ALL), embedding=mine), taught)
    scale = (ALL / (ALL - OLD)) ** 0.5
    torch.testing.assert_close(losses, torch.tensor([0.0, 2.0, 4.0]) * scale)


def test_stored_logits_pull_the_rows_they_were_stored_with_and_no_others(tmp_path):
    logits = np.array([[1.0, np.nan], [0.5, -2.0]], np.float32)
    Answers(np.array([4, 9]), logits).save(tmp_path / "answers.npz")
    section = DistillationSection(answers=str(tmp_path / "answers.npz"), loss="logits", weight=3.0)
    teacher = teacher_of(section, CPU)
    mine = torch.ones(4, 5, requires_grad=True)
    losses = teacher.row_losses(Output(mine), teacher.teach(np.array([9, 3, 4, 10]), mine))
    torch.testing.assert_close(losses, torch.tensor([3 / 5 * (0.25 + 9.0), 0.0, 0.0, 0.0]))
    losses.sum().backward()
    moved = torch.zeros(4, 5)
    moved[0, :2] = 3 / 5 * 2 * torch.tensor([0.5, 3.0])
    torch.testing.assert_close(mine.grad, moved)
    changed = section.model_copy(update={"sha256": teacher_digest(section)})
    Answers(np.array([4, 9]), logits + 1).save(tmp_path / "answers.npz")
    with pytest.raises(RunError, match="not the teacher that this run began with"):
        teacher_of(changed, CPU)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "expected a teacher, the folder of a finished run, or a file of answers"),
        ({"teacher": "a", "answers": "b"}, "expected a teacher"),
        (
            {"teacher": "a", "loss": "logits"},
            "loss 'logits' goes with answers, all others with a teacher",
        ),
    ],
)
def test_a_teacher_is_a_run_or_a_file(values, message):
    with pytest.raises(ConfigError, match=message):
        DistillationSection.make(values)


def test_no_gradient_reaches_the_teacher_and_it_stays_in_evaluation_mode(world, tmp_path):
    learner = stepped(student(world, tmp_path), range(4))
    teacher = learner._teacher._network
    learner.model.train()
    assert not teacher.training
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in teacher.parameters())
    assert {id(p) for group in learner.optimizer.param_groups for p in group["params"]} == {
        id(parameter) for parameter in learner.model.parameters()
    }
    expected = TrainedRun.open(world[2]).weights()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in teacher.state_dict().items())


def test_old_labels_that_nobody_knows_move_only_by_the_teacher(world, tmp_path):
    """Without weight decay the head's old lines stay as they are unless something teaches them."""
    still = ("optimizer.weight_decay=0", "train.distillation.weight=0")
    plain, taught = (student(world, tmp_path, *more) for more in (still, still[:1]))
    start = learner_of(plain).model.state_dict()["layers.3.weight"][:OLD].clone()
    assert torch.equal(stepped(plain, range(4)).model.state_dict()["layers.3.weight"][:OLD], start)
    assert not torch.equal(stepped(taught, range(4)).model.state_dict()["layers.3.weight"][:OLD], start)


def test_a_teacher_that_changed_is_refused_when_the_run_goes_on(world, tmp_path):
    again = fit(config_of(world[0], tmp_path, "run.name=teacher"), quiet=True).folder
    config = student((world[0], world[1], again), tmp_path, "run.name=student")
    run = fit(config, quiet=True).folder
    weights = RunFolder(again).weights
    torch.save({name: tensor + 1 for name, tensor in torch.load(weights).items()}, weights)
    with pytest.raises(RunError, match="not the teacher that this run began with"):
        resume(run, quiet=True, overrides=["train.epochs=3"])
    with pytest.raises(ConfigError, match=r"train\.distillation\.sha256=0+: the teacher .* has"):
        fit(config.with_overrides([f"train.distillation.sha256={'0' * 64}", "run.name=new"]), quiet=True)


def test_a_run_goes_on_without_the_one_that_it_started_from(world, tmp_path):
    start = fit(config_of(world[0], tmp_path, "run.name=start"), quiet=True).folder
    run = fit(config_of(world[1], tmp_path, f"model.initial={start}", "run.name=next"), quiet=True).folder
    shutil.rmtree(start)
    assert len(resume(run, quiet=True, overrides=["train.epochs=3"]).history) == 3


def test_a_teacher_alone_sees_inputs_scaled_as_it_learned_them(world, tmp_path):
    scaler = TrainedRun.open(world[2]).data.scaler.to_dict()
    config = config_of(world[1], tmp_path, f"train.distillation.teacher={world[2]}", "run.name=alone")
    assert TrainedRun.open(fit(config, quiet=True).folder).data.scaler.to_dict() == scaler
    shifted = fit(config_of(write(tmp_path / "shifted", OLD, 3.0), tmp_path, "run.name=other"), quiet=True).folder
    with pytest.raises(ConfigError, match=r"teacher: .* scaled otherwise than those of model\.initial, .*other"):
        fit(student(world, tmp_path / "none", f"model.initial={shifted}"), quiet=True)


def test_answers_for_more_labels_than_there_are_are_refused(world, tmp_path):
    Answers(np.arange(3), np.zeros((3, ALL + 1), np.float32)).save(tmp_path / "answers.npz")
    own = (f"train.distillation.answers={tmp_path / 'answers.npz'}", "train.distillation.loss=logits")
    with pytest.raises(ConfigError, match=r"has answers for 5 labels, .* has 4"):
        fit(config_of(world[1], tmp_path, *own), quiet=True)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.initial={}/nothing", "model.initial: .*not a run folder"),
        ("train.distillation.teacher={}/nothing", "train.distillation.teacher: .*not a run folder"),
        ("train.distillation.loss=pozitive-decay", "train.distillation.loss: .*'positive-decay'"),
        ("train.distillation.tacher=x", "unknown key 'train.distillation.tacher'; did you mean 'teacher'"),
        ("model.options.hidden=[17]", "cannot grow by labels"),
    ],
)
def test_a_wrong_past_is_told_before_anything_starts(override, message, world, tmp_path):
    with pytest.raises(ConfigError, match=message):
        fit(student(world, tmp_path / "runs", override.format(tmp_path)), quiet=True)
    assert not (tmp_path / "runs").exists()


def test_labels_in_another_order_are_refused(world, tmp_path):
    manifest = Manifest.load(world[1])
    other = write(tmp_path / "other", OLD, 0.0)
    run = fit(config_of(manifest.folder, tmp_path, "run.name=four"), quiet=True).folder
    with pytest.raises(ConfigError, match="label 3 is 'label2' there, None here"):
        fit(student((None, other, run), tmp_path), quiet=True)
