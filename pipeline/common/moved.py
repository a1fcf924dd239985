"""Modules under the names that they had in 0.1; importing one warns and gives the module of today."""

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType

MOVED = {
    "checkpoints": "runs.checkpoints",
    "compare": "studies.compare",
    "config": "common.config.config",
    "data.arff": "data.from_tables.arff",
    "data.prepare": "data.from_tables.prepare",
    "doctor": "training.doctor",
    "errors": "common.errors",
    "evaluation": "results.evaluation",
    "explanation": "results.explanation",
    "losses": "models.losses",
    "metrics": "training.metrics",
    "prediction": "results.prediction",
    "report": "results.report",
    "simulation": "results.simulation",
    "sources": "data.from_images",
    "submission": "command.jobs",
    "train": "training.driver",
    "tune": "studies.tune",
}
"""Old name and new place, both below the package ``pipeline``."""


class MovedModules(MetaPathFinder, Loader):
    """Finds a moved module, or a submodule of one, where it is now; it is never loaded twice.

    Args:
        package: full name of the package that the names in ``MOVED`` are below.
    """

    def __init__(self, package: str) -> None:
        self._package = package
        self._specs: dict[str, ModuleSpec | None] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec for a name that has moved, None for any other."""
        return spec_from_loader(fullname, self) if self._place(fullname) else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module from its new place."""
        place = self._place(spec.name)
        assert place is not None
        warnings.warn(f"{spec.name} is {place} now", DeprecationWarning, stacklevel=2)
        module = import_module(place)
        self._specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its own spec back, which Python has replaced by that of the old name."""
        assert module.__spec__ is not None
        module.__spec__ = self._specs[module.__spec__.name]

    def _place(self, fullname: str) -> str | None:
        """Return the full name of the new place."""
        if not fullname.startswith(f"{self._package}."):
            return None
        rest = fullname.removeprefix(f"{self._package}.")
        for old, new in MOVED.items():
            if rest == old or rest.startswith(f"{old}."):
                return f"{self._package}.{new}{rest.removeprefix(old)}"
        return None


def find_moved_modules(package: str) -> None:
    """Let imports find what has moved within a package."""
    sys.meta_path.insert(0, MovedModules(package))
