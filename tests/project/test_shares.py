"""Processes that share the suite begin with what takes longest."""

from types import SimpleNamespace

from shares import pytest_collection_modifyitems


def taken(config):
    tests = [("a", False), ("b", False), ("b", True), ("c", False), ("d", True), ("d", False)]
    items = [
        SimpleNamespace(path=path, number=n, get_closest_marker=lambda name, slow=slow: slow and name == "slow")
        for n, (path, slow) in enumerate(tests)
    ]
    pytest_collection_modifyitems(config, items)
    return [(item.path, item.number) for item in items]


def test_files_with_a_slow_test_come_first_and_stay_whole():
    shared = taken(SimpleNamespace(workerinput={}))
    assert shared == [("b", 1), ("b", 2), ("d", 4), ("d", 5), ("a", 0), ("c", 3)]


def test_one_process_takes_the_files_as_they_lie():
    assert taken(SimpleNamespace()) == [("a", 0), ("b", 1), ("b", 2), ("c", 3), ("d", 4), ("d", 5)]
