"""Runs the notebooks of ``examples/`` from top to bottom, each in a process and a folder of its own.

Usage: python .ci/notebooks.py [NOTEBOOK...]; the exit code is 1 when a cell of one raises an error.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(path: Path) -> str | None:
    """Run a notebook; return the error of the first cell that fails, None when all cells run."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": folder}})
        try:
            client.execute()
        except CellExecutionError as error:
            return str(error)
    return None


def main(paths: list[str]) -> int:
    """Run the notebooks; returns the exit code."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # small tensors are fastest on one thread
    failed = 0
    for path in [Path(given) for given in paths] or sorted(EXAMPLES.glob("*.ipynb")):
        began = time.monotonic()
        error = run(path)
        print(f"{path.name}: {'FAILED' if error else 'ok'} ({time.monotonic() - began:.0f} s)")
        if error:
            print(error, file=sys.stderr)
        failed += error is not None
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
