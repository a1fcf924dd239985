import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.manifest import MANIFEST_FILE
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
