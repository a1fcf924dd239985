"""The job API of a Ray cluster, with its errors in one line."""

import asyncio
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...common.errors import RunError
from .package import Package

POLL_S = 0.5
_TALKATIVE = ("dashboard.modules.dashboard_sdk", "dashboard.modules.job.sdk", "_private.runtime_env.packaging")
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
        with self._in_words(), _ray_reads(self.address):
            from ray.job_submission import JobSubmissionClient

            for name in _TALKATIVE:  # about every upload
                logging.getLogger(f"ray.{name}").setLevel(logging.WARNING)
            self._client: Any = JobSubmissionClient(self.address)

    def start(self, package: Package) -> str:
        """Upload a package and start its command; returns the job's id."""
        with self._in_words():
            return self._client.submit_job(entrypoint=package.entrypoint, runtime_env=package.runtime_env)

    def follow(self, job: str) -> None:
        """Print the job's log as it grows, until the job has ended."""
        self.details(job)  # a job that is not there has a clear error here
        try:
            with self._in_words():
                asyncio.run(self._print_log(job))
        except RunError as error:
            raise RunError(f"{error}; the job may go on: {self.command(job)} follows it again") from None
        self.wait(job)

    def command(self, job: str) -> str:
        """Return the command that follows a job."""
        return f"d2ace submit --address {self.address} --follow {job}"

    def wait(self, job: str) -> Any:
        """Return Ray's details of the job once it has ended."""
        while not (details := self.details(job)).status.is_terminal():
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
        with self._in_words():
            self._client.stop_job(job)
        return str(self.wait(job).status)

    def delete(self, job: str) -> None:
        """Forget a job that has ended."""
        with self._in_words():
            self._client.delete_job(job)

    async def _print_log(self, job: str) -> None:
        async for lines in self._client.tail_job_logs(job):
            print(lines, end="", flush=True)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        import aiohttp
        import requests
        from ray.exceptions import AuthenticationError, RuntimeEnvSetupError

        try:
            yield
        except AuthenticationError as error:
            refused = str(error).startswith("Authentication failed")
            what = "refuses the token that was sent" if refused else "asks for a token and got none"
            raise RunError(
                f"{self.address} {what}: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or the file ~/.ray/auth_token "
                "to the cluster's token"
            ) from None
        except (ConnectionError, requests.RequestException, aiohttp.ClientError) as error:
            raise RunError(f"{self.address} does not answer as a Ray cluster's job API: {_first_line(error)}") from None
        except RuntimeEnvSetupError as error:
            raise RunError(f"the job could not be uploaded to {self.address}: {_first_line(error)}") from None
        except RuntimeError as error:
            raise RunError(f"{self.address}: {_first_line(error)}") from None


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
    before = os.environ.get(_VARIABLES[0])
    os.environ[_VARIABLES[0]] = address
    try:
        yield
    finally:
        if before is None:
            del os.environ[_VARIABLES[0]]
        else:
            os.environ[_VARIABLES[0]] = before


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [repr(error)])[0]
