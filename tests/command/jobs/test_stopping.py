"""Stopping a job whose node is slow to answer, against a stand-in for the cluster's client."""

from types import SimpleNamespace

import pytest
from ray.job_submission import JobStatus

from d2ace.pipeline.command.jobs import jobs, server
from d2ace.pipeline.common.errors import RunError


class Client:
    """Refuses to stop a job so many times."""

    def __init__(self, refusals):
        self.refusals, self.asked, self.status = refusals, 0, JobStatus.RUNNING

    def get_job_info(self, job):
        return SimpleNamespace(status=self.status)

    def stop_job(self, job):
        self.asked += 1
        if self.asked <= self.refusals:
            raise RuntimeError("Request failed with status code 500")
        self.status = JobStatus.STOPPED


@pytest.fixture
def stopping(monkeypatch):
    monkeypatch.setattr(server, "STOP_PAUSES_S", (0.0, 0.0))

    def make(refusals):
        made = object.__new__(server.JobServer)
        made.address, made._client = "http://head:8265", Client(refusals)
        return made

    return make


def test_a_node_that_is_slow_to_answer_is_asked_again(stopping):
    made = stopping(2)
    assert made.stop("job") == "STOPPED"
    assert made._client.asked == 3


def test_a_node_that_never_answers_is_asked_a_bounded_number_of_times(stopping):
    made = stopping(99)
    with pytest.raises(RunError, match="status code 500"):
        made.stop("job")
    assert made._client.asked == 3


def test_a_job_that_has_ended_is_not_asked(stopping):
    made = stopping(0)
    made._client.status = JobStatus.SUCCEEDED
    assert made.stop("job") == "SUCCEEDED"
    assert made._client.asked == 0


def test_after_ctrl_c_a_job_that_could_not_be_stopped_is_told_with_the_way_to_stop_it(stopping, monkeypatch, capsys):
    made = stopping(99)

    def interrupted(_):
        raise KeyboardInterrupt

    made.follow = interrupted
    monkeypatch.setattr(jobs, "JobServer", lambda address: made)
    assert jobs.follow("job", stop_on_interrupt=True) == 130
    told = capsys.readouterr().err
    assert "job job may go on, for it could not be stopped: http://head:8265: Request failed with status" in told
    assert "--cancel for --follow stops it" in told
