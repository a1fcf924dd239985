"""Ray workers that are forked from a process that has imported what they need.

A raylet starts each worker as a new Python, and a worker of a run imports torch and Ray Train before it does anything:
six seconds of a core and more, some hundred times in the suite. Here the raylet starts ``LAUNCHER``, which hands its
arguments, environment and output over to a server and ends; the server forks the worker. The worker itself is Ray's
program, unchanged.

Ray's library reads the job and the node from the environment when it is loaded. So the first server, which has torch,
forks one more for each job on each node; that one loads Ray, and forks the workers.

A command that starts with ``-m`` is forked, too: that of a job from the server of its node, that of a test from the
first server, or from one that has loaded Ray where the environment names a ``CLIENT``. The launcher stays in its place
and hands signals on; the command ends with it, also when it is killed.

There are two first servers: the workers of ``project`` have modules of the project from the start, those of ``sent``
run other code than this. The processes of a parallel suite share both.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import shlex
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

FIRST = (
    "torch._dynamo",
    "torch.distributed",
    "torch.nn.parallel",
    "pandas",
    "pyarrow.parquet",
    "transformers",
    "scipy.sparse",
    "scipy.stats",
    "torchmetrics.functional.classification",
    "pydantic.v1",
    "pyarrow.json",
    "pyarrow.dataset",
    # What Ray loads of others.
    "requests",
    "rich.progress",
    "rich.table",
    "google.protobuf.json_format",
    "google.protobuf.struct_pb2",
    "fsspec",
    "jsonschema",
    "msgpack",
    "click",
    "wcwidth",
)
THEN = (
    "ray.train.torch",
    "ray.data",
    "ray.tune",
    "ray._private.arrow_serialization",
    "ray.data._internal.issue_detection.issue_detector_manager",
)
OF_PROJECT = (
    "d2ace.pipeline.training.worker",
    "d2ace.pipeline.training.whole_run",
    "d2ace.pipeline.selection.actor",
    "d2ace.pipeline.feeds.row_store",
)
WITHOUT_RAY = ("d2ace.pipeline.training.steps", "d2ace.pipeline.models.mlp", "d2ace.selectors.d2ace")
PROJECT, SENT = "project", "sent"
CLIENT = "D2ACE_TEST_CLIENT"
"""Commands whose environments give this variable the same value are forked from one server that has loaded Ray."""
MOST_SERVERS = 16
"""Servers of jobs, which hold a hundred megabytes each; the one that was asked longest ago ends first."""
LARGEST = 1 << 17
"""Bytes of a request: the arguments and the environment of one worker."""
LAUNCHER = """#!{python} -ISE
import json, os, signal, socket, sys
command = sys.argv[1] == "-m"
if not command and not sys.argv[1].endswith(("setup_worker.py", "default_worker.py")):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
    server.connect({address!r})
    socket.send_fds(server, [json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode()], [1, 2])
    for number in (signal.SIGINT, signal.SIGTERM) if command else ():
        signal.signal(number, lambda number, _: server.send(bytes([number])))
    code = server.recv(1)
sys.exit(code[0] if code else int(command))
"""


@contextlib.contextmanager
def worker_servers() -> Iterator[Path]:
    """Start both servers; gives a folder with ``project/python`` and ``sent/python``, for Ray to take for Python."""
    with contextlib.ExitStack() as stack:
        # A socket's path is at most 107 characters.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="d2ace-", dir="/tmp")))
        listening = [stack.enter_context(_launched(folder / name)) for name in (PROJECT, SENT)]
        numbers = [one.fileno() for one in listening]
        with subprocess.Popen(
            [sys.executable, __file__, *map(str, numbers)],
            stdin=subprocess.PIPE,
            pass_fds=numbers,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        ) as servers:
            yield folder
            servers.stdin.close()  # their sign to end; if this process is killed, the system closes it


def _launched(folder: Path) -> socket.socket:
    """Write a launcher; gives the socket that it asks at."""
    folder.mkdir()
    address, launcher = f"{folder}/socket", folder / "python"
    launcher.write_text(LAUNCHER.format(python=sys.executable, address=address))
    launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening.bind(address)
    listening.listen(128)
    return listening


@contextlib.contextmanager
def started_by(launcher: str) -> Iterator[None]:
    """Let Ray put this program in Python's place on the nodes that are started meanwhile."""
    python, sys.executable = sys.executable, launcher
    try:
        yield
    finally:
        sys.executable = python


def without_waiting(descriptor: int) -> None:
    """Stand for ``os.fsync`` where nothing has to survive a power failure."""


def serve_both(project: socket.socket, sent: socket.socket) -> None:
    """Go on as two servers."""
    os.fsync = without_waiting
    _load(FIRST)
    if os.fork():
        project.close()
        serve(sent, THEN)
    else:
        sent.close()
        _load(WITHOUT_RAY)
        serve(project, THEN + OF_PROJECT)


