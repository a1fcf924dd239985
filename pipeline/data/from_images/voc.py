"""PASCAL VOC: an XML file an image in Annotations, lists of image names in ImageSets/Main (Everingham et al. 2010).

The labels of an image are the names of its objects. Objects marked difficult count or not, as the user says.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from xml.etree import ElementTree

from ...common.errors import DataError
from ...common.storage.locations import Location
from ..from_tables.text import read_lines
from .folders import ImageFolder
from .options import SourceOptions, find_parts, images_of
from .records import Listing, ListingBuilder, Part
from .vocabulary import given_labels

OPTIONS = frozenset({"files", "images", "labels", "label_file", "difficult"})
_SETS = "ImageSets/Main"
_THREADS = 16

Objects = list[tuple[str, bool]]
"""Names of an image's objects, and whether each is difficult."""


def list_images(source: Location, options: SourceOptions, *, reject: bool) -> Listing:
    """List the images of the sets, in the sets' order: train, val and test where they are there, else trainval.

    Raises:
        DataError: naming the file, and the line where there is one.
    """
    label_file = source.join(options.label_file) if options.label_file else None
    builder = ListingBuilder(given_labels(options.labels, label_file), reject=reject)
    parts = _parts(source, options)
    for part in parts:
        folder = ImageFolder(source, images_of(options.images, part) or "JPEGImages")
        for line, name, found in _annotations(source.join("Annotations"), part):
            if isinstance(found, DataError):
                builder.reject(name, found)
                continue
            in_xml = partial(DataError.at, source.join(f"Annotations/{name}.xml"), None)
            kept = [label for label, hard in found if options.difficult == "keep" or not hard]
            labels = tuple(builder.vocabulary.number(label, in_xml) for label in kept)
            in_set = partial(DataError.at, part.location, line)
            folder.add(builder, folder.by_stem.get(name, f"{name}.jpg"), labels, part.split, in_set)
    return builder.finish(" + ".join(part.name for part in parts))


def _parts(source: Location, options: SourceOptions) -> list[Part]:
    if options.files is not None:
        return find_parts(source, options.files, ())
    names = [f"{_SETS}/{name}.txt" for name in ("train", "val", "test")]
    there = [name for name in names if source.join(name).is_file()] or [f"{_SETS}/trainval.txt"]
    return [part for name in there for part in find_parts(source, None, [name])]


def _annotations(folder: Location, part: Part) -> Iterator[tuple[int, str, Objects | DataError]]:
    """Yield line, image name and objects of a set; files are read some at a time, for storage that answers slowly."""
    listed = [(line, text.split()[0]) for line, text in enumerate(read_lines(part.location), start=1) if text.strip()]
    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(listed), 1000):
            some = listed[start : start + 1000]
            found = pool.map(lambda item: _read(folder.join(f"{item[1]}.xml")), some)
            for (line, name), objects in zip(some, found, strict=True):
                yield line, name, objects


def _read(file: Location) -> Objects | DataError:
    try:
        root = ElementTree.fromstring(file.read())
        return [_object(file, element) for element in root.iter("object")]
    except ElementTree.ParseError as error:
        return DataError.at(file, error.position[0], f"not valid XML: {error}")
    except DataError as error:
        return error


def _object(file: Location, element: ElementTree.Element) -> tuple[str, bool]:
    name = (element.findtext("name") or "").strip()
    difficult = (element.findtext("difficult") or "0").strip()
    if not name or difficult not in ("0", "1"):
        raise DataError(f"{file}: an object needs a <name>, and <difficult> 0 or 1; got {name!r}, {difficult!r}")
    return name, difficult == "1"
