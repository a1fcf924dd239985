"""``d2ace submit`` before it reaches a cluster: its arguments, and where the cluster is."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from d2ace.pipeline.cli import main
from d2ace.pipeline.command import jobs as submission
from d2ace.pipeline.command.jobs import following, server
from d2ace.pipeline.command.jobs import jobs as verbs
from d2ace.pipeline.common.errors import RunError


@pytest.fixture
def calls(monkeypatch) -> list[tuple]:
    """What the command line asks of the verbs, which do nothing here."""
    made: list[tuple] = []
    monkeypatch.setattr(submission, "submit", lambda *a, **k: made.append(("submit", *a, k)) or "job-1", raising=False)
    monkeypatch.setattr(submission, "follow", lambda *a, **k: made.append(("follow", *a, k)) or 7, raising=False)
    monkeypatch.setattr(submission, "cancel", lambda *a, **k: made.append(("cancel", *a, k)), raising=False)
    return made


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


def test_the_command_is_submitted_as_it_stands_and_its_exit_code_returned(calls):
    command = ["train", "--resume", "/mnt/runs/a", "--workers", "3"]
    assert main(["submit", "--address", "http://x:1", "--out", "here", "--", *command]) == 7
    where = {"address": "http://x:1"}
    assert calls == [
        ("submit", command, where | {"wheel": None, "modules": []}),
        ("follow", "job-1", where | {"out": "here", "stop_on_interrupt": False}),
    ]


def test_without_waiting_only_the_id_is_printed(calls, capsys):
    assert main(["submit", "--no-wait", "--", "methods"]) == 0
    assert capsys.readouterr().out == "job-1\n"
    assert [call[0] for call in calls] == ["submit"]


def test_follow_and_cancel_take_a_job(calls):
    assert main(["submit", "--follow", "job-2", "--stop-on-interrupt"]) == 7
    assert main(["submit", "--cancel", "job-3"]) == 0
    assert [(call[0], call[1]) for call in calls] == [("follow", "job-2"), ("cancel", "job-3")]
    assert calls[0][-1]["stop_on_interrupt"] is True


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--follow", "j", "--", "methods"],
        ["--cancel", "j", "--", "methods"],
        ["--follow", "j", "--dry-run"],
        ["--", "submit", "--follow", "j"],
        ["--", "compare", "/mnt/study.yaml", "out"],
        ["--", "train", "--resume", "runs/a"],
        ["--", "evaluate", "runs/a"],
    ],
)
def test_what_does_not_go_together_is_refused(calls, arguments, capsys):
    assert main(["submit", *arguments]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("d2ace: error: submit ")
    assert not calls


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        (["train", "x.yaml", "train.epoch=2"], "unknown key 'train.epoch'; did you mean 'epochs'?"),
        (["train", "x.yaml", "run.storage=runs"], "got run.storage=runs: a relative one lies in the job's own folder"),
        (["train", "x.yaml", "data.path=data/x"], "got data.path=data/x: a relative one"),
        (["train", "/mnt/data/x"], "got run.storage=runs: a relative one"),
        (["train", "/mnt/data/x", "train.epochs=x"], "train.epochs: "),
        (["doctor", "data/x"], "got data.path=data/x: a relative one"),
        (["predict", "/mnt/runs/a", "data/x", "/mnt/out"], "got source=data/x: a relative one"),
        (["evaluate", "/mnt/runs/a", "--data", "data/x"], "got data=data/x: a relative one"),
        (["train", "y.yaml"], "y.yaml: is not here, and a relative path is none of the cluster"),
        (["compare", "study.yaml", "/mnt/out"], "got data.a.path=data/a: a relative one"),
        (["compare", "wrong.yaml", "/mnt/out"], "unknown key 'method'; did you mean 'methods'?"),
        (["tune", "sweep.yaml", "/mnt/out"], "got config.data.path=data/a: a relative one"),
        (["incremental", "tasks.yaml", "/mnt/out"], "got data.path=data/a: a relative one"),
        (["incremental", "tasks.yaml", "out"], "got out=out: a relative one"),
        (["incremental", "many.yaml", "/mnt/out"], "got data.a.sequence.data.path=data/a: a relative one"),
    ],
)
def test_what_could_only_fail_there_is_told_here(calls, verb, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yaml").write_text("data: {path: /mnt/data/x}\nrun: {storage: /mnt/runs}\n")
    study = "name: s\ndata: {a: {path: data/a}}\nnetworks: {mlp: {name: mlp}}\nmethods: {uniform: {name: uniform}}\n"
    (tmp_path / "study.yaml").write_text(study)
    (tmp_path / "wrong.yaml").write_text(study.replace("methods:", "method:"))
    (tmp_path / "sweep.yaml").write_text("name: s\nconfig: {data: {path: data/a}}\ntrials: 2\n")
    sequence = "name: s\ndata: {path: data/a}\nprotocol: B0-C2\nmethod: {name: fine-tune}\n"
    (tmp_path / "tasks.yaml").write_text(sequence)
    many = "data: {a: {protocols: [B0-C2], sequence: {data: {path: data/a}}}}\nmethods: {lwf: {method: {name: lwf}}}\n"
    (tmp_path / "many.yaml").write_text(f"name: s\nreference: lwf\n{many}")
    assert main(["submit", "--", *verb]) == 2
    assert words in capsys.readouterr().err
    assert not calls


@pytest.mark.parametrize(
    "verb",
    [
        ["train", "x.yaml", "train.epochs=2"],
        ["train", "/mnt/data/x", "run.storage=/mnt/runs"],
        ["train", "/mnt/settings.yaml", "train.epochs=2"],
        ["train", "s3://bucket/x", "run.storage=s3://bucket/runs"],
        ["train", "--resume", "s3://bucket/runs/x"],
        ["evaluate", "s3://bucket/runs/x"],
        ["doctor", "/mnt/data/x"],
        ["report", "/mnt/runs/a"],
    ],
)
def test_what_may_be_right_there_is_sent(calls, verb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.yaml").write_text("data: {path: /mnt/data/x}\nrun: {storage: /mnt/runs}\n")
    assert main(["submit", "--no-wait", "--", *verb]) == 0
    assert calls[0][:2] == ("submit", verb)


def test_a_dry_run_lists_and_asks_no_cluster(calls, capsys):
    assert main(["submit", "--dry-run", "--", "methods"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("command: python -m d2ace.pipeline.cli methods\n") and "d2ace/pipeline/cli.py\n" in shown
    assert shown.endswith("bytes; nothing was sent\n")
    assert not calls


def test_a_typo_in_the_command_stays_here(calls, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["submit", "--", "trian", "x.yaml"])
    assert "trian" in capsys.readouterr().err
    assert not calls


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        ([], {}, "where is the cluster?"),
        ([], {"RAY_ADDRESS": "10.0.0.1:6379"}, "where is the cluster?"),
        (["--address", "ray://x:10001"], {}, "--address=ray://x:10001: expected the job API's address"),
        ([], {"RAY_API_SERVER_ADDRESS": "x:8265"}, "RAY_API_SERVER_ADDRESS=x:8265: expected"),
        (
            ["--address", "http://127.0.0.1:1"],
            {"RAY_ADDRESS": "http://127.0.0.1:2"},
            "http://127.0.0.1:1 does not answer as a Ray cluster's job API: nothing answers there",
        ),
        (
            [],
            {"RAY_ADDRESS": "http://127.0.0.1:2"},
            "http://127.0.0.1:2 does not answer as a Ray cluster's job API: nothing answers there",
        ),
    ],
)
def test_where_the_cluster_is(arguments, environment, words, capsys, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main(["submit", *arguments, "--", "methods"]) == 2
    *stages, told = capsys.readouterr().err.splitlines()
    assert words in told and told.startswith("d2ace: error: ")
    assert all(line.startswith("d2ace: [") for line in stages)


class Locked(BaseHTTPRequestHandler):
    """The job API of a head that asks for a token."""

    def do_GET(self):
        self.send_error(401, "Unauthorized: Missing authentication token")

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("mode", [None, "disabled"])
def test_a_client_that_sends_no_token_is_told_what_to_set_before_ray_is_asked(mode, monkeypatch):
    monkeypatch.setattr(server, "_ray_client", lambda address: pytest.fail("Ray was asked"))
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    if mode:
        monkeypatch.setenv("RAY_AUTH_MODE", mode)
    with HTTPServer(("127.0.0.1", 0), Locked) as head:
        threading.Thread(target=head.serve_forever, daemon=True).start()
        with pytest.raises(RunError, match="asks for a token and got none: set RAY_AUTH_MODE=token"):
            server.JobServer(f"http://127.0.0.1:{head.server_port}")
        head.shutdown()


def test_a_cluster_that_takes_connections_and_never_answers_is_left(monkeypatch):
    monkeypatch.setattr(server, "ANSWER_S", (1.0, 0.05))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(RunError, match=r"nothing answers there \(ReadTimeout\)"):
            server.JobServer(address)
        monkeypatch.setattr(server, "_require_entry", lambda address: None)
        with pytest.raises(RunError, match="does not answer as a Ray cluster's job API"):
            server.JobServer(address)


def test_a_lost_connection_says_how_to_go_on(monkeypatch):
    async def broken(job: str):
        yield "epoch 1\n"
        raise RuntimeError("WebSocket connection closed unexpectedly with close code 1006")

    monkeypatch.setattr(following, "PAUSE_S", 0.0)
    connection = object.__new__(server.JobServer)
    connection.address = "http://x:1"
    connection._client = SimpleNamespace(tail_job_logs=broken, get_job_info=lambda job: None)
    with pytest.raises(RunError, match="code 1006; the job may go on: d2ace submit --address http://x:1 --follow j"):
        connection.follow("j")


class Ended:
    """A job server whose one job has ended in a given way."""

    address = "http://x"

    def __init__(self, status: str, code: int | None) -> None:
        self.status, self.driver_exit_code, self.message = status, code, "the environment could not be made"

    def follow(self, job: str) -> None:
        pass

    def details(self, job: str) -> "Ended":
        return self

    def log(self, job: str) -> str:
        return "it wrote nothing\n"


@pytest.mark.parametrize(
    ("status", "code", "expected", "words"),
    [
        ("SUCCEEDED", 0, 0, ""),
        ("FAILED", 2, 2, "job j failed with exit code 2"),
        ("FAILED", 137, 137, "with exit code 137"),
        ("FAILED", -9, 1, "with exit code -9"),
        ("FAILED", None, 1, "job j failed: the environment could not be made"),
        ("STOPPED", None, 1, "job j was stopped"),
    ],
)
def test_the_exit_code_is_the_jobs(status, code, expected, words, capsys, monkeypatch):
    monkeypatch.setattr(verbs, "JobServer", lambda address: Ended(status, code))
    assert verbs.follow("j") == expected
    assert words in capsys.readouterr().err
