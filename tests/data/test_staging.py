import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data import leftovers, staging
from d2ace.pipeline.data.manifest import MANIFEST_FILE, Manifest
from d2ace.pipeline.data.staging import staged_folder
from d2ace.pipeline.data.verification import verify

ROOT = Path(__file__).resolve().parents[2]


def test_the_folder_appears_only_when_complete(tmp_path):
    target = tmp_path / "deep" / "out"
    with staged_folder(target) as folder:
        (folder / "a").write_text("1")
        assert not target.exists()
    assert [path.name for path in target.iterdir()] == ["a"]
    assert [path.name for path in target.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("below", ["file/out", "file/deep/out"])
def test_a_folder_below_a_file_is_told(tmp_path, below):
    (tmp_path / "file").write_text("1")
    with pytest.raises(DataError, match=r"cannot be made, .* is or lies below a file"), staged_folder(tmp_path / below):
        pass


def test_failure_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), staged_folder(tmp_path / "out") as folder:  # noqa: PT012
        (folder / "a").write_text("1")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_an_existing_data_set_is_kept_unless_told(make_prepared):
    first = make_prepared(rows=20).manifest
    with pytest.raises(DataError, match=r"exists already.*overwrite=True"):
        make_prepared(rows=30)
    verify(first)
    assert make_prepared(rows=30, overwrite=True).manifest.rows == 30
    assert [path.name for path in first.folder.parent.iterdir()] == ["set"]


def test_failed_replacement_keeps_the_old_one(make_prepared):
    first = make_prepared(rows=20).manifest
    with pytest.raises(RuntimeError), staged_folder(first.folder, overwrite=True):
        raise RuntimeError
    verify(first)


def test_overwrite_never_deletes_a_folder_that_is_no_data_set(tmp_path):
    (tmp_path / "precious").write_text("x")
    with (
        pytest.raises(DataError, match=r"holds no manifest\.json, so it is not replaced"),
        staged_folder(tmp_path, overwrite=True),
    ):
        pass
    assert (tmp_path / "precious").exists()


