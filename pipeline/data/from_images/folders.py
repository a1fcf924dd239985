"""A folder of image files, listed once."""

import posixpath
from collections.abc import Collection, Iterator
from functools import cached_property

from ...common.errors import DataError
from ...common.storage.addresses import redacted
from ...common.storage.locations import Location
from ..image_files import IMAGE_SUFFIXES
from ..row_labels import RowLabels
from .file_names import FileNames
from .records import ImageRecord, ListingBuilder
from .vocabulary import Fail


class FileFolder:
    """Finds the files of a folder by what data says of them; nothing outside the folder is ever found.

    Args:
        source: the folder of the data set.
        folder: of the files, relative to it.
        suffixes: those that a text may leave out.
        hint: what to do when there is no such folder.

    Raises:
        DataError: when there is no such folder.
    """

    def __init__(
        self, source: Location, folder: str, suffixes: Collection[str] = IMAGE_SUFFIXES, hint: str = ""
    ) -> None:
        self.source, self.location, self._suffixes = source, source.join(folder), suffixes
        if not self.location.is_folder():
            raise DataError(f"{self.location}: there is no such folder{hint}")

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Size in bytes of every file by its relative name."""
        return self.location.files()

    @cached_property
    def _names(self) -> FileNames:
        return FileNames(self.sizes, self._suffixes)

    def find(self, text: str, home: Location | None = None, usual: str = "") -> str:
        """Return the relative name of the file that a text means.

        Args:
            text: a path relative to this folder, to ``home`` or to the source, or an absolute one that leads into this
                folder; with ``/`` or backslashes, in any case and Unicode form, with or without its suffix.
            home: the folder of the file that holds the text.
            usual: the suffix, with its dot, that the format gives to a name without one.

        Raises:
            DataError: when there is no such file, with the nearest; when the text may mean several.
        """
        texts = list(dict.fromkeys(self._spellings(text, home or self.source)))
        found = [f"{name}{usual}" for name in texts if usual and f"{name}{usual}" in self.sizes]
        found = found or self._names.find(texts)
        if len(found) == 1:
            return found[0]
        shown = redacted(text)
        if found:
            raise DataError(f"{shown!r} may mean {' or '.join(repr(name) for name in found)}: write the name in full")
        where = f"{self.location}, which holds {len(self.sizes)} files"
        if not texts:
            where += ", and nothing outside is read"
        raise DataError(f"{shown!r} is not in {where}{self._names.nearest(text)}")

    def _spellings(self, text: str, home: Location) -> Iterator[str]:
        """Yield relative names in this folder that a text may stand for, none for a place outside."""
        bases = dict.fromkeys((self.location.path, home.path, self.source.path))
        for slashed in dict.fromkeys((text, text.replace("\\", "/"))):
            if "://" in slashed:
                if slashed.startswith(f"{self.location}/"):
                    yield slashed.removeprefix(f"{self.location}/")
                continue
            for base in bases:
                path = posixpath.normpath(posixpath.join(base, slashed))
                if path.startswith(f"{self.location.path.rstrip('/')}/"):
                    yield path[len(self.location.path.rstrip("/")) + 1 :]


class ImageFolder(FileFolder):
    """Adds the images of a folder to a listing; arguments as of ``FileFolder``."""

    def __init__(self, source: Location, folder: str) -> None:
        super().__init__(source, folder, hint=f" of images: say --images FOLDER, relative to {source}")
        self._shown = "" if folder in ("", ".") else f"{folder}/"

    def add(
        self,
        builder: ListingBuilder,
        text: str,
        labels: tuple[int, ...] | RowLabels,
        split: int,
        fail: Fail,
        home: Location | None = None,
        usual: str = "",
    ) -> None:
        """Add an image to a listing, or reject it when its file is missing.

        Args:
            builder: of the listing.
            text: what the source says of the file, see ``find``.
            labels: numbers of the vocabulary: of the positives, or all that is known of the row.
            split: index into ``SPLITS``.
            fail: see ``Fail``.
            home: see ``find``.
            usual: see ``find``.
        """
        try:
            file = self.find(text, home, usual)
        except DataError as error:
            builder.reject(f"{self._shown}{redacted(text)}", fail(f"image {error}"))
            return
        root, name = builder.root(self.location), f"{self._shown}{file}"
        row = labels if isinstance(labels, RowLabels) else RowLabels(labels)
        values = None if row.values is None else tuple(map(float, row.values))
        places, listed = (tuple(map(int, some)) for some in (row.places, row.listed))
        builder.add(ImageRecord(name, places, split, root, file, 0, self.sizes[file], "", values, listed), fail)


def first_folder(source: Location, names: list[str]) -> str:
    """Return the first of these folders that is there, else the source itself."""
    return next((name for name in names if name and source.join(name).is_folder()), "")
