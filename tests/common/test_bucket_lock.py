"""A folder in a bucket has one writer, as a folder on a disk has."""

import json
import os
import time
from dataclasses import asdict, replace

import pytest

from d2ace.pipeline.common.errors import DataError, FolderLostError, RunError
from d2ace.pipeline.common.storage import folder_lock
from d2ace.pipeline.common.storage.any_path import any_path
from d2ace.pipeline.common.storage.bucket_lock import BucketLock, lock_of
from d2ace.pipeline.common.storage.folder_lock import LOCK, FolderLock, is_held
from d2ace.pipeline.common.storage.locations import Location
from d2ace.pipeline.common.storage.lock_holder import Holder, read_holder


@pytest.fixture
def folder(bucket, monkeypatch):
    """A folder in the bucket; nobody waits to see whether another came at the same time."""
    monkeypatch.setattr(folder_lock, "SETTLE_S", 0.0)
    return any_path(bucket.address("b/run"))


def held_by(bucket, folder, holder, seconds_ago=0.0):
    """Leave the lock of another process."""
    (folder / LOCK).write(json.dumps(asdict(holder)).encode())
    bucket.changed[f"run/{LOCK}"] = time.time() - seconds_ago


ELSEWHERE = replace(Holder.here(), host="node7", process=4711, machine="another boot")


def test_the_second_is_refused_with_who_holds_the_folder_until_the_first_ends(folder, tmp_path):
    assert type(lock_of(folder, "run")) is BucketLock and type(lock_of(tmp_path, "run")) is FolderLock
    message = rf"s3://b/run: process {os.getpid()} on \S+ is writing this run, .* wait for its end, or stop it$"
    with lock_of(folder, "run") as lock:
        assert is_held(folder) and not lock.lost
        with pytest.raises(RunError, match=message), lock_of(folder, "run"):
            pytest.fail("two at once")
    assert not is_held(folder)
    with lock_of(folder, "run"):
        assert read_holder(folder / LOCK).process == os.getpid()
    assert folder.store.listed(folder.path, recursive=True) == []


def test_a_process_elsewhere_is_followed_when_it_is_silent_and_only_then(bucket, folder, caplog):
    held_by(bucket, folder, ELSEWHERE)
    with pytest.raises(RunError, match=r"process 4711 on node7 .*try again 60 s"), lock_of(folder, "run"):
        pytest.fail("two at once")
    held_by(bucket, folder, ELSEWHERE, seconds_ago=66)
    assert not is_held(folder)
    with lock_of(folder, "run"):
        assert read_holder(folder / LOCK).process == os.getpid()
    assert "taking over this run from process 4711 on node7, which gave no sign of life for 6" in caplog.text


def test_of_two_that_come_at_the_same_time_the_later_one_stays(bucket, folder, monkeypatch):
    def another_comes(_):
        monkeypatch.setattr(folder_lock.time, "sleep", lambda _: None)
        held_by(bucket, folder, ELSEWHERE)

    monkeypatch.setattr(folder_lock.time, "sleep", another_comes)
    with pytest.raises(RunError, match="process 4711 on node7"), lock_of(folder, "run"):
        pytest.fail("two at once")
    assert read_holder(folder / LOCK) == ELSEWHERE


def test_who_lost_the_folder_is_told_and_leaves_the_lock_of_the_other(bucket, folder):
    with pytest.raises(FolderLostError, match="process 4711 on node7 took over this run"), lock_of(folder, "run"):
        held_by(bucket, folder, ELSEWHERE)
    assert read_holder(folder / LOCK) == ELSEWHERE


def test_a_bucket_that_refuses_says_so_and_nobody_takes_it_for_no_lock(bucket, folder):
    held_by(bucket, folder, ELSEWHERE)
    bucket.fail("GetObject", "denied", 1)
    with pytest.raises(DataError, match="ACCESS_DENIED"), lock_of(folder, "run"):
        pytest.fail("not allowed")


def test_a_lock_is_renewed_also_after_a_moment_without_the_bucket(bucket, folder, monkeypatch):
    lock = lock_of(folder, "run")
    waits = iter([False, False, True])
    monkeypatch.setattr(lock._done, "wait", lambda _: next(waits))
    Location.of(folder / LOCK).write(lock._content.encode())
    bucket.changed.clear()
    bucket.fail("PutObject", "denied", 1)
    lock._renew()
    assert bucket.written == [f"run/{LOCK}"] * 2 and bucket.changed
