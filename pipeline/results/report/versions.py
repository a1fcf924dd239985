"""The versions that wrote a report."""

import platform
from collections.abc import Sequence
from importlib.metadata import version

from .markup import Html
from .page import table


def version_table(packages: Sequence[str]) -> Html:
    """Return the versions of Python and of packages that are installed."""
    rows = [("Python", platform.python_version()), *((name, version(name)) for name in packages)]
    return table("Versions", ("package", "version"), rows)
