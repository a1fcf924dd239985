"""Comparisons, choices, sweeps and sequences in a bucket: stopped, gone on with, and what they are on a disk."""

from dataclasses import replace
from pathlib import Path

import pytest
import ray
import yaml
from bucket_fixtures import KEY_ID, SECRET
from small_sequence import small_sequence, write_classes
from small_sequences import synthetic_outcome
from small_table import N_ROWS, write_table

from d2ace.pipeline.cli import main
from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.common.storage import folder_lock
from d2ace.pipeline.common.storage.any_path import any_path, place_of
from d2ace.pipeline.common.storage.json_files import read_json, read_json_lines
from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.pipeline.studies.choose.arms import Arms
from d2ace.pipeline.studies.compare import read_table
from d2ace.pipeline.studies.incremental import study_execution
from d2ace.pipeline.studies.incremental.folder import SequenceFolder
from d2ace.pipeline.studies.incremental.learning import Learning
from d2ace.pipeline.studies.tune import SweepFolder
from d2ace.pipeline.studies.tune.progress import SweepProgress
from d2ace.pipeline.studies.tune.runs import copy_states


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("data") / "table", shard_rows=N_ROWS)


@pytest.fixture
def service(bucket, tmp_path, monkeypatch, caplog):
    """The bucket; nobody waits to see whether another process came at the same time. No key is left anywhere."""
    monkeypatch.setattr(folder_lock, "SETTLE_S", 0.0)
    yield bucket
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    everything = b"".join([*files, *bucket.buckets["b"].values(), caplog.text.encode(), *rays_own_logs()])
    assert SECRET.encode() not in everything and KEY_ID.encode() not in everything


def rays_own_logs():
    """Return what the Ray of these tests has written about its processes, none where it was not started."""
    if not ray.is_initialized():
        return []
    folder = Path(ray._private.worker.global_worker.node.get_logs_dir_path())
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


CONFIG = {"optimizer": {"lr": 0.03}, "train": {"epochs": 3, "batch_size": 32}}
NETWORK = {"options": {"hidden": [8]}}


def write(folder, values):
    path = folder / "asked.yaml"
    path.write_text(yaml.safe_dump(values))
    return str(path)


@pytest.mark.usefixtures("ray_session")
def test_a_comparison_goes_on_in_a_bucket_and_is_reported(service, table, tmp_path, capsys):
    methods = {"uniform": {"name": "uniform"}, "d2ace": {"name": "d2ace", "options": {"warmup": 1, "neighbours": 3}}}
    study = {"name": "s", "data": {"t": {"path": str(table)}}, "networks": {"mlp": NETWORK}, "methods": methods}
    file, out = write(tmp_path, study | {"folds": 2, "config": CONFIG}), service.address("b/studies/one")
    service.fail("PutObject", "busy", 3)
    assert main(["compare", file, out, "--limit", "1"]) == 0
    assert "no run of another method than uniform has ended" in capsys.readouterr().out
    first = read_table(out)
    assert main(["compare", file, out, "--metric", "map"]) == 0
    assert f"table: {service.address('b/studies/one/table.parquet')}\n" in capsys.readouterr().out
    assert main(["compare", file, str(tmp_path / "disk"), "--metric", "map"]) == 0
    columns = ["key", "error", "test/map", "validation/map"]
    found, wanted = (read_table(place)[columns].to_json() for place in (out, tmp_path / "disk"))
    assert len(first) == 1 and found == wanted
    assert sum(".neighbours/n" in key for key in service.buckets["b"]) == 2  # of two folds
    assert main(["report", out]) == 0
    assert set(any_path(out).files()) == {"table.parquet", "study.json", "report.html"}


def test_a_choice_goes_on_in_a_bucket_and_is_reported(service, table, tmp_path, capsys, monkeypatch):
    config = {"data": {"path": str(table)}, "model": NETWORK, **CONFIG, "run": {"workers": 0}}
    config["selector"] = {"name": "uniform"}
    command = ["choose", write(tmp_path, config), "--method", "d2ace:neighbours=3", "--method", "loss-rank"]
    command += ["--repeats", "2", "--budget", "3"]
    trained, train = [], Arms.train

    def killed(arms, name, *rest):
        trained.append(name)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return train(arms, name, *rest)

    monkeypatch.setattr(Arms, "train", killed)
    out = service.address("b/choices/one")
    assert main([*command, out]) == 130
    assert f"d2ace choose CONFIG {out}, as before" in capsys.readouterr().err
    monkeypatch.undo()
    assert main([*command, out]) == 0
    assert f"configuration: {service.address('b/choices/one/chosen.yaml')}\n" in capsys.readouterr().out
    assert main([*command, str(tmp_path / "disk")]) == 0
    assert told(place_of(out)) == told(tmp_path / "disk")
    assert {"report.html", "chosen.yaml"} <= set(any_path(out).files())


