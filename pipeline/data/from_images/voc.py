"""PASCAL VOC: an XML file an image in Annotations, lists of image names in ImageSets/Main (Everingham et al. 2010).

The labels of an image are the names of its objects. Objects marked difficult count or not, as the user says. A line of
a set is an image's name; in the sets of one class (``dog_train.txt``) a mark -1, 0 or 1 follows it, which is not read.
"""

import posixpath
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from xml.etree import ElementTree

from ...common.errors import DataError
from ...common.storage.addresses import redacted
from ...common.storage.locations import Location
from ..from_tables.text import read_lines
from ..image_files import IMAGE_SUFFIXES
from .folders import FileFolder, ImageFolder
from .options import SourceOptions, find_parts, images_of
from .records import Listing, ListingBuilder, Part
from .vocabulary import given_labels

OPTIONS = frozenset({"files", "images", "labels", "label_file", "difficult"})
_SETS, _ORDER = "ImageSets/Main", ("train", "val", "trainval", "test")
_THREADS = 16
_MARKED = re.compile(r"(.*\S)\s+(-1|0|1)")

Objects = list[tuple[str, bool]]
"""Names of an image's objects, and whether each is difficult."""


def list_images(source: Location, options: SourceOptions, *, reject: bool) -> Listing:
    """List the images of the sets, in the sets' order: train and val, or trainval where one is missing; then test.

    Raises:
        DataError: naming the file, and the line where there is one.
    """
    label_file = source.join(options.label_file) if options.label_file else None
    builder = ListingBuilder(given_labels(options.labels, label_file), reject=reject)
    parts = _parts(source, options)
    annotations = FileFolder(source, "Annotations", ("xml",), " of annotations, an XML file an image")
    for part in parts:
        folder = ImageFolder(source, images_of(options.images, part) or "JPEGImages")
        for line, name, found in _annotations(annotations, part):
            in_set = partial(DataError.at, part.location, line)
            if isinstance(found, DataError):
                builder.reject(redacted(name), found)
                continue
            in_xml = partial(DataError.at, annotations.location.join(f"{name}.xml"), None)
            kept = [label for label, hard in found if options.difficult == "keep" or not hard]
            labels = tuple(builder.vocabulary.number(label, in_xml) for label in kept)
            folder.add(builder, name, labels, part.split, in_set, usual=".jpg")
    return builder.finish(" + ".join(part.name for part in parts))


def _parts(source: Location, options: SourceOptions) -> list[Part]:
    if options.files is not None:
        return find_parts(source, options.files, ())
    there = {name for name in _ORDER if source.join(f"{_SETS}/{name}.txt").is_file()}
    if "trainval" in there and not {"train", "val"} <= there:
        there -= {"train", "val"}
    else:
        there.discard("trainval")
    names = sorted(there, key=_ORDER.index) or ["trainval"]
    return [part for name in names for part in find_parts(source, None, [f"{_SETS}/{name}.txt"])]


def _annotations(folder: FileFolder, part: Part) -> Iterator[tuple[int, str, Objects | DataError]]:
    """Yield line, image name and objects of a set; files are read some at a time, for storage that answers slowly."""
    listed = [(line, text.strip()) for line, text in enumerate(read_lines(part.location), start=1) if text.strip()]
    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(listed), 1000):
            files = [(line, text, _file(folder, part, line, text)) for line, text in listed[start : start + 1000]]
            read = pool.map(
                lambda item: item if isinstance(item, DataError) else _read(folder.location, item),
                [file for _, _, file in files],
            )
            for (line, text, file), objects in zip(files, read, strict=True):
                yield line, text if isinstance(file, DataError) else posixpath.splitext(file)[0], objects


def _file(folder: FileFolder, part: Part, line: int, text: str) -> str | DataError:
    """Return the annotation that a line of a set means.

    It is the one of the whole line, or of what is left without a mark, or without a mark and an image's suffix.

    Raises:
        DataError: when there are several.
    """
    marked = _MARKED.fullmatch(text)
    name = marked[1] if marked else text
    stem, suffix = posixpath.splitext(name)
    names = dict.fromkeys((text, name, stem if suffix[1:].lower() in IMAGE_SUFFIXES else name))
    found: list[str] = []
    missing: list[DataError] = []
    for name in names:
        try:
            found.append(folder.find(name, usual=".xml"))
        except DataError as error:
            missing.append(part.error(f"annotation {error}", line))
    if len(set(found)) > 1:
        raise part.error(f"{text!r} may mean {found[0]} or {found[1]}: rename one of the two", line)
    return found[0] if found else missing[-1]


def _read(folder: Location, file: str) -> Objects | DataError:
    location = folder.below(file)
    try:
        root = ElementTree.fromstring(location.read())
        return [_object(location, element) for element in root.iter("object")]
    except ElementTree.ParseError as error:
        return DataError.at(location, error.position[0], f"not valid XML: {error}")
    except (LookupError, ValueError) as error:  # the encoding that it declares, or one of ours
        return error if isinstance(error, DataError) else DataError.at(location, 1, f"not valid XML: {error}")


def _object(file: Location, element: ElementTree.Element) -> tuple[str, bool]:
    name = (element.findtext("name") or "").strip()
    difficult = (element.findtext("difficult") or "0").strip()
    if not name or difficult not in ("0", "1"):
        raise DataError(f"{file}: an object needs a <name>, and <difficult> 0 or 1; got {name!r}, {difficult!r}")
    return name, difficult == "1"
