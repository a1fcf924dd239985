"""What every benchmark prints: the machine, the commit, and the spread over repeats."""

import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "results"
"""Where a study's page is written."""
# So that a script, and the Ray workers it starts, also run where d2ace is not installed.
sys.path[:0] = [str(ROOT)]
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


def one_thread() -> None:
    """Keep BLAS to one thread; call it before NumPy is imported."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"


def machine() -> dict[str, Any]:
    """Return processor, cores, load, Python and the versions that matter."""
    cpu = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        cpu = models[0] if models else cpu
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "scipy": version("scipy"),
    }


def add_machine(path: Path) -> None:
    """Note this machine among those that the runs beside a file were measured on."""
    known = json.loads(path.read_text()) if path.is_file() else []
    here = {key: value for key, value in machine().items() if key != "load"}
    path.write_text(json.dumps([*known, *([] if here in known else [here])], indent=1) + "\n")


def machines_told(path: Path) -> str:
    """Return the machines that ``add_machine`` noted, in words."""
    known = json.loads(path.read_text()) if path.is_file() else []
    return "; ".join(", ".join(f"{key} {value}" for key, value in each.items()) for each in known) or "machine unknown"


def commit() -> str:
    """Return the commit, marked "+changes" when the working tree differs from it, or "unknown"."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        return head + ("+changes" if _git("status", "--porcelain", "-uno", "--", ".", ":!benchmarks/results") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def left_out(why: str) -> NoReturn:
    """End a benchmark that cannot run here, in words and without an error: ``make bench`` goes on with the next."""
    print(f"left out: {why}")
    sys.exit(0)


def repeat(work: Callable[[], Any], times: int) -> list[float]:
    """Return the seconds of each of ``times`` runs of ``work``."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


def spread(values: list[float]) -> dict[str, float]:
    """Return minimum, median and maximum."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def shown(values: list[float], scale: float = 1.0, unit: str = "s") -> str:
    """Return "median unit (min .. max)"."""
    s = spread(values)
    return f"{s['median'] * scale:.3g} {unit} ({s['min'] * scale:.3g} .. {s['max'] * scale:.3g})"


def free_port() -> int:
    """Return a port of loopback that nobody listens at now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def recorded(name: str) -> dict[str, Any]:
    """Return the results in ``benchmarks/results/NAME.json``, none where there is no such file."""
    path = _results(name)
    return json.loads(path.read_text())["results"] if path.is_file() else {}


def record(name: str, results: dict[str, Any]) -> Path:
    """Print where it was measured and write ``benchmarks/results/NAME.json``."""
    out = {"benchmark": name, "date": datetime.now(UTC).isoformat(timespec="seconds"), "commit": commit()}
    out |= {"machine": machine(), "results": results}
    path = _results(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(out, indent=1) + "\n")
    facts = ", ".join(f"{key} {value}" for key, value in out["machine"].items())
    print(f"\ncommit {out['commit']} | {facts}\nwritten to {path.relative_to(ROOT)}")
    return path


def _results(name: str) -> Path:
    return ROOT / "benchmarks" / "results" / f"{name}.json"
