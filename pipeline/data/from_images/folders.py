"""A folder of image files, listed once."""

import posixpath
from functools import cached_property

from ...common.errors import DataError
from ...common.storage.locations import Location
from .records import ImageRecord, ListingBuilder
from .vocabulary import Fail


class ImageFolder:
    """Finds image files by name.

    Args:
        source: the folder of the data set.
        folder: of the images, relative to it.

    Raises:
        DataError: when there is no such folder.
    """

    def __init__(self, source: Location, folder: str) -> None:
        self.location, self._folder = source.join(folder), folder
        if not self.location.is_folder():
            raise DataError(f"{self.location}: there is no such folder of images: say images=... relative to {source}")

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Size in bytes of every file by its relative name."""
        return self.location.files()

    @cached_property
    def by_stem(self) -> dict[str, str]:
        """The relative name of the file directly in this folder that has a stem; the first one by name."""
        found: dict[str, str] = {}
        for name in self.sizes:
            if "/" not in name:
                found.setdefault(posixpath.splitext(name)[0], name)
        return found

    def add(self, builder: ListingBuilder, file: str, labels: tuple[int, ...], split: int, fail: Fail) -> None:
        """Add an image to a listing, or reject it when its file is missing.

        Args:
            builder: of the listing.
            file: name in this folder.
            labels: numbers of the vocabulary.
            split: index into ``SPLITS``.
            fail: see ``Fail``.
        """
        file = posixpath.normpath(file)
        name = file if self._folder in ("", ".") else f"{self._folder}/{file}"
        size = self.sizes.get(file)
        if size is None:
            where = f"{self.location}, which holds {len(self.sizes)} files"
            builder.reject(name, fail(f"image {file!r} is not in {where}"))
            return
        builder.add(ImageRecord(name, labels, split, builder.root(self.location), file, 0, size), fail)


def first_folder(source: Location, names: list[str]) -> str:
    """Return the first of these folders that is there, else the source itself."""
    return next((name for name in names if name and source.join(name).is_folder()), "")
