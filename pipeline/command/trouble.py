"""Trouble of the environment in words: what went wrong where, and what to do; no traceback."""

import errno
import os

from ...selectors.common.errors import SelectionError
from ..common.errors import ConfigError, DataError, RunError

TOLD = (ConfigError, DataError, RunError, SelectionError)
"""Errors that are worded for users already."""

_ADVICE = {
    errno.ENOSPC: "free space there, or write elsewhere",
    errno.EDQUOT: "the quota is used up: free space, or write elsewhere",
    errno.EFBIG: "a limit (ulimit -f) or the file system allows no larger file: raise it, or write elsewhere",
    errno.EROFS: "choose a folder that can be written",
    errno.EACCES: "see who may read and write there, or choose another folder",
    errno.EPERM: "see who may read and write there, or choose another folder",
    errno.ENOTDIR: "a part of this path is a file, not a folder; choose another path",
    errno.EEXIST: "something of that name is in the way; choose another path",
    errno.EISDIR: "expected a file, this is a folder",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EMFILE: "raise the limit of open files (ulimit -n 4096)",
    errno.ENOMEM: "free memory, or take smaller batches or fewer workers",
    errno.EAGAIN: "the limit of processes is reached (ulimit -u)",
}


_MOST = 2000
"""Characters of a message: one that quotes a damaged file may be as long as the file."""


def in_words(error: BaseException) -> str | None:
    """Return what was met, and what to do, in words that a terminal can show; None for an error nobody expected."""
    words = _words(error)
    return None if words is None else _presentable(words)


def _presentable(words: str) -> str:
    """Return words without what would move a terminal's cursor or colours, and not without end."""
    if len(words) > _MOST:
        words = f"{words[: _MOST // 2]} ... {words[-_MOST // 2 :]}"
    return "".join(sign if sign.isprintable() or sign in "\n\t" else _spelled(sign) for sign in words)


def _spelled(sign: str) -> str:
    return sign.encode("unicode_escape").decode()


def _words(error: BaseException) -> str | None:
    if type(error).__module__.partition(".")[0] == "ray":
        return _of_ray(error)
    if isinstance(error, TOLD):
        return str(error)
    if isinstance(error, OSError):
        return _of_system(error)
    if isinstance(error, MemoryError):
        return f"not enough memory{_detail(error)}; take smaller batches, fewer workers, or a larger machine"
    if "node timed out during startup" in str(error):  # a plain Exception of Ray's
        return "Ray did not start in time: the machine is very busy, or short of memory; try again"
    if isinstance(error, RuntimeError) and "PytorchStreamWriter failed" in str(error):
        return f"weights could not be written ({_line(error)}); is the disk full?"
    return None


def _of_system(error: OSError) -> str:
    if isinstance(error, ConnectionError) and error.errno is None:  # Ray's: it found no cluster
        return f"{_line(error)}; is RAY_ADDRESS right, and the cluster up?"
    if "AF_UNIX path" in str(error):
        return (
            "the folder for temporary files has too long a path for Ray's sockets "
            f"({os.environ.get('RAY_TMPDIR') or os.environ.get('TMPDIR') or '/tmp'}); set RAY_TMPDIR=/tmp"
        )
    names = [str(name) for name in (error.filename, error.filename2) if name is not None]
    where = f"{' and '.join(names)}: " if names else ""
    advice = _ADVICE.get(error.errno or 0)
    what = os.strerror(error.errno or 0) if advice else error.strerror or _line(error)  # pyarrow's words are longer
    return f"{where}{what}" + (f"; {advice}" if advice else "")


def _of_ray(error: BaseException) -> str:
    """Word an error that Ray raised: what a task met, or the end of a process or a node."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, BaseException):
        return _words(cause) or f"{type(cause).__name__}: {_line(cause)}"
    kind = type(error).__name__
    if kind == "OutOfMemoryError":
        return "a node ran out of memory and Ray ended a process there; take fewer workers, or nodes with more memory"
    if kind == "ObjectStoreFullError":
        return "Ray's object store is full; run.feed=stream leaves images in storage, or start Ray with a larger one"
    if kind.startswith(("Actor", "RayActor", "WorkerCrashed", "LocalRayletDied", "NodeDied", "OwnerDied")):
        return f"a process of the run has died: {_line(error)}"
    return f"Ray: {kind}: {_line(error)}"


def _line(error: BaseException) -> str:
    """Return the first line of an error that says something."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _detail(error: BaseException) -> str:
    return f" ({_line(error)})" if str(error) else ""
