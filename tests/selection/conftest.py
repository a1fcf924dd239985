"""A state whose copying takes as long as a test wishes."""

from threading import Event

import pytest

from d2ace.selectors.d2ace import D2ACE


@pytest.fixture
def slow_copy(monkeypatch):
    """Let copies of D2ACE's state begin, and go on only when they are told to; gives both events."""
    begins, go_on, copy = Event(), Event(), D2ACE.state_dict

    def slowly(selector):
        begins.set()
        assert go_on.wait(30)
        return copy(selector)

    monkeypatch.setattr(D2ACE, "state_dict", slowly)
    yield begins, go_on
    go_on.set()
