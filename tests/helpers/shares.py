"""In which order the processes of a parallel run (``pytest -n 2``) take the files of the suite."""

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put files with slow tests first: one that comes last would leave the other processes without work."""
    if hasattr(config, "workerinput"):  # a process among several
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)
