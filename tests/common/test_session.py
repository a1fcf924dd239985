"""A Ray of one's own, and the environment that it gets."""

import os

import pytest
import ray

from d2ace.pipeline.common.cluster.session import ray_session
from d2ace.pipeline.common.config.sections import RunSection


@pytest.mark.parametrize(("address", "watched"), [(None, "0"), ("10.0.0.1:6379", None)])
def test_no_process_watches_for_the_loss_of_this_machine(address, watched, monkeypatch):
    name = "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER"
    monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if address:
        monkeypatch.setenv("RAY_ADDRESS", address)
    for call, answer in {"is_initialized": False, "init": None, "shutdown": None}.items():
        monkeypatch.setattr(ray, call, lambda *_, answer=answer, **__: answer)
    with ray_session(RunSection()):
        assert os.environ.get(name) == watched
    assert name not in os.environ
