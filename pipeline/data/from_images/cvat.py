"""CVAT for images 1.1: an XML file a task or project, with the tags and shapes of every image (docs.cvat.ai).

The labels of an image are those of its tags and shapes; attributes are not read. The file lists all labels; those of
the points of a skeleton belong to the skeleton and are none. Images of a project name their subset, perhaps a split.
"""

import posixpath
from functools import partial
from typing import NamedTuple
from xml.parsers import expat

from ...common.errors import SHOWN, DataError
from ...common.storage.locations import Location
from ..from_tables.named_columns import SPLIT_WORDS
from ..manifest import SPLITS
from ..xml_text import parse_xml
from .folders import ImageFolder, first_folder
from .options import SourceOptions, find_parts, images_of
from .records import Listing, ListingBuilder, Part
from .vocabulary import Vocabulary, given_labels

OPTIONS = frozenset({"files", "images", "labels", "label_file"})
_PATTERNS = ("annotations.xml", "*/annotations.xml", "*.xml")
_DEEPEST = 100
_HINT = "expected an export in the format 'CVAT for images 1.1'"


class _Image(NamedTuple):
    """An image of a file: its name and subset, the names of its labels, and the lines where all that stands."""

    name: str
    subset: str
    line: int
    labels: list[tuple[str, int]]


def list_images(source: Location, options: SourceOptions, *, reject: bool) -> Listing:
    """List the images of one or more files, in the files' order; labels are in the order of the first file's list.

    Raises:
        DataError: naming file and line.
    """
    parts = find_parts(source, options.files, _PATTERNS)
    home = source.folder
    contents = [_CvatFile(part) for part in parts]
    builder = ListingBuilder(_vocabulary(home, parts, contents, options), reject=reject)
    for part, content in zip(parts, contents, strict=True):
        own = posixpath.dirname(part.name)
        places = [f"{own}/images", own] if own else [part.split_name, "images"]
        folder = ImageFolder(home, images_of(options.images, part) or first_folder(home, places))
        for image in content.images:
            _add(builder, folder, part, image)
    return builder.finish(" + ".join(part.name for part in parts))


def _add(builder: ListingBuilder, folder: ImageFolder, part: Part, image: _Image) -> None:
    """Add an image; a project's export has a folder for each subset."""
    at = partial(DataError.at, part.location)
    numbers = {builder.vocabulary.number(name, partial(at, line)) for name, line in image.labels}
    word = SPLIT_WORDS.get(image.subset.strip().lower())
    split = part.split or (SPLITS.index(word) if word else 0)
    in_subset = f"{image.subset}/{image.name}"
    text = in_subset if image.subset and in_subset in folder.sizes else image.name
    folder.add(builder, text, tuple(sorted(numbers)), split, partial(at, image.line), part.location.parent)


def _vocabulary(home: Location, parts: list[Part], contents: "list[_CvatFile]", options: SourceOptions) -> Vocabulary:
    """Return the labels that the user gave, else those that the files list.

    Raises:
        DataError: when the files list different labels: in the images of one nobody looked for those of another.
    """
    if options.labels is not None or options.label_file is not None:
        return given_labels(options.labels, home.join(options.label_file) if options.label_file else None)
    first = contents[0].labels
    for part, content in zip(parts, contents, strict=True):
        if set(content.labels) != set(first):
            differ = sorted(set(content.labels) ^ set(first))
            raise part.error(
                f"its labels differ from those of {parts[0].location}: {differ[:SHOWN]}. Where nobody looked for a "
                "label it is not absent: prepare the files apart, or give labels"
            )
    return Vocabulary(first or None, parts[0].location)


class _CvatFile:
    """What a file says, read once from its start to its end.

    Attributes:
        labels: names that the file lists, in its order.
        images: in its order.

    Raises:
        DataError: naming the line, for what is no such file.
    """

    def __init__(self, part: Part) -> None:
        self.labels: list[str] = []
        self.images: list[_Image] = []
        self._part = part
        self._path: list[str] = []
        self._text: dict[str, list[str]] = {}
        self._listed: set[str] = set()
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler, self._parser.EndElementHandler = self._start, self._end
        self._parser.CharacterDataHandler = self._characters
        parse_xml(self._parser, part.location.read(), part.error)

    def _start(self, tag: str, given: dict[str, str]) -> None:
        line = self._parser.CurrentLineNumber
        self._path.append(tag)
        if len(self._path) > _DEEPEST:
            raise self._part.error(f"more than {_DEEPEST} elements in each other: {_HINT}", line)
        if self._path == [tag] and tag != "annotations":
            raise self._part.error(f"its outermost element is <{tag}>: {_HINT}", line)
        if self._path == ["annotations", "track"]:
            raise self._part.error(f"<track>: the export is of a video; {_HINT}", line)
        if self._path == ["annotations", "image"]:
            if not given.get("name"):
                raise self._part.error("an <image> needs a name", line)
            self.images.append(_Image(given["name"], given.get("subset", ""), line, []))
        elif self._path[:2] == ["annotations", "image"] and len(self._path) == 3:
            if not given.get("label"):
                raise self._part.error(f"a <{tag}> of image {self.images[-1].name!r} has no label", line)
            self.images[-1].labels.append((given["label"], line))
        elif self._path[-2:] == ["labels", "label"]:
            self._text = {}

    def _characters(self, text: str) -> None:
        if self._path[-3:-1] == ["labels", "label"]:
            self._text.setdefault(self._path[-1], []).append(text)  # a line comes in a call of its own

    def _end(self, tag: str) -> None:
        if self._path[-2:] == ["labels", "label"] and not self._told("parent"):
            name = self._told("name")
            if not name or name in self._listed:
                told = f"lists the label {name!r} twice" if name else "lists a label without a name"
                raise self._part.error(told, self._parser.CurrentLineNumber)
            self.labels.append(name)
            self._listed.add(name)
        self._path.pop()

    def _told(self, tag: str) -> str:
        """Return the text of an element of the label that ends, empty where it has none."""
        return "".join(self._text.get(tag, ())).strip()
