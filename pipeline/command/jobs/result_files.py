"""What comes back from a job: small result files, as text in the log of a second, tiny job.

The job API moves no files out of a cluster, and a client need not share a disk with it. Run as a module inside the
cluster, this one prints an archive of the folders it is given; the client reads it from the log.
"""

import base64
import io
import posixpath
import re
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ...common.errors import DataError, RunError
from ...common.storage.any_path import fetched, place_of
from ...common.storage.locations import Location
from ...common.storage.reading import reading

MODULE = __name__
FILES = (
    *("config.yaml", "metrics.jsonl", "result.json"),  # of a run
    *("table.parquet", "best.yaml", "sweep.yaml", "progress.jsonl", "report.html"),  # of a comparison or sweep
    *("outcome.json", "sequence.yaml"),  # of a sequence of tasks
)
"""What is fetched of a folder, as far as it is there."""
LIMIT = 32 * 2**20
"""Most bytes of all files together: they pass through memory, and through a log."""
BEGIN, END = "-----BEGIN D2ACE RESULTS-----", "-----END D2ACE RESULTS-----"

_ANNOUNCED = re.compile(
    r"^(run folder(?: of [^:]+)?|table|outcome|best settings|report(?=: .*/report\.html(?:\?.*)?$)): (.+)$",
    re.MULTILINE,
)


def announced(log: str) -> list[str]:
    """Return the folders that a job said it wrote: those of runs, comparisons, sweeps, sequences and reports."""
    folders = []
    for what, path in _ANNOUNCED.findall(log):
        place, query, options = path.partition("?") if "://" in path else (path, "", "")  # options may hold slashes
        folders.append(path if what.startswith("run") else f"{posixpath.dirname(place)}{query}{options}")
    return list(dict.fromkeys(folders))


def archive(folders: Sequence[str | Path]) -> str:
    """Return the result files of ``folders``, paths or addresses, as lines of text between BEGIN and END.

    The files of one folder stand at the top, those of several below the folders' names.

    Raises:
        RunError: when there are none, or they are larger than LIMIT.
        DataError: when a bucket does not give them.
    """
    paths = [place_of(folder) / name for folder in folders for name in FILES]
    paths = [path for path in paths if path.is_file()]
    if not paths:
        raise RunError(f"{', '.join(map(str, folders))}: no results are there; are the paths absolute and shared?")
    size = sum(Location.of(path).info().size for path in paths)
    if size > LIMIT:
        raise RunError(
            f"{size / 2**20:.1f} MiB of results are more than the {LIMIT / 2**20:g} MiB that pass through the job API; "
            f"copy {', '.join(map(str, folders))} from the cluster's storage"
        )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for path in paths:
            with fetched(path) as content:
                file.write(content, path.name if len(folders) == 1 else f"{path.parent.name}/{path.name}")
    return f"{BEGIN}\n{base64.encodebytes(buffer.getvalue()).decode()}{END}"


def unpack(log: str, out: Path) -> list[Path]:
    """Write the files of the archive in ``log`` below ``out``; returns their paths.

    Raises:
        RunError: when the log holds no whole archive.
    """
    _, begin, rest = log.partition(f"{BEGIN}\n")
    text, end, _ = rest.partition(END)
    if not begin or not end:
        raise RunError(f"no results came: {(log.strip().splitlines() or ['the log is empty'])[-1]}")
    try:
        content = base64.b64decode(text)
    except ValueError as error:
        raise RunError(f"the results came damaged: {error}") from None
    with reading("the results of the job"), zipfile.ZipFile(io.BytesIO(content)) as file:
        members = file.infolist()
        _require_expected(members)
        return [Path(file.extract(member, out)) for member in members]


def _require_expected(members: Sequence[zipfile.ZipInfo]) -> None:
    """Raise RunError for an archive that ``archive`` did not make: a job may be anybody's program."""
    for member in members:
        path = PurePosixPath(member.filename)
        if path.name not in FILES or len(path.parts) > 2 or path.is_absolute() or ".." in path.parts:
            raise RunError(f"the results of the job hold {member.filename[:100]!r}, which is no file of results")
    if (size := sum(member.file_size for member in members)) > LIMIT:
        raise RunError(f"the results of the job unpack to {size / 2**20:,.1f} MiB, more than {LIMIT / 2**20:g} MiB")


if __name__ == "__main__":
    try:
        print(archive(sys.argv[1:]))
    except (DataError, RunError) as problem:
        print(problem)  # the client says it; to Ray's list of jobs this one has done its work
