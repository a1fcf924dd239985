"""What studies of both kinds have: a name, and the file that messages call them by."""

from pydantic import PrivateAttr

from ..common.config.section import Section
from ..common.errors import DataError
from ..data.manifest import Manifest


class NamedStudy(Section):
    """A description that is read from a file, or made in Python."""

    name: str
    _file: str | None = PrivateAttr(None)

    @property
    def source(self) -> str:
        """What messages call it: the file that it was read from, else its name."""
        return self._file or f"study {self.name}"

    def _load_manifest(self, data: str, path: str) -> Manifest:
        """Return what a prepared data set says of itself; raises DataError that names the study and the data set."""
        try:
            return Manifest.load(path)
        except DataError as error:
            raise DataError(f"{self.source}: data.{data}: {error}") from None