@pytest.mark.usefixtures("ray_session")
def test_a_sweep_goes_on_in_a_bucket_and_is_reported(service, table, tmp_path, capsys, monkeypatch):
    """ASHA stops all but the first trial; resumed without what was told before, it would keep another one, too."""
    knobs = {"optimizer.lr": {"choice": [0.03, 1e-9, 2e-9, 3e-9]}}
    config = {"data": {"path": str(table)}, "model": NETWORK, **CONFIG, "run": {"workers": 0}}
    sweep = {"name": "s", "config": config | {"selector": {"name": "uniform"}}, "space": "none", "knobs": knobs}
    file = write(tmp_path, sweep | {"sampler": "grid", "grid_points": 4, "grace_epochs": 2})
    heard, hear = [], SweepProgress.on_trial_result

    def killed(progress, *news, **more):
        hear(progress, *news, **more)
        heard.append(more)
        if len(heard) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(SweepProgress, "on_trial_result", killed)
    out = service.address("b/sweeps/one")
    assert main(["tune", file, out, "--parallel", "1"]) == 130
    assert f"d2ace tune --resume {out}" in capsys.readouterr().err
    monkeypatch.undo()
    before = SweepFolder(place_of(out)).progress
    assert main(["tune", "--resume", out, "--parallel", "1"]) == 0
    assert f"best settings: {service.address('b/sweeps/one/best.yaml')}\n" in capsys.readouterr().out
    table = SweepFolder(place_of(out)).table
    assert table["status"].tolist() == ["finished", "stopped", "stopped", "stopped"]
    assert table["epochs"].tolist() == [3, 2, 2, 2] and len(before) >= 3
    assert {"report.html", "best.yaml", "trials"} <= {name.partition("/")[0] for name in any_path(out).files()}


@pytest.mark.usefixtures("ray_session")
def test_a_population_keeps_its_states_in_a_bucket(service, table, tmp_path):
    """Whether a trial takes over another's state is chance; so one is handed on by hand, as Ray would."""
    config = {"data": {"path": str(table)}, "model": NETWORK, **CONFIG, "selector": {"options": {"neighbours": 0}}}
    config |= {"train": {"epochs": 4, "batch_size": 16}, "run": {"workers": 0}}
    sweep = {"name": "p", "config": config, "trials": 2, "scheduler": "pbt", "perturb_epochs": 2}
    out = service.address("b/sweeps/population")
    assert main(["tune", write(tmp_path, sweep), out]) == 0
    table = SweepFolder(place_of(out)).table
    assert table["status"].tolist() == ["finished"] * 2 and (table["epochs"] == 4).all()
    trials = place_of(out) / "trials"
    given, other = [trials / name for name in sorted(trials.folders())]
    copy_states(given, tmp_path / "on its way")
    copy_states(tmp_path / "on its way", other)
    states = [CheckpointStore(trial / "0" / "checkpoints").intact() for trial in (given, other)]
    assert states[0] == replace(states[1], path=states[0].path)
    assert read_json_lines(other / "0" / "metrics.jsonl") == read_json_lines(given / "0" / "metrics.jsonl")


def test_a_sequence_goes_on_in_a_bucket_and_is_reported(service, tmp_path, capsys, monkeypatch):
    sequence = small_sequence(write_classes(tmp_path / "classes"), "der++")
    file, out = write(tmp_path, sequence.model_dump(mode="json")), service.address("b/sequences/one")
    write_data = Learning._write

    def killed(learning, number):
        if number == 2:
            raise KeyboardInterrupt
        write_data(learning, number)

    monkeypatch.setattr(Learning, "_write", killed)
    assert main(["incremental", file, out]) == 130
    assert "--resume" in capsys.readouterr().err
    monkeypatch.undo()
    assert main(["incremental", file, out]) == 2
    assert main(["incremental", file, out, "--resume"]) == 0
    assert f"outcome: {service.address('b/sequences/one/outcome.json')}\n" in capsys.readouterr().out
    assert main(["incremental", file, str(tmp_path / "disk")]) == 0
    found, wanted = (SequenceFolder(place).task(2) for place in (place_of(out), tmp_path / "disk"))
    numbers = [read_json(task.path / "task.json", dict) | {"seconds": 0} for task in (found, wanted)]
    assert numbers[0] == numbers[1] and found.selection.is_file() and found.answers.is_file()
    assert main(["report", out]) == 0 and (place_of(out) / "report.html").is_file()


def test_a_study_of_sequences_adds_to_its_file_in_a_bucket(service, tmp_path, monkeypatch):
    one = small_sequence(write_classes(tmp_path / "classes"), "er", protocol="B3-C2")
    shared = one.model_dump(mode="json", include={"data", "config", "memory"})
    study = {"name": "s", "data": {"zoo": {"protocols": ["B3-C2"], "sequence": {"data": shared["data"]}}}}
    study |= {"methods": {"er": {"method": {"name": "er"}}}, "reference": "er", "orders": ["alphabetical", 3]}
    study |= {"sequence": {"config": shared["config"], "memory": shared["memory"]}}
    learned = [synthetic_outcome(), RunError("lost"), synthetic_outcome()]

    def pretended(*_, **__):
        found = learned.pop(0)
        if isinstance(found, RunError):
            raise found
        return found

    monkeypatch.setattr(study_execution, "incremental", pretended)
    file, out = write(tmp_path, study), service.address("b/sequences/all")
    assert main(["incremental", file, out]) == main(["incremental", file, out]) == 0
    place = place_of(out)
    assert [len(read_json_lines(place / name)) for name in ("outcomes.jsonl", "failures.jsonl")] == [2, 1]
    assert set(place.files()) == {"outcomes.jsonl", "failures.jsonl", "report.html"}


def told(folder):
    """Return what a choice said, without its seconds."""
    choice = read_json(folder / "choice.json", dict) | {"shared_s": 0}
    return choice | {"arms": [arm | {"seconds": 0} for arm in choice["arms"]]}
