"""Runs the code blocks of README.md, in order, in one temporary folder, as a reader would who follows along.

Every ``python`` and ``bash`` block runs, unless its opening fence says why not:

    ```bash no-run: needs a cluster

Commands join one Ray that lasts for all blocks, which spares each the start of its own (tests show that).

Usage: python .ci/readme_blocks.py [FILE.md ...]; the exit code is 1 when a block fails.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 600
_BLOCK = re.compile(
    r"^```(?P<language>python|bash)\b(?P<info>[^\n]*)\n(?P<code>.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE
)
_NO_RUN = re.compile(r"no-run:\s*(?P<reason>\S.*)")


@dataclass(frozen=True)
class Block:
    """A code block.

    Attributes:
        language: "python" or "bash".
        line: line of its first line of code, from 1.
        reason: why it is not run; None when it is.
        code: its text.
    """

    language: str
    line: int
    reason: str | None
    code: str


def blocks(text: str) -> list[Block]:
    """Return the Python and bash blocks of a Markdown text.

    Raises:
        ValueError: for words after the language that are not ``no-run: REASON``.
    """
    found = []
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("code")) + 1
        info = match["info"].strip()
        tag = _NO_RUN.fullmatch(info)
        if info and not tag:
            raise ValueError(f"line {line - 1}: expected 'no-run: REASON' after the language, got {info!r}")
        found.append(Block(match["language"], line, tag["reason"] if tag else None, match["code"]))
    return found


def run(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a block in ``folder`` with this interpreter's environment first in PATH."""
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    command = [sys.executable, "-c"] if block.language == "python" else ["bash", "-euo", "pipefail", "-c"]
    return subprocess.run(
        [*command, block.code],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
    )


def check(path: Path) -> int:
    """Run all blocks of a file and print a line for each; returns the number of failures (later blocks still run)."""
    failures = 0
    with tempfile.TemporaryDirectory(prefix="readme-") as folder:
        for block in blocks(path.read_text()):
            where = f"{path.name}:{block.line} {block.language}"
            if block.reason:
                print(f"{where}: not run: {block.reason}", flush=True)
                continue
            start = time.perf_counter()
            try:
                done = run(block, Path(folder))
            except subprocess.TimeoutExpired:
                failures += 1
                print(f"{where}: FAILED: still running after {LIMIT_S} s", flush=True)
                continue
            print(f"{where}: {'FAILED' if done.returncode else 'ok'} ({time.perf_counter() - start:.1f} s)", flush=True)
            if done.returncode:
                failures += 1
                print(done.stdout, flush=True)
    return failures


def main(arguments: Sequence[str]) -> int:
    """Check the given files, by default README.md; returns the exit code."""
    paths = [Path(argument) for argument in arguments] or [ROOT / "README.md"]
    return 1 if sum(check(path) for path in paths) else 0


@contextmanager
def one_ray() -> Iterator[None]:
    """Start a Ray that every block's commands join."""
    import ray

    ray.init(address="local", num_cpus=max(4, os.cpu_count() or 1), include_dashboard=False, log_to_driver=False)
    os.environ["RAY_ADDRESS"] = ray.get_runtime_context().gcs_address
    try:
        yield
    finally:
        ray.shutdown()


if __name__ == "__main__":
    with one_ray():
        sys.exit(main(sys.argv[1:]))