def test_a_killed_process_leaves_no_data_set_and_the_next_one_cleans_up(tmp_path):
    code = (
        "import time; from d2ace.pipeline.data.staging import staged_folder\n"
        f"with staged_folder({str(tmp_path / 'out')!r}) as folder:\n"
        "    (folder / 'half').write_text('x'); print('ready', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    with staged_folder(tmp_path / "out") as folder:  # the living process keeps its folder meanwhile
        assert len(list(tmp_path.glob(".out.tmp-*"))) == 2
        (folder / MANIFEST_FILE).write_text("{}")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(0.01)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [MANIFEST_FILE]
    with staged_folder(tmp_path / "out", overwrite=True):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def begin_another(target):
    """Begin to prepare the same target, which looks for what is left there, and fail."""
    with pytest.raises(KeyError), staged_folder(target, overwrite=True):
        raise KeyError


def names(folder):
    """Return the names in a folder without what differs each time."""
    return sorted(path.name.partition("-")[0] for path in folder.iterdir())


def replace_and_die(target, method, call):
    """Replace a data set in a process that kills itself at a call, counted from 0, of a function."""
    code = (
        "import itertools, os, shutil, signal; from pathlib import Path\n"
        "from d2ace.pipeline.data.staging import staged_folder\n"
        f"there, calls = {method}, itertools.count()\n"
        "def dies(*args, **options):\n"
        f"    os.kill(os.getpid(), signal.SIGKILL) if next(calls) == {call} else None\n"
        "    return there(*args, **options)\n"
        f"{method} = dies\n"
        f"with staged_folder({str(target)!r}, overwrite=True) as folder:\n"
        "    (folder / 'manifest.json').write_text('new')\n"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == -signal.SIGKILL


def test_a_kill_between_the_two_renames_costs_no_data_set(make_prepared, tmp_path):
    first = make_prepared(rows=20).manifest
    replace_and_die(first.folder, "Path.rename", 1)
    assert names(tmp_path) == [".set.lock", ".set.lock", ".set.old", ".set.tmp"]
    with pytest.raises(DataError, match="exists already"):
        make_prepared(rows=30)
    verify(first)
    assert names(tmp_path) == ["set"]


@pytest.mark.parametrize(("method", "call"), [("Path.rename", 0), ("shutil.rmtree", 0), ("Path.unlink", 1)])
def test_a_kill_elsewhere_in_a_replacement_leaves_one_whole_data_set(make_prepared, tmp_path, method, call):
    first = make_prepared(rows=20).manifest
    replace_and_die(first.folder, method, call)
    assert len(names(tmp_path)) > 1
    begin_another(first.folder)
    assert names(tmp_path) == ["set"]
    if method == "Path.rename":
        verify(first)
    else:
        assert (first.folder / MANIFEST_FILE).read_text() == "new"


def test_what_is_half_removed_is_not_put_back(make_prepared, tmp_path):
    first = make_prepared(rows=20).manifest
    replace_and_die(first.folder, "shutil.rmtree", 0)
    shutil.rmtree(first.folder)
    make_prepared(rows=30)
    assert names(tmp_path) == ["set"]


def test_a_finished_folder_of_a_living_process_is_left_alone(tmp_path, monkeypatch):
    def meanwhile(folder, target):
        begin_another(target)
        put_in_place(folder, target)

    put_in_place = staging.put_in_place
    monkeypatch.setattr(staging, "put_in_place", meanwhile)
    with staged_folder(tmp_path / "out") as folder:
        (folder / MANIFEST_FILE).write_text("{}")
    assert names(tmp_path) == ["out"]


def test_a_folder_is_not_taken_for_a_dead_one_before_its_lock_is_held(tmp_path, monkeypatch):
    def meanwhile(file, how):
        monkeypatch.setattr(fcntl, "flock", flock)
        begin_another(tmp_path / "out")
        flock(file, how)

    flock = fcntl.flock
    monkeypatch.setattr(fcntl, "flock", meanwhile)
    with staged_folder(tmp_path / "out") as folder:
        begin_another(tmp_path / "out")
        (folder / MANIFEST_FILE).write_text("{}")
    assert names(tmp_path) == ["out"]


def test_folders_without_a_lock_are_removed_when_they_are_old(tmp_path):
    """Versions before had the lock inside, and none while they made the folder."""
    new, old = (tmp_path / f".out.tmp-0000000{number}" for number in (1, 2))
    for folder in (new, old):
        folder.mkdir()
    os.utime(old, (time.time() - 2 * leftovers._FORGOTTEN_S,) * 2)
    begin_another(tmp_path / "out")
    assert list(tmp_path.iterdir()) == [new]


def test_a_data_set_without_a_lock_is_put_back(make_prepared, tmp_path):
    first = make_prepared(rows=20).manifest
    first.folder.rename(tmp_path / ".set.old-00000001")
    begin_another(first.folder)
    verify(first)
    assert names(tmp_path) == ["set"]


def linked(tmp_path, make_prepared):
    """Return a data set in one folder and a link to it in another."""
    first = make_prepared(rows=20, folder=tmp_path / "big" / "set").manifest
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to("../big/set")
    return first, tmp_path / "data" / "link"


def test_a_data_set_is_replaced_through_a_link_which_stays(make_prepared, tmp_path):
    first, link = linked(tmp_path, make_prepared)
    with pytest.raises(DataError, match="exists already"):
        make_prepared(rows=30, folder=link)
    verify(first)
    assert make_prepared(rows=30, folder=link, overwrite=True).manifest.rows == 30
    assert link.is_symlink() and names(tmp_path / "data") == ["link"] and names(tmp_path / "big") == ["set"]
    verify(Manifest.load(first.folder))
    assert Manifest.load(first.folder).rows == 30


@pytest.mark.parametrize("there", [True, False])
def test_a_link_to_an_empty_folder_or_to_none_is_written_through(make_prepared, tmp_path, there):
    (tmp_path / "link").symlink_to("big/set")
    if there:
        (tmp_path / "big" / "set").mkdir(parents=True)
    verify(make_prepared(rows=20, folder=tmp_path / "link").manifest)
    assert (tmp_path / "link").is_symlink() and (tmp_path / "big" / "set" / MANIFEST_FILE).is_file()
    assert names(tmp_path) == ["big", "link"] and names(tmp_path / "big") == ["set"]


def test_of_a_link_that_an_older_version_left_only_the_link_goes(make_prepared, tmp_path):
    first, _ = linked(tmp_path, make_prepared)
    make_prepared(rows=30, folder=tmp_path / "data" / "mine")
    (tmp_path / "data" / ".mine.old-00000001").symlink_to("../big/set")
    make_prepared(rows=30, folder=tmp_path / "data" / "mine", overwrite=True)
    verify(first)
    assert names(tmp_path / "data") == ["link", "mine"]