def serve(listening: socket.socket, modules: tuple[str, ...]) -> None:
    """Let a server for its job and node fork each worker that a launcher asks for, until standard input ends.

    Args:
        listening: where launchers ask.
        modules: what the server of a job has loaded.
    """
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    servers: dict[tuple[str | None, ...], socket.socket] = {}
    while True:
        connection, _ = listening.accept()
        request, outputs, _, _ = socket.recv_fds(connection, LARGEST, 2)
        if not request:  # the launcher was killed before it had asked
            connection.close()
            continue
        arguments, environment, _ = json.loads(request)
        command = arguments[0] == "-m"
        handed_on = [*outputs, connection.fileno()] if command else outputs
        key = tuple(environment.get(name) for name in ("RAY_JOB_ID", "RAY_RAYLET_PID", CLIENT))
        if command and not any(key):
            _forked(_watch, handed_on, [listening, *servers.values()], request)
        else:
            if key not in servers:
                servers[key], others = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                of_others = [*(server.fileno() for server in servers.values()), *outputs, connection.fileno()]
                _forked(_serve_one, others, of_others, environment, modules)
                others.close()
            servers[key] = servers.pop(key)  # the last that was asked
            socket.send_fds(servers[key], [request], handed_on)
            if len(servers) > MOST_SERVERS:
                servers.pop(next(iter(servers))).close()
        for number in (*outputs, connection.detach()):
            os.close(number)


def _watch(handed_on: list[int], inherited: list[socket.socket], request: bytes) -> None:
    """Fork a command, hand signals on to it, and its code to the launcher; without the launcher, kill it."""
    for other in inherited:
        other.close()
    *outputs, number = handed_on
    connection = socket.socket(fileno=number)
    child = _forked(_become, outputs, *json.loads(request))
    watched = os.pidfd_open(child)
    while True:
        ready, _, _ = select.select([connection, watched], [], [])
        if watched in ready:
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            with contextlib.suppress(BrokenPipeError):
                connection.send(bytes([code if code >= 0 else 128 - code]))
            return
        os.kill(child, int.from_bytes(connection.recv(1)) or signal.SIGKILL)


def _serve_one(
    requests: socket.socket, inherited: list[int], environment: dict[str, str], modules: tuple[str, ...]
) -> None:
    """Fork the workers of one job on one node until the first server has ended."""
    for number in inherited:  # the first server's ends and a worker's output, which this one must not hold open
        os.close(number)
    _set_environment(environment)
    with _no_draw_of_ray():
        _load(modules)
    while True:
        request, handed_on, _, _ = socket.recv_fds(requests, LARGEST, 3)
        if not request:
            return
        if len(handed_on) == 3:
            _forked(_watch, handed_on, [requests], request)
        else:
            _forked(_become, handed_on, *json.loads(request))
        for number in handed_on:
            os.close(number)


@contextlib.contextmanager
def _no_draw_of_ray() -> Iterator[None]:
    """Give classes of actors their ids without Ray's generator: drawn from once, all forks would make the same ids."""
    import ray.actor

    drawn = ray.actor.ActorClassID
    ray.actor.ActorClassID = SimpleNamespace(from_random=lambda: drawn(os.urandom(drawn.size())))
    try:
        yield
    finally:
        ray.actor.ActorClassID = drawn


def _load(modules: tuple[str, ...]) -> None:
    for name in modules:
        importlib.import_module(name)
    gc.freeze()  # the collector does not touch, and so not copy, what all workers share
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no worker stays behind as a zombie


def _forked(work: Callable[..., None], *arguments: Any) -> int:
    """Call a function in a process of its own, which ends with it; gives its id."""
    if child := os.fork():
        return child
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        work(*arguments)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def _set_environment(environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def _become(outputs: list[int], arguments: list[str], environment: dict[str, str], folder: str) -> None:
    """Go on as the program that was to be started."""
    os.chdir(folder)
    _set_environment(environment)
    for number, output in enumerate([os.open(os.devnull, os.O_RDONLY), *outputs]):
        os.dup2(output, number)
    os.execvp = _run_here  # with a runtime environment there are two programs, of which the first starts the second
    _run(arguments)


def _run_here(file: str, args: list[str]) -> None:
    """Run what ``bash -c "cd folder && exec python default_worker.py ..."`` would, in this process."""
    words = shlex.split(args[2])
    if words[0] == "cd" and words[2] == "&&":
        os.chdir(words[1])
        words = words[3:]
    if words[:2] != ["exec", sys.executable]:
        os.execv(f"/bin/{file}", args)
    _run(words[2:])


def _run(arguments: list[str]) -> None:
    command = arguments[0] == "-m"
    sys.argv = arguments[command:]
    named = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))  # by a runtime environment
    own = str(Path.cwd()) if command else str(Path(arguments[0]).parent)
    sys.path[:0] = [own, *(folder for folder in named if folder not in sys.path)]
    if not command:
        runpy.run_path(sys.argv[0], run_name="__main__")
        return
    sys.stdout.reconfigure(line_buffering=True)  # a job's output is followed line by line
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    finally:
        threading._shutdown()  # as at the end of every other program, which this process does not come to
        atexit._run_exitfuncs()
        sys.stdout.flush()


if __name__ == "__main__":
    serve_both(*(socket.socket(fileno=int(number)) for number in sys.argv[1:]))
