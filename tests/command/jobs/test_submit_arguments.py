"""``d2ace submit`` before it reaches a cluster: its arguments, and where the cluster is."""

from types import SimpleNamespace

import pytest

from d2ace.pipeline.cli import main
from d2ace.pipeline.command import jobs as submission
from d2ace.pipeline.command.jobs import jobs as verbs
from d2ace.pipeline.command.jobs import server
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
        ("submit", command, where | {"wheel": None}),
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
        ["--", "compare", "study.yaml", "out"],
    ],
)
def test_what_does_not_go_together_is_refused(calls, arguments, capsys):
    assert main(["submit", *arguments]) == 2
    assert capsys.readouterr().err.startswith("d2ace: error: submit ")
    assert not calls


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
            "Failed to connect to Ray at address: http://127.0.0.1:1.",
        ),
        (
            [],
            {"RAY_ADDRESS": "http://127.0.0.1:2"},
            "http://127.0.0.1:2 does not answer as a Ray cluster's job API: Failed",
        ),
    ],
)
def test_where_the_cluster_is(arguments, environment, words, capsys, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main(["submit", *arguments, "--", "methods"]) == 2
    message = capsys.readouterr().err
    assert words in message
    assert message.count("\n") == 1


def test_a_lost_connection_says_how_to_go_on(monkeypatch):
    async def broken(job: str):
        yield "epoch 1\n"
        raise RuntimeError("WebSocket connection closed unexpectedly with close code 1006")

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
