"""Files that are whole or absent, whoever else writes and whenever the power goes."""

import os
from pathlib import Path

import pytest

from d2ace.pipeline.common.storage.whole_files import remove_temporaries, replacing


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_share_a_temporary(tmp_path):
    path = tmp_path / "a.txt"
    with replacing(path) as mine:
        mine.write_text("mine")
        with replacing(path) as yours:
            yours.write_text("yours")
        assert mine != yours and path.read_text() == "yours"
    assert path.read_text() == "mine" and list(tmp_path.iterdir()) == [path]


def test_content_is_on_disk_before_its_name_and_its_name_before_the_end(tmp_path, monkeypatch):
    path, done, fsync = tmp_path / "a.txt", [], os.fsync

    def flushed(descriptor):
        fsync(descriptor)
        done.append((Path(f"/proc/self/fd/{descriptor}").readlink().suffix == ".tmp", path.exists()))

    monkeypatch.setattr(os, "fsync", flushed)
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert done == [(True, False), (False, True)]


def test_what_killed_writers_left_goes(tmp_path):
    for name in (".a.txt.0123.tmp", "kept.tmp", ".kept"):
        (tmp_path / name).write_text("")
    (tmp_path / ".folder.4567.tmp").mkdir()
    remove_temporaries(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".kept", "kept.tmp"]
