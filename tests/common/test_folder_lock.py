"""A folder has one writer; who that is, when it is gone, and what becomes of one that was taken for gone."""

import errno
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace

import pytest

from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.common.storage import folder_lock
from d2ace.pipeline.common.storage.folder_lock import LOCK, FolderLock
from d2ace.pipeline.common.storage.lock_holder import Holder, read_holder


def held_by(folder, holder, seconds_ago=0.0):
    """Leave the lock of another process."""
    path = folder / LOCK
    path.write_text(json.dumps(asdict(holder)))
    os.utime(path, (time.time() - seconds_ago,) * 2)


def elsewhere(**changes):
    """A process of another machine."""
    return replace(Holder.here(), host="node7", process=4711, machine="another boot", **changes)


def ended():
    """A process of this machine that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return replace(Holder.here(), process=process.pid)


def test_the_second_is_refused_with_who_holds_the_folder_until_the_first_ends(tmp_path):
    with FolderLock(tmp_path / "new", "run"):
        message = rf"new: process {os.getpid()} on \S+ is writing this run, .* wait for its end, or stop it$"
        with pytest.raises(RunError, match=message), FolderLock(tmp_path / "new", "run"):
            pytest.fail("two at once")
    with FolderLock(tmp_path / "new", "run"):
        assert read_holder(tmp_path / "new" / LOCK).process == os.getpid()
    assert not list((tmp_path / "new").iterdir())


def test_an_error_of_the_block_frees_the_folder_and_is_told(tmp_path):
    with pytest.raises(ValueError, match="mine"), FolderLock(tmp_path, "run"):
        raise ValueError("mine")
    assert not list(tmp_path.iterdir())


def refusing(number, words):
    """What raises an error of the system that names no file."""

    def refuse(*_, **__):
        raise OSError(number, words)

    return refuse


def test_a_full_disk_is_told_with_the_name_of_the_lock_and_leaves_none(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.write_text", refusing(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OSError, match="No space") as told, FolderLock(tmp_path, "run"):
        pytest.fail("no lock")
    assert told.value.filename == str(tmp_path / LOCK) and not list(tmp_path.iterdir())


def test_no_empty_lock_is_left_on_a_full_disk_without_hard_links(tmp_path, monkeypatch):
    contents = iter(["for the file that cannot be linked"])  # and none for the lock itself

    def content(_):
        return next(contents, None) or refusing(errno.ENOSPC, "No space left on device")()

    monkeypatch.setattr(os, "link", refusing(errno.EPERM, "Operation not permitted"))
    monkeypatch.setattr(FolderLock, "_content", property(content))
    with pytest.raises(OSError, match="No space") as told, FolderLock(tmp_path, "run"):
        pytest.fail("no lock")
    assert told.value.filename == str(tmp_path / LOCK) and not list(tmp_path.iterdir())


def test_a_process_that_has_ended_here_is_followed_at_once_with_a_word(tmp_path, caplog):
    holder = ended()
    held_by(tmp_path, holder)
    with FolderLock(tmp_path, "sweep"):
        pass
    assert f"taking over this sweep from process {holder.process} on {holder.host}, which has ended" in caplog.text


def test_an_id_that_came_again_is_not_the_process_that_had_it(tmp_path):
    held_by(tmp_path, replace(Holder.here(), started="1", token="before"))
    with FolderLock(tmp_path, "run"):
        assert read_holder(tmp_path / LOCK).token != "before"


def test_a_process_elsewhere_is_followed_when_it_is_silent_and_only_then(tmp_path, caplog):
    held_by(tmp_path, elsewhere(), seconds_ago=30)
    with pytest.raises(RunError, match=r"process 4711 on node7 .* was 30 s ago.*try again 60 s"):
        FolderLock(tmp_path, "run").__enter__()
    held_by(tmp_path, elsewhere(), seconds_ago=61)
    with FolderLock(tmp_path, "run"):
        assert read_holder(tmp_path / LOCK).process == os.getpid()
    assert "process 4711 on node7, which gave no sign of life for 61 s" in caplog.text


@pytest.mark.parametrize("day", [-86_400, 86_400])
def test_a_clock_of_this_machine_that_was_set_makes_no_lock_stale(tmp_path, monkeypatch, day):
    held_by(tmp_path, elsewhere(), seconds_ago=5)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + day)
    with pytest.raises(RunError, match=r"process 4711 on node7 is writing this run"):
        FolderLock(tmp_path, "run").__enter__()


def test_a_process_here_that_stands_still_keeps_its_folder(tmp_path):
    held_by(tmp_path, replace(Holder.here(), token="of another thread"), seconds_ago=3600)
    with pytest.raises(RunError, match=r"3600 s ago; wait for its end, or stop it$"):
        FolderLock(tmp_path, "run").__enter__()


def test_a_lock_is_renewed_and_a_lost_one_interrupts_its_process(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_lock, "_RENEW_S", 0.02)
    other = elsewhere()

    def work():
        with FolderLock(tmp_path, "run"):
            os.utime(tmp_path / LOCK, (0, 0))
            while (tmp_path / LOCK).stat().st_mtime == 0:
                time.sleep(0.01)
            held_by(tmp_path, other)
            for _ in range(6000):  # a signal that comes just before a sleep begins does not end it
                time.sleep(0.01)
            pytest.fail("was not interrupted")

    with pytest.raises(RunError, match="process 4711 on node7 took over this run"):
        work()
    assert read_holder(tmp_path / LOCK) == other


def test_file_systems_without_hard_links_have_locks_too(tmp_path, monkeypatch):
    def unknown(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", unknown)
    with FolderLock(tmp_path, "run"), pytest.raises(RunError, match="is writing this run"):
        FolderLock(tmp_path, "run").__enter__()


def test_what_a_killed_writer_left_goes(tmp_path):
    (tmp_path / ".metrics.jsonl.01234567.tmp").write_text("")
    with FolderLock(tmp_path, "run"):
        assert [path.name for path in tmp_path.iterdir()] == [LOCK]
