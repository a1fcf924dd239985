"""A process that trains again and again has nothing more of anything afterwards, however its runs ended."""

import gc
import os
import tempfile
import threading
from pathlib import Path

import pytest

from d2ace.pipeline import fit
from d2ace.pipeline.common.errors import DivergedError
from d2ace.pipeline.training.hooks.progress import TellProgress


def held():
    """Return the names of this process's threads, and what its open files are."""
    gc.collect()
    files = sorted(str(file.readlink()) for file in Path(f"/proc/{os.getpid()}/fd").iterdir() if file.is_symlink())
    return sorted(thread.name for thread in threading.enumerate()), files


def test_runs_leave_no_thread_no_open_file_and_nothing_temporary(make_config, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    fit(make_config("run.name=first"), quiet=True)  # what is loaded once stays, and PyTorch makes a folder
    before, of_others = held(), sorted(scratch.iterdir())
    fit(make_config("run.name=whole", "run.checkpoint_steps=2"), quiet=True)
    with pytest.raises(DivergedError):
        fit(make_config("run.name=odd", "optimizer.name=sgd", "optimizer.lr=1e30"), quiet=True)
    tell = TellProgress.after_batch

    def stop(hook, training, epoch, step):
        if (epoch.number, step.number) == (2, 1):
            raise KeyboardInterrupt
        tell(hook, training, epoch, step)

    monkeypatch.setattr(TellProgress, "after_batch", stop)
    with pytest.raises(KeyboardInterrupt):
        fit(make_config("run.name=stopped", "run.checkpoint_steps=1"), quiet=True)
    assert held() == before
    assert sorted(scratch.iterdir()) == of_others
    runs = tmp_path / "runs"
    assert [str(path) for path in runs.rglob("*") if "tmp" in path.name or path.name == ".lock"] == []
