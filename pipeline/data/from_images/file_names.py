"""Which file of a folder a text means: spelled otherwise (case, Unicode form, no suffix), but only where one fits.

Sources name images in ways that the file system does not: Macs store names decomposed (NFD) where tables hold them
composed (NFC), other systems ignore case, and VOC, Open Images and many tables leave the suffix out.
"""

import posixpath
from collections.abc import Callable, Collection
from difflib import get_close_matches
from functools import cached_property
from unicodedata import normalize

from ..image_files import IMAGE_SUFFIXES

_MOST_HINTS = 20
"""Missing names for which the nearest is looked up: it costs up to a second where a folder holds 100,000 files."""


class FileNames:
    """The relative names of a folder's files.

    Args:
        names: of the files, ``/`` between the parts.
        suffixes: without dots, in lower case: those that a text may leave out.
    """

    def __init__(self, names: Collection[str], suffixes: Collection[str] = IMAGE_SUFFIXES) -> None:
        self._names, self._suffixes = names, suffixes
        self._hints = 0

    def find(self, texts: list[str]) -> list[str]:
        """Return the files that any of these spellings of one name may mean; exact ones go before inexact ones.

        One file is an answer, none means that there is none, several that the text does not say which. Cost: the first
        inexact text indexes all names, some microseconds each.
        """
        exact = [text for text in texts if text in self._names]
        if exact:
            return exact
        for index, key in self._readings:
            found = list(dict.fromkeys(name for text in texts for name in index.get(key(text), ())))
            if found:
                return found
        return []

    def nearest(self, text: str) -> str:
        """Return ``"; did you mean 'x'?"`` for a name that is like no other, "" where none is near."""
        self._hints += 1
        if self._hints > _MOST_HINTS:
            return ""
        last = _folded(posixpath.basename(text.replace("\\", "/")))
        same = self._by_last_part.get(last) or self._by_last_part.get(posixpath.splitext(last)[0])
        if same is None:
            close = get_close_matches(last, self._by_last_part, n=1)
            same = self._by_last_part[close[0]] if close else []
        return f"; did you mean {' or '.join(repr(name) for name in same[:2])}?" if same else ""

    @cached_property
    def _readings(self) -> list[tuple[dict[str, list[str]], Callable[[str], str]]]:
        """Return an index and the key of a text for each way of reading one, the strictest first."""
        stems = [name for name in self._names if posixpath.splitext(name)[1][1:].lower() in self._suffixes]
        return [
            (_grouped(self._names, _composed), _composed),
            (_grouped(self._names, _folded), _folded),
            (_grouped(stems, lambda name: posixpath.splitext(_composed(name))[0]), _composed),
            (_grouped(stems, lambda name: posixpath.splitext(_folded(name))[0]), _folded),
        ]

    @cached_property
    def _by_last_part(self) -> dict[str, list[str]]:
        whole = _grouped(self._names, lambda name: _folded(posixpath.basename(name)))
        stems = _grouped(self._names, lambda name: posixpath.splitext(_folded(posixpath.basename(name)))[0])
        return stems | whole


def _composed(text: str) -> str:
    return normalize("NFC", text)


def _folded(text: str) -> str:
    return normalize("NFC", text).casefold()


def _grouped(names: Collection[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(key(name), []).append(name)
    return found
