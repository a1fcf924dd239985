"""Slow tests say why."""

import pytest
from hypothesis import settings
from slow_tests import LIMIT_S, silent, unexplained


def report(name: str, seconds: float, *keywords: str, when: str = "call") -> pytest.TestReport:
    where = (name, 0, name)
    return pytest.TestReport(name, where, dict.fromkeys(keywords, 1), "passed", None, when, duration=seconds)


def test_long_calls_without_a_reason_are_named_longest_first():
    told = unexplained(
        [
            report("a", LIMIT_S + 1),
            report("quick", LIMIT_S - 1),
            report("explained", 500, "slow"),
            report("fixture", 500, when="setup"),
            report("b", LIMIT_S + 2),
        ]
    )
    assert told == [f"{LIMIT_S + 2:.1f} s  b", f"{LIMIT_S + 1:.1f} s  a"]


@pytest.mark.parametrize(("arguments", "found"), [((), ["x"]), (("",), ["x"]), (("starts two nodes",), [])])
def test_a_marker_without_a_reason_is_found(arguments, found):
    class Item:
        nodeid = "x"

        def iter_markers(self, name):
            return iter([getattr(pytest.mark, name)(*arguments).mark])

    assert silent([Item()]) == found


def test_no_property_fails_for_taking_long():
    assert settings().deadline is None


def test_every_slow_test_says_why(request):
    assert silent(request.session.items) == []
