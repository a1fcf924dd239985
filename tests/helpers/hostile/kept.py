"""Targets: what the programs wrote themselves and read again, and what users write for them to run."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from hostile.cases import Target
from image_files import write
from small_config import small_config
from small_run import write_run
from small_sequence import small_sequence, tasks_of, write_classes
from small_sequences import synthetic_outcome
from small_study import synthetic_table
from small_sweep import write_sweep
from small_table import N_LABELS, write_table

from d2ace.pipeline.command.jobs.result_files import BEGIN, END, FILES, archive, unpack
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.common.storage.folder_lock import is_held
from d2ace.pipeline.results.explanation import explain
from d2ace.pipeline.results.overview import Overview, overviews, run_table
from d2ace.pipeline.results.report.run_source import RunSource
from d2ace.pipeline.results.report.study_source import StudySource
from d2ace.pipeline.results.report.sweep_source import SweepSource
from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.pipeline.runs.decisions import Decisions, read_decisions
from d2ace.pipeline.runs.trained_model import TrainedModel
from d2ace.pipeline.runs.trained_run import TrainedRun
from d2ace.pipeline.selection.files import SelectionFiles
from d2ace.pipeline.selection.inherited import Inherited
from d2ace.pipeline.selection.recording import read_recording
from d2ace.pipeline.studies.choose import Choice, describe
from d2ace.pipeline.studies.choose.decision import Decision
from d2ace.pipeline.studies.choose.outcome import Arm
from d2ace.pipeline.studies.choose.schedule import Schedule
from d2ace.pipeline.studies.compare.last_study import NAMES, keep_names
from d2ace.pipeline.studies.compare.study import Study
from d2ace.pipeline.studies.compare.table import read_table
from d2ace.pipeline.studies.incremental.folder import SequenceFolder
from d2ace.pipeline.studies.incremental.outcome import Outcome
from d2ace.pipeline.studies.incremental.sequence import TaskSequence
from d2ace.pipeline.studies.incremental.tasks import Tasks
from d2ace.pipeline.studies.tune.ranking import point_from
from d2ace.pipeline.studies.tune.sweep import Sweep
from d2ace.pipeline.studies.tune.table import SweepFolder
from d2ace.pipeline.training.answers import Answers

STUDY: dict[str, Any] = {
    "name": "small",
    "data": {"digits": {"path": "set"}},
    "networks": {"mlp": {"name": "mlp", "options": {"hidden": [8]}}},
    "methods": {"uniform": {"name": "uniform"}, "ours": {"name": "d2ace", "options": {"warmup": 1}}},
    "folds": 2,
    "seeds": [0, 1],
    "config": {"train": {"epochs": 2}, "optimizer": {"lr": 0.01}},
}


def _yaml(name: str, values: Callable[[Path], dict[str, Any]]) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        write_table(folder / "set")
        write(folder, name, yaml.safe_dump(values(folder), sort_keys=False))

    return make


def _config(folder: Path) -> dict[str, Any]:
    return small_config(folder / "set", folder / "runs").model_dump(mode="json")


def _sweep(folder: Path) -> dict[str, Any]:
    return Sweep.make({"name": "s", "config": {"data": {"path": str(folder / "set")}}, "trials": 3}).model_dump(
        mode="json"
    )


def _read_study(folder: Path) -> None:
    list(Study.load(folder / "study.yaml").runs())


def _read_sweep(folder: Path) -> None:
    sweep = Sweep.load(folder / "sweep.yaml")
    if sweep.n_trials <= 1000:
        sweep.points()


def _run(folder: Path) -> None:
    write_table(folder / "set")
    run = write_run(folder / "runs" / "first", folder / "set")
    n = N_LABELS
    Decisions(tuple(f"label{j}" for j in range(n)), np.full(n, 0.4), np.ones((n, 3)), 4, {"by": "f1"}).save(run)
    write(
        folder,
        "runs/first/.lock",
        json.dumps({"machine": "m", "process": 1, "started": "2", "host": "h", "token": "t"}),
    )


def _read_run(folder: Path) -> None:
    path = folder / "runs" / "first"
    run = TrainedRun.open(path)
    TrainedModel(run)
    read_decisions(path)
    run.folder.read_metrics()
    run.folder.read_result()
    run_table([Overview.read(path)])
    run_table(overviews(path.parent))
    is_held(path)
    explain(path, 3)
    source = RunSource.open(path)
    source.selector_state()


def _checkpoint(folder: Path) -> None:
    store = CheckpointStore(folder / "checkpoints", about={"run": "x"})
    training = {"epoch": 1, "model": {"w": np.zeros(3).tolist()}, "history": [{"epoch": 0, "map": 0.5}]}
    for epoch in (1, 2):
        store.save(epoch, 0, training, {"epoch": epoch, "selector": {"losses": np.zeros((4, 2)), "name": "x"}})


def _old_checkpoint(folder: Path) -> None:
    _checkpoint(folder)
    for path in folder.rglob("checkpoint.json"):
        path.unlink()


def _read_checkpoint(folder: Path) -> None:
    store = CheckpointStore(folder / "checkpoints")
    checkpoint = store.intact()
    if checkpoint is not None:
        checkpoint.record()
        checkpoint.training_state()
        checkpoint.selection_state()


def _arrays(folder: Path) -> None:
    Answers(np.arange(4), np.zeros((4, 3), np.float32)).save(folder / "answers.npz")
    Inherited(np.arange(4), {"method": "d2ace", "losses": np.zeros((4, 2))}).save(folder / "inherited.npz")
    files = SelectionFiles(folder)
    files.observations.mkdir(parents=True)
    np.savez(
        files.recording(0),
        **{"ids": np.arange(4), "offsets": np.array([0, 2, 4])},
        **{"probabilities": np.zeros((4, 2), np.float32), "losses": np.ones((4, 2), np.float32)},
    )


def _read_arrays(folder: Path) -> None:
    Answers.load(folder / "answers.npz").of(np.arange(3))
    Inherited.load(folder / "inherited.npz")
    read_recording(SelectionFiles(folder), 0)


def _comparison(folder: Path) -> None:
    table = synthetic_table(folds=1, seeds=1, epochs=3, data=("birds",))
    table.to_parquet(folder / "table.parquet")
    keep_names(folder, table[[*NAMES]].to_dict("records"))


def _read_comparison(folder: Path) -> None:
    source = StudySource.of("x", read_table(folder))
    source.done, source.failed, source.methods, source.reference  # noqa: B018 - properties that read


def _sweep_folder(folder: Path) -> None:
    write_table(folder / "sweep")  # where the sweep says that its data lies
    write_sweep(folder / "sweep", trials=4, seeds=(0, 1))
    SweepFolder(folder / "sweep").keep_origin(SweepFolder(folder / "sweep").sweep)


def _read_sweep_folder(folder: Path) -> None:
    found = SweepFolder(folder / "sweep")
    table, progress = found.table, found.progress
    for _, row in table.iterrows():
        point_from(row)
    progress.describe()
    source = SweepSource.open(folder / "sweep")
    source.ranked, source.best, source.failed, source.curves, source.leading  # noqa: B018 - properties that read
    found.require_origin(found.sweep)


def _choice(folder: Path) -> None:
    arms = tuple(Arm(name, "d2ace", {"warmup": 1}, 0.5, 1, 3, [0.4, 0.5, 0.5], 1.5) for name in ("uniform 1", "d2ace"))
    decision = Decision(False, 0.1, 0.05, 1.2, 2.9, 0.2, 0.04, (-0.1, 0.3), "chance explains it")
    schedule = Schedule(3, 1, 1, (2,), 1)
    Choice("uniform", "d2ace", "map", 40, "set", schedule, ("x",), arms, decision, 3.0, 0.5).write(folder)


def _read_choice(folder: Path) -> None:
    describe(Choice.read(folder))


def _sequence(folder: Path) -> None:
    data = write_classes(folder / "set")
    sequence = small_sequence(data)
    sequence.save(folder / "sequence.yaml")


def _sequence_folder(folder: Path) -> None:
    data = write_classes(folder / "set")
    made = SequenceFolder(folder / "all")
    (folder / "all").mkdir()
    tasks, _, _ = tasks_of(data)
    tasks.save(made.tasks)
    made.write_fingerprint("abc")
    made.task(1).path.mkdir(parents=True)
    made.task(1).write_record({"map": 0.5, "old_map": None})
    synthetic_outcome().write(folder / "all")


def _read_sequence_folder(folder: Path) -> None:
    found = SequenceFolder(folder / "all")
    Tasks.load(found.tasks)
    found.read_fingerprint()
    found.task(1).read_record()
    outcome = Outcome.read(folder / "all")
    outcome.overall, outcome.is_complete  # noqa: B018 - properties that read


def _results(folder: Path) -> None:
    for name in FILES[:4]:
        write(folder, f"job/{name}", "x" * 100)
    text = archive([folder / "job"]).removeprefix(f"{BEGIN}\n").removesuffix(END)
    write(folder, "results.zip", base64.b64decode(text))


def _read_results(folder: Path) -> None:
    content = (folder / "results.zip").read_bytes()
    log = f"hello\n{BEGIN}\n{base64.encodebytes(content).decode()}{END}\n"
    try:
        paths = unpack(log, folder / "out")
    except RunError as error:
        raise RunError(f"{folder}: {error}") from None  # a log has no name
    for path in paths:
        assert path.resolve().is_relative_to((folder / "out").resolve()), path


KEPT = (
    Target("config", _yaml("config.yaml", _config), ("config.yaml",), lambda f: Config.load(f / "config.yaml")),
    Target("study", _yaml("study.yaml", lambda f: STUDY), ("study.yaml",), _read_study),
    Target("sweep", _yaml("sweep.yaml", _sweep), ("sweep.yaml",), _read_sweep),
    Target("sequence", _sequence, ("sequence.yaml",), lambda f: TaskSequence.load(f / "sequence.yaml")),
    Target(
        "run",
        _run,
        ("runs/first/*", "runs/first/order/*", "runs/first/selection.parquet/*", "runs/first/.lock"),
        _read_run,
    ),
    Target("checkpoint", _checkpoint, ("checkpoints/*/*",), _read_checkpoint),
    Target("old-checkpoint", _old_checkpoint, ("checkpoints/*/*",), _read_checkpoint),
    Target("arrays", _arrays, ("*.npz", "observations/*"), _read_arrays),
    Target("choice", _choice, ("choice.json",), _read_choice),
    Target("comparison", _comparison, ("table.parquet", "study.json"), _read_comparison),
    Target("sweep-folder", _sweep_folder, ("sweep/*[nl]", "sweep/table.parquet"), _read_sweep_folder),
    Target("sequence-folder", _sequence_folder, ("all/*", "all/tasks/*/*"), _read_sequence_folder),
    Target("job-results", _results, ("results.zip",), _read_results),
)
