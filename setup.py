"""Lists the packages, so that a new sub-folder is never forgotten; everything else is in pyproject.toml."""

from setuptools import find_namespace_packages, setup

packages = ["d2ace"]
for root in ("pipeline", "selectors", "tune_spaces"):
    packages += [f"d2ace.{root}"] + [f"d2ace.{root}.{name}" for name in find_namespace_packages(root)]
setup(packages=packages)
