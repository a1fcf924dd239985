"""What holds for the whole suite: a quiet Ray without authentication, and the real data where they are."""

import gc
import os
import signal

# A suite that a script starts in the background inherits an ignored Ctrl-C, and hands it on to the processes it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

for _name, _value in {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "20",
    "RAY_worker_niceness": "0",  # not behind everything else on a busy machine
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",  # a process a run
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_DATA_LOG_LEVEL": "ERROR",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "AWS_EC2_METADATA_DISABLED": "true",  # workers ask a stand-in's bucket, which wants no credentials
    "OMP_NUM_THREADS": "1",  # small tensors are fastest on one thread, and processes share the cores
}.items():
    os.environ.setdefault(_name, _value)  # before Ray is imported anywhere

from pathlib import Path

import pytest
from forked_workers import without_waiting

# Looking for garbage among all that PyTorch, Ray and thousands of tests hold takes a twentieth of the suite's time.
gc.disable()

# Nothing that a test writes has to survive a power failure, and waiting for the disk takes a tenth of the suite's time.
os.fsync = without_waiting

pytest_plugins = [
    "bucket_fixtures",
    "rank_processes",
    "ray_fixtures",
    "run_fixtures",
    "shares",
    "slow_tests",
    "told_briefly",
    "words_only",
]

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and specifications beside the project; a user's clone has none."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the real data in {SHARED}, which is not here")
    return SHARED


def pytest_collection_finish() -> None:
    """Let the collector look at what tests make from here on, and at nothing that was there before."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    gc.enable()
