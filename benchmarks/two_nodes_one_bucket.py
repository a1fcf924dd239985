"""Two nodes that share nothing but a bucket: every verb there, after kills, against the same commands on a disk.

The head and a second node are Ray's own processes on this machine. The second sees another file system where the head
has its files: an empty one of its own. Each has room for one worker, so that a run with two needs both. Data are
prepared into the bucket, a run is killed with its command and goes on, its results are evaluated, predicted and
reported, and a sweep is killed and goes on. Claim: batches, weights, metrics, predictions and the table of the sweep
are those of a disk, where one process trains and nothing is killed, bit for bit.

Needs the rights of root (for the second file system) and a service that speaks S3, with an empty bucket, for example
``moto_server -p 5000`` and ``aws --endpoint-url http://127.0.0.1:5000 s3 mb s3://drill``.

Run: AWS_ENDPOINT_URL=http://127.0.0.1:5000 python benchmarks/two_nodes_one_bucket.py s3://drill
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _common import ROOT, free_port, left_out, one_thread, record

one_thread()
sys.path[:0] = [str(ROOT / "tests" / "helpers")]

import pyarrow.parquet as pq  # noqa: E402
import yaml  # noqa: E402
from growth import write_table  # noqa: E402
from run_contents import run_contents  # noqa: E402

from d2ace.pipeline import evaluate  # noqa: E402
from d2ace.pipeline.common.storage.any_path import AnyPath, any_path, fetched  # noqa: E402
from d2ace.pipeline.common.storage.json_files import read_json_lines  # noqa: E402
from d2ace.pipeline.studies.tune import SweepFolder  # noqa: E402

COMMAND = [sys.executable, "-m", "d2ace.pipeline.cli"]
RAY = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1"]
LIMIT_S = 300
EPOCHS = 12
TOLD = ("status", "point", "epochs", "score", "best_epoch")
KNOBS = {"optimizer.lr": {"choice": [0.03, 0.01, 1e-9]}}


@contextmanager
def two_nodes(scratch: Path) -> Iterator[dict[str, str]]:
    """Start both nodes; gives the environment of commands on the head."""
    port = free_port()
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled", "PYTHONPATH": str(ROOT), "RAY_worker_niceness": "0"}
    head = [*RAY, "--head", f"--port={port}", "--include-dashboard=false"]
    hidden = f"mount -t tmpfs none {scratch} && exec " + " ".join([*RAY, f"--address=127.0.0.1:{port}"])
    with _process(head, environment, scratch / "head.log"):
        _wait(lambda: socket.create_connection(("127.0.0.1", port), 1).close() is None)
        with _process(["unshare", "--mount", "sh", "-c", hidden], environment, scratch / "node.log"):
            _wait(lambda: "Ray runtime started" in (scratch / "node.log").read_text())
            yield environment | {"RAY_ADDRESS": f"127.0.0.1:{port}"}


@contextmanager
def _process(command: Sequence[str], environment: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _wait(done: Any) -> None:
    """Wait until a look says so; an OSError says not yet."""
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        try:
            if done():
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"nothing came within {LIMIT_S} s")


def run(words: Sequence[str], environment: dict[str, str], killed_when: Any = None) -> None:
    """Give a command, and kill it without a word as soon as a look says so."""
    print("d2ace", *words, "(killed)" if killed_when else "", flush=True)
    process = subprocess.Popen([*COMMAND, *words], env=environment, stdout=subprocess.DEVNULL)
    if killed_when is None:
        if code := process.wait(LIMIT_S):
            raise RuntimeError(f"d2ace {words[0]} ended with {code}")
        return
    _wait(lambda: process.poll() is not None or killed_when())
    assert process.poll() is None, "it ended before it was killed"
    process.kill()
    process.wait()


def everything(place: str, workers: int, folder: Path, environment: dict[str, str], kills: bool) -> dict[str, Any]:
    """Give all commands with data and results at a place; gives what must be equal."""
    source, data, one, sweep = folder / "rows.csv", f"{place}/table", f"{place}/runs/one", f"{place}/sweep"
    write_table(source)
    run(["prepare", str(source), data, "--label-prefix", "y", "--overwrite"], environment)
    settings = [f"run.storage={place}/runs", "run.name=one", f"run.workers={workers}", f"train.epochs={EPOCHS}"]
    settings += ["run.checkpoint_steps=3", "train.batch_size=32", "optimizer.lr=0.03", "run.cpus_per_worker=1"]
    train = ["train", data, *settings]
    if kills:
        run(train, environment, lambda: len(read_json_lines(any_path(one) / "metrics.jsonl")) >= EPOCHS // 3)
        train = ["train", "--resume", one]
    run(train, environment)
    run(["predict", one, data, f"{place}/predicted.parquet"], environment)
    run(["report", one], environment)
    file = folder / "sweep.yaml"
    config = {"data": {"path": data}, "train": {"epochs": 3}, "selector": {"name": "uniform"}, "run": {"workers": 0}}
    asked = {"name": "s", "config": config, "space": "none", "knobs": KNOBS, "sampler": "grid", "scheduler": "none"}
    file.write_text(yaml.safe_dump(asked))
    tune = ["tune", str(file), sweep, "--parallel", "1"]
    if kills:
        run(tune, environment, lambda: len(read_json_lines(any_path(sweep) / "progress.jsonl")) >= 4)
        tune = ["tune", "--resume", sweep, "--parallel", "1"]
    run(tune, environment)
    return results(any_path(place), any_path(one), sweep)


def results(place: AnyPath, one: AnyPath, sweep: str) -> dict[str, Any]:
    """Return what must be equal, as plain values."""
    with fetched(place / "predicted.parquet") as file:
        predicted = pq.read_table(file).to_pylist()
    table, contents = SweepFolder(any_path(sweep)).table, run_contents(one)
    assert len(contents["batches"]) == EPOCHS and (one / "report.html").is_file()
    return {
        **contents,
        "evaluated": evaluate(str(one)),
        "predicted": predicted,
        "sweep": table[list(TOLD)].to_dict("records"),
    }


def main() -> None:
    if os.geteuid():
        left_out("it needs the rights of root, to give the second node a file system of its own")
    if len(sys.argv) != 2:
        left_out("it needs a bucket: see the first lines of this file")
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "none")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "none")
    with tempfile.TemporaryDirectory(prefix="d2ace-") as name:
        scratch = Path(name)
        alone = {**os.environ, "RAY_AUTH_MODE": "disabled", "PYTHONPATH": str(ROOT)}
        (scratch / "disk").mkdir()
        expected = everything(str(scratch / "disk"), 0, scratch, alone, kills=False)
        with two_nodes(scratch) as environment:
            found = everything(sys.argv[1], 2, scratch, environment, kills=True)
    equal = {what: found[what] == expected[what] for what in expected}
    print("\n".join(f"{what}: {'equal' if same else 'DIFFERENT'}" for what, same in equal.items()))
    record("two_nodes_one_bucket", {"epochs": EPOCHS, "workers": 2, "equal": equal})


if __name__ == "__main__":
    main()
