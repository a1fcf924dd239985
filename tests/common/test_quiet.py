"""Lines of C++ libraries that mean nothing to a user do not reach stderr; all others do, in their order."""

import os

import pytest

from d2ace.pipeline.common.cluster.quiet import without_lines


def test_lines_with_a_mark_are_left_out(capfd):
    with without_lines("max_restarts > 0", "odd"):
        os.write(2, b"one\n")
        os.write(2, b"core_worker.cc: an actor has max_restarts > 0. See\ntwo\n")
        os.write(2, b"odd\nthree")
    os.write(2, b"\nmax_restarts > 0\n")
    assert capfd.readouterr().err == "one\ntwo\nthree\nmax_restarts > 0\n"


def test_stderr_is_back_after_an_error(capfd):
    with pytest.raises(KeyError), without_lines("odd"):
        raise KeyError
    os.write(2, b"odd\n")
    assert capfd.readouterr().err == "odd\n"
