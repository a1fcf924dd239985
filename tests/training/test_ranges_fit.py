"""Runs whose selection state is split over several actors."""

import os
import signal
import time
from pathlib import Path
from threading import Thread

import pytest
from ray_processes import session_processes
from small_table import orders

from d2ace.pipeline import fit
from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.selectors.common.errors import SelectionError

pytestmark = pytest.mark.usefixtures("ray_session")


@pytest.mark.slow("a worker, and two ranges of which one is killed")
def test_a_run_with_two_ranges_draws_the_same_rows_and_survives_the_loss_of_a_range(make_config):
    one = fit(make_config("run.name=one"), quiet=True)
    assert len(set(orders(one.folder))) == 5
    folder = Path(one.folder).parent / "killed"
    killed = []

    def kill() -> None:
        store = CheckpointStore(folder / "checkpoints")
        while store.latest() is None:
            time.sleep(0.02)
        killed.append(session_processes("ray::RangeActor")[0])
        os.kill(killed[0], signal.SIGKILL)

    thread = Thread(target=kill, daemon=True)
    thread.start()
    result = fit(make_config("run.name=killed", "selector.ranges=2", "run.workers=1"), quiet=True)
    thread.join(10)
    assert killed
    assert orders(result.folder) == orders(one.folder)


def test_ranges_that_cannot_be_are_refused(make_config):
    with pytest.raises(ConfigError, match="the state of method 'uniform' cannot be split into ranges"):
        make_config("selector.name=uniform", "selector.options={}", "selector.ranges=2")
    with pytest.raises(SelectionError, match="ranges must be from 1 to"):
        fit(make_config("run.name=small", "selector.ranges=9"), quiet=True)
