"""What the deployment files must agree with: the versions that are tested, and what ``make wheel`` writes."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def pinned(package: str) -> str:
    """Return the version of a package in constraints.txt."""
    found = re.search(rf"^{re.escape(package)}==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert found, f"constraints.txt does not pin {package}"
    return found[1]


def python_tag() -> str:
    """Return how Ray's images call the Python that constraints.txt is for, such as py311."""
    found = re.search(r"\(Python (\d)\.(\d+),", (ROOT / "constraints.txt").read_text())
    assert found
    return f"py{found[1]}{found[2]}"


def wheel_recipe() -> str:
    """Return the commands of ``make wheel``."""
    return (ROOT / "Makefile").read_text().partition("\nwheel:")[2].partition("\n\n")[0]
