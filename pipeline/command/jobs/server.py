"""The job API of a Ray cluster, with its errors in one line."""

import logging
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...common.cluster import token
from ...common.environment import variable_set
from ...common.errors import RunError
from .following import LogPrinter, State
from .package import Package

SMALL_JOB_S = 600.0
"""What a job that only fetches files, or is being stopped, may take."""
POLL_S = 0.5
STOP_PAUSES_S = (1.0, 2.0, 4.0)
ANSWER_S = (10.0, 60.0)
"""Most seconds until the cluster takes a connection, and between two parts of an answer."""
_TALKATIVE = ("dashboard.modules.dashboard_sdk", "dashboard.modules.job.sdk", "_private.runtime_env.packaging")
_LOCKED = (401, 403)
_NO_ANSWER = "does not answer as a Ray cluster's job API"
_VARIABLES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")


class JobServer:
    """A connection to the head's job API. Each call is one request; ``follow`` and ``wait`` last as long as the job."""

    def __init__(self, address: str | None = None) -> None:
        """Connect.

        Args:
            address: ``http://HOST:PORT`` of the dashboard; default: RAY_API_SERVER_ADDRESS, or RAY_ADDRESS.

        Raises:
            RunError: when there is no address, nobody answers, or the token is missing or wrong.
        """
        self.address = _address(address)
        _require_entry(self.address)
        with self._in_words(), _ray_reads(self.address):
            self._client: Any = _ray_client(self.address)

    def start(self, package: Package) -> str:
        """Upload a package and start its command; returns the job's id."""
        with self._in_words():
            return self._client.submit_job(entrypoint=package.entrypoint, runtime_env=package.runtime_env)

    def follow(self, job: str) -> None:
        """Print the job's log as it grows, until the job has ended; broken connections are made again."""
        self.details(job)  # a job that is not there has a clear error here
        try:
            with self._in_words():
                LogPrinter(lambda: self._client.tail_job_logs(job), lambda: self._state(job)).print_all()
            self.wait(job)
        except RunError as error:
            raise RunError(f"{error}; the job may go on: {self.command(job)} follows it again") from None

    def command(self, job: str) -> str:
        """Return the command that follows a job."""
        return f"d2ace submit --address {self.address} --follow {job}"

    def wait(self, job: str, limit_s: float = math.inf) -> Any:
        """Return Ray's details of the job once it has ended.

        Raises:
            RunError: when it has not ended within ``limit_s``; the user's own jobs take as long as they take.
        """
        began = time.monotonic()
        while not (details := self.details(job)).status.is_terminal():
            if time.monotonic() - began > limit_s:
                raise RunError(
                    f"job {job} is still {details.status} after {limit_s:g} s; is the head node too busy to start it? "
                    f"{self.command(job)} follows it"
                )
            time.sleep(POLL_S)
        return details

    def details(self, job: str) -> Any:
        """Return Ray's details of the job: status, exit code, message."""
        with self._in_words():
            return self._client.get_job_info(job)

    def log(self, job: str) -> str:
        """Return all that the job has printed so far."""
        with self._in_words():
            return self._client.get_job_logs(job)

    def stop(self, job: str) -> str:
        """Stop the job, wait for its end and return its status; one that has ended stays as it is."""
        self._ask_to_stop(job)
        return str(self.wait(job, SMALL_JOB_S).status)

    def _ask_to_stop(self, job: str) -> None:
        """Ask the node that runs the job to stop it; one that is slow to answer is asked again after each pause."""
        pauses = iter(STOP_PAUSES_S)
        while not self.details(job).status.is_terminal():
            try:
                with self._in_words():
                    self._client.stop_job(job)
                return
            except RunError:
                if (pause := next(pauses, None)) is None:
                    raise
                time.sleep(pause)

    def delete(self, job: str) -> None:
        """Forget a job that has ended."""
        with self._in_words():
            self._client.delete_job(job)

    def _state(self, job: str) -> State:
        status = self.details(job).status
        return State(str(status), status.is_terminal(), len(self.log(job)))

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        import aiohttp
        import requests
        from ray.exceptions import AuthenticationError, RuntimeEnvSetupError

        try:
            yield
        except (BrokenPipeError, RunError):  # the reader of our own output has gone; or it is worded already
            raise
        except AuthenticationError as error:
            refused = str(error).startswith("Authentication failed")
            raise RunError(
                f"{self.address} {'refuses the token that was sent' if refused else token.NONE_SENT}: {token.HINT}"
            ) from None
        except (ConnectionError, requests.RequestException, aiohttp.ClientError) as error:
            raise RunError(f"{self.address} {_NO_ANSWER}: {_first_line(error)}") from None
        except RuntimeEnvSetupError as error:
            raise RunError(f"the job could not be uploaded to {self.address}: {_first_line(error)}") from None
        except RuntimeError as error:
            raise RunError(f"{self.address}: {_first_line(error)}") from None


def _require_entry(address: str) -> None:
    """Ask without Ray, in a second, whether someone is there and lets this client in.

    Raises:
        RunError: when nobody answers, or a token is asked for and this client would send none.
    """
    import requests

    try:
        answer = requests.get(f"{address.rstrip('/')}/api/version", timeout=ANSWER_S)
    except requests.RequestException as error:
        raise RunError(f"{address} {_NO_ANSWER}: nothing answers there ({type(error).__name__})") from None
    if token.sends_token():
        token.close_to_others()
    elif answer.status_code in _LOCKED:
        raise RunError(f"{address} {token.NONE_SENT}: {token.HINT}")


def _ray_client(address: str) -> Any:
    """Return Ray's client for jobs, where no request waits for ever."""
    from ray.job_submission import JobSubmissionClient

    class Client(JobSubmissionClient):
        def _do_request(self, *arguments: Any, **options: Any) -> Any:
            return super()._do_request(*arguments, **({"timeout": ANSWER_S} | options))

    for name in _TALKATIVE:  # about every upload
        logging.getLogger(f"ray.{name}").setLevel(logging.WARNING)
    return Client(address)


def _address(given: str | None) -> str:
    candidates = {"--address": given} | {name: os.environ.get(name) for name in _VARIABLES}
    for name, address in candidates.items():
        if address and (name != "RAY_ADDRESS" or address.startswith("http")):
            if not address.startswith(("http://", "https://")):
                raise RunError(f"{name}={address}: expected the job API's address, for example http://localhost:8265")
            return address
    raise RunError(
        "where is the cluster? Give --address or RAY_API_SERVER_ADDRESS, for example http://localhost:8265 "
        "behind `ray dashboard cluster.yaml`"
    )


@contextmanager
def _ray_reads(address: str) -> Iterator[None]:
    """Ray prefers the environment to an address that it is given: let it find that address there."""
    with variable_set(_VARIABLES[0], address):
        yield


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [repr(error)])[0]
