"""Submitting, following and cancelling a job."""

import sys
from collections.abc import Sequence
from pathlib import Path

from ...common.errors import RunError
from ...common.stages import log
from ...common.storage.local_paths import local_path
from . import result_files as results
from .package import listing, packed
from .server import SMALL_JOB_S, JobServer

_ENDED = {"SUCCEEDED": "succeeded", "FAILED": "failed"}
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


MODULE = "d2ace.pipeline.cli"


def submit(
    arguments: Sequence[str],
    *,
    address: str | None = None,
    wheel: str | Path | None = None,
    modules: Sequence[str] = (),
) -> str:
    """Start ``d2ace ARGUMENTS`` as a job of a Ray cluster and return the job's id.

    Args:
        arguments: the command line after ``d2ace``. Local YAML files among them are sent along; all other paths are
            paths of the cluster, best absolute ones on storage that its nodes share.
        address: ``http://HOST:PORT`` of the cluster's dashboard; default: RAY_API_SERVER_ADDRESS, or RAY_ADDRESS.
        wheel: send the code of this wheel; default: the code that runs here.
        modules: files and folders of modules of the user's own that the job imports.

    Raises:
        RunError: when the cluster cannot be reached, refuses the token, or the wheel or a module is none.
    """
    server = JobServer(address)
    with packed(MODULE, arguments, wheel, modules) as package:
        return server.start(package)


def dry_run(arguments: Sequence[str], *, wheel: str | Path | None = None, modules: Sequence[str] = ()) -> str:
    """Return what ``submit`` would send, as text, and send nothing; asks no cluster. Raises as ``submit``."""
    with packed(MODULE, arguments, wheel, modules) as package:
        return listing(package)


def follow(
    job: str, *, address: str | None = None, out: str | Path | None = None, stop_on_interrupt: bool = False
) -> int:
    """Print a job's log until its end, fetch its result files when it succeeded, and return its exit code.

    Args:
        job: what ``submit`` returned.
        address: as for ``submit``.
        out: folder for the result files of the runs and tables that the job wrote; default: runs/JOB.
        stop_on_interrupt: Ctrl-C stops the job; by default it only stops following.

    Returns:
        0 when the job succeeded; its own exit code when it failed, or 1 when it has none; 130 after Ctrl-C.

    Raises:
        RunError: when the cluster cannot be reached, or there is no such job.
    """
    target = local_path(out, "--out") if out else Path("runs") / job
    log.info("following job %s", job)
    server = JobServer(address)
    try:
        server.follow(job)
    except KeyboardInterrupt:
        return _interrupted(server, job, stop_on_interrupt)
    details = server.details(job)
    if details.status == "SUCCEEDED":
        _fetch(server, job, target)
        return 0
    if details.status == "STOPPED":
        _say(f"job {job} was stopped")
        return 1
    code = details.driver_exit_code
    _say(f"job {job} failed" + (f" with exit code {code}" if code else f": {details.message}"))
    return code if code and 0 < code < 256 else 1


def cancel(job: str, *, address: str | None = None) -> str:
    """Stop a job, wait for its end and return what became of it; raises RunError when there is no such job."""
    status = JobServer(address).stop(job)
    return f"job {job} was stopped" if status == "STOPPED" else f"job {job} had ended before: it {_ENDED[status]}"


def _interrupted(server: JobServer, job: str, stop: bool) -> int:
    further = f"{server.command(job)} follows it again, with --cancel for --follow stops it"
    if not stop:
        _say(f"job {job} goes on; {further}")
        return INTERRUPTED
    try:
        server.stop(job)
    except RunError as error:
        _say(f"job {job} may go on, for it could not be stopped: {error}; {further}")
    else:
        _say(f"job {job} is stopped")
    return INTERRUPTED


def _fetch(server: JobServer, job: str, out: Path) -> None:
    """Bring the result files home; the job has succeeded, so that a failure here is told and nothing more."""
    folders = results.announced(server.log(job))
    if not folders:
        return
    try:
        with packed(results.MODULE, folders) as package:
            messenger = server.start(package)
        server.wait(messenger, SMALL_JOB_S)
        log = server.log(messenger)
        server.delete(messenger)
        paths = results.unpack(log, out)
    except RunError as error:
        _say(f"the results were not fetched: {error}")
    else:
        print(f"fetched to {out}: {', '.join(str(path.relative_to(out)) for path in paths)}")


def _say(message: str) -> None:
    print(f"d2ace: {message}", file=sys.stderr)
