"""The boundary of the command: a line and an exit code for whatever ends a verb."""

import errno
import os
import signal
import sys
from pathlib import Path

import pytest
from ray.exceptions import RayTaskError, WorkerCrashedError

from d2ace.pipeline.cli import main
from d2ace.pipeline.command.boundary import guarded
from d2ace.pipeline.command.verbs import methods, train
from d2ace.pipeline.common.config.selector_section import SelectorSection
from d2ace.pipeline.common.errors import ConfigError, DataError


def ended_by(error, capsys, **settings):
    """Return exit code and stderr of a verb that raises an error."""

    def call():
        raise error

    return guarded(call, again="d2ace train x", **settings), capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConfigError("train.epochs: no"), "train.epochs: no"),
        (DataError("x.csv: label '\x1b[2J\u202e'"), r"x.csv: label '\x1b[2J\u202e'"),
        (DataError("x.csv: " + "y" * 10**6 + " ends"), "yyy ... yyy"),
        (OSError(errno.ENOSPC, "No space left on device", "/data/x"), "/data/x: No space left on device; free space"),
        (PermissionError(errno.EACCES, "Permission denied", "/data/x"), "/data/x: Permission denied; see who may"),
        (OSError(errno.EROFS, "Read-only file system", "/data/x"), "/data/x: Read-only file system; choose"),
        (
            NotADirectoryError(errno.ENOTDIR, "Not a directory", "f/x"),
            "f/x: Not a directory; a part of this path is a file",
        ),
        (OSError(errno.EFBIG, "File too large", "/x"), "/x: File too large; a limit (ulimit -f)"),
        (
            OSError("validate_socket_filename failed: AF_UNIX path length cannot exceed 107 bytes"),
            "set RAY_TMPDIR=/tmp",
        ),
        (ConnectionError("Could not find any running Ray instance."), "running Ray instance.; is RAY_ADDRESS right"),
        (Exception("The current node timed out during startup."), "Ray did not start in time"),
        (MemoryError("Unable to allocate 9 TiB"), "not enough memory (Unable to allocate 9 TiB)"),
        (WorkerCrashedError(), "a process of the run has died: The worker died"),
        (RayTaskError("f", "Traceback ...", DataError("rows.csv:3: odd")).as_instanceof_cause(), "rows.csv:3: odd"),
    ],
)
def test_trouble_is_told_in_one_line_with_exit_code_2(error, words, capsys):
    code, shown = ended_by(error, capsys)
    assert code == 2
    assert shown.startswith("d2ace: error: ") and words in shown
    assert shown.count("\n") == 1


def test_what_nobody_expected_keeps_its_traceback_in_a_file(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, shown = ended_by(KeyError("x"), capsys)
    assert code == 1 and "unexpected KeyError: 'x'" in shown and shown.count("\n") == 1
    (kept,) = tmp_path.iterdir()
    assert str(kept) in shown and "raise error" in kept.read_text()


def test_debug_shows_the_traceback_and_then_the_line(capsys):
    code, shown = ended_by(DataError("rows.csv:3: odd"), capsys, debug=True)
    assert code == 2 and "Traceback" in shown and shown.endswith("d2ace: error: rows.csv:3: odd\n")


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
@pytest.mark.parametrize("becomes", [None, SystemExit(0), RuntimeError("the actor was aborted")])
def test_signals_are_told_whatever_error_a_library_makes_of_them(number, code, word, becomes, capsys):
    def call():
        if becomes is not None:

            def handler(*_):
                raise becomes

            signal.signal(number, handler)  # as Ray does when it starts
        os.kill(os.getpid(), number)

    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    assert guarded(call, again="d2ace compare s.yaml out") == code
    assert capsys.readouterr().err == f"d2ace: {word}; start it again with: d2ace compare s.yaml out\n"
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_stopped_verb_names_its_own_way_to_go_on(capsys):
    error = KeyboardInterrupt()
    error.add_note("go on with: d2ace train --resume runs/a")
    assert ended_by(error, capsys) == (130, "d2ace: interrupted; go on with: d2ace train --resume runs/a\n")


def test_a_reader_that_has_gone_is_no_error(capfd):
    with Path(os.devnull).open("w") as nothing, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", nothing)
        assert ended_by(BrokenPipeError(), capfd) == (0, "")


def test_debug_is_taken_before_and_after_the_verb_and_from_the_environment(monkeypatch, capsys):
    def call(options):
        raise DataError("odd")

    monkeypatch.setattr(methods, "run", call)
    for arguments in (["--debug", "methods"], ["methods", "--debug"]):
        assert main(arguments) == 2
        assert "Traceback" in capsys.readouterr().err
    assert main(["methods"]) == 2 and "Traceback" not in capsys.readouterr().err
    monkeypatch.setenv("D2ACE_DEBUG", "1")
    assert main(["methods"]) == 2 and "Traceback" in capsys.readouterr().err


def test_overrides_may_stand_after_options(monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(train, "run", lambda options: seen.append((options.config, options.overrides)))
    assert main(["train", "c.yaml", "a=1", "--debug", "b=2"]) == 0
    assert seen == [("c.yaml", ["a=1", "b=2"])]
    with pytest.raises(SystemExit):
        main(["train", "c.yaml", "--debug", "word"])
    assert "unrecognized arguments: word" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prepare", "rows.csv", "file/out", "--label-prefix", "y"], "file"),
        (["train", "data", "model.options={hidden: [1"], "not valid YAML"),
        (["train", "latin.yaml"], "latin.yaml:1: not UTF-8"),
    ],
)
def test_trouble_of_files_reaches_the_user_as_a_line(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("a,y\n1,0\n2,1\n")
    (tmp_path / "file").write_text("")
    (tmp_path / "data").mkdir()
    (tmp_path / "latin.yaml").write_bytes(b"data: {path: \xe9}")
    assert main(arguments) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("d2ace: error: ") and words in last


def test_a_full_disk_names_the_folder_and_leaves_none(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("a,y\n1,0\n2,1\n")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("d2ace.pipeline.data.manifest.Manifest.save", full)
    assert main(["prepare", "rows.csv", "out", "--label-prefix", "y"]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("d2ace: error: out: No space left on device; free space")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv"]


@pytest.mark.parametrize("typo", ["trian.epochs=3", "train.epocs=3"])
def test_a_typo_is_told_before_the_methods_are_loaded(typo, tmp_path, monkeypatch, capsys):
    """They bring SciPy, which takes longer than all the rest."""
    monkeypatch.setattr(SelectorSection, "require_known", lambda _: pytest.fail("the methods were loaded"))
    assert main(["train", str(tmp_path), typo]) == 2
    assert "did you mean" in capsys.readouterr().err
