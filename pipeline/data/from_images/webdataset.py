"""WebDataset: tar files in which neighbouring members of one name hold an image and its labels.

The labels are in a ``json`` member (under a key: one label or a list of names or class numbers), a ``cls`` member
(class numbers) or a ``txt`` member (label names between the delimiter of the options, or on lines). Images are read
later, from their places in the tar files.
"""

import io
import posixpath
import re
import tarfile
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ...common.errors import DataError, did_you_mean
from ...common.storage.hidden_names import is_hidden
from ...common.storage.json_text import parse_json
from ...common.storage.locations import Location
from ..from_tables.label_cells import LIST, cell_words
from ..image_files import IMAGE_SUFFIXES
from .label_lists import LabelLists
from .options import SourceOptions, find_parts
from .records import ImageRecord, Listing, ListingBuilder, Part
from .vocabulary import given_labels

OPTIONS = frozenset(
    {"files", "labels", "label_file", "label_column", "label_key", "label_lists", "label_delimiter", "image_column"}
)
_LABEL_SUFFIXES = ("json", "cls", "txt")
_PATTERNS = ("*.tar", "*/*.tar")
_BUFFER = 1 << 20
_THREADS = 8


@dataclass
class _Sample:
    """Members of one name: the place of each, by suffix; and the text of those that may hold labels."""

    key: str
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)


def list_images(source: Location, options: SourceOptions, *, reject: bool) -> Listing:
    """List the samples that hold an image, in the order of the tar files' names; reads headers and label members.

    Raises:
        DataError: naming the tar file and the member.
    """
    parts = find_parts(source, options.files, _PATTERNS)
    home = source.folder
    label_file = home.join(options.label_file) if options.label_file else None
    builder = ListingBuilder(given_labels(options.labels, label_file), reject=reject)
    lists = LabelLists(options.label_lists, builder.vocabulary)
    suffix = (options.label_column or "").removeprefix(".")
    wanted = (suffix,) if suffix else _LABEL_SUFFIXES
    with ThreadPoolExecutor(_THREADS) as pool:
        for part, samples in zip(parts, pool.map(lambda part: list(_samples(part, wanted)), parts), strict=True):
            root = builder.root(part.location.parent)
            for sample in samples:
                for each in [sample] if suffix or options.image_column else _by_last_dot(sample):
                    _add(builder, lists, root, part, each, options)
    lists.check(parts[0].location)
    return builder.finish(" + ".join([parts[0].name, *[f"{len(parts) - 1} more"] * (len(parts) > 1)]))


def _samples(part: Part, label_suffixes: tuple[str, ...]) -> Iterator[_Sample]:
    """Yield the samples of one tar file."""
    with part.location.open() as raw, io.BufferedReader(raw, _BUFFER) as buffered:
        try:
            with tarfile.open(fileobj=buffered, mode="r:") as tar:
                sample = None
                for member in tar:
                    if not member.isfile() or is_hidden(member.name):
                        continue
                    folder, name = posixpath.split(member.name)
                    stem, _, suffix = name.partition(".")
                    key = posixpath.join(folder, stem)
                    if sample is None or sample.key != key:
                        if sample is not None:
                            yield sample
                        sample = _Sample(key)
                    _take(part, tar, member, sample, suffix.lower(), label_suffixes)
                if sample is not None:
                    yield sample
        except (tarfile.TarError, EOFError) as error:
            hint = "; compressed tar files must be unpacked first" if part.name.endswith("z") else ""
            raise part.error(f"cannot be read as tar: {error}{hint}") from None


def _take(
    part: Part, tar: tarfile.TarFile, member: tarfile.TarInfo, sample: _Sample, suffix: str, labels: tuple[str, ...]
) -> None:
    if suffix in sample.places:
        raise part.error(f"member {member.name!r} is there twice")
    sample.places[suffix] = (member.offset_data, member.size)
    if suffix in labels or suffix.rpartition(".")[2] in labels:
        content = tar.extractfile(member)
        assert content is not None
        sample.texts[suffix] = content.read()


def _by_last_dot(sample: _Sample) -> list[_Sample]:
    """Return the samples of names with dots (``a.v1.jpg``, ``a.v1.json``), which the format's own rule cuts too early.

    By that rule a name ends at its first dot. It is left only where it finds no image or no label by a plain suffix,
    and the last dot finds one image and a label member for every name.
    """
    found: dict[str, _Sample] = {}
    for suffix, place in sample.places.items():
        inner, _, last = suffix.rpartition(".")
        if not inner:
            return [sample]
        each = found.setdefault(inner, _Sample(f"{sample.key}.{inner}"))
        each.places[last] = place
        if suffix in sample.texts:
            each.texts[last] = sample.texts[suffix]
    whole = all(sum(s in IMAGE_SUFFIXES for s in each.places) == 1 and each.texts for each in found.values())
    return list(found.values()) if whole else [sample]


def _add(
    builder: ListingBuilder, lists: LabelLists, root: int, part: Part, sample: _Sample, options: SourceOptions
) -> None:
    wanted = (options.image_column or "").removeprefix(".")
    images = [s for s in sample.places if (s == wanted if wanted else s.rpartition(".")[2] in IMAGE_SUFFIXES)]
    name = f"{part.name}/{sample.key}.{images[0] if images else wanted or 'jpg'}"
    fail = partial(_failed, part, sample.key)
    if len(images) > 1:
        raise fail(f"has several images ({', '.join(images)}): say --image-column SUFFIX")
    try:
        if not images:
            raise fail(f"has no image; its members are {', '.join(sample.places)}")
        values = lists.read(_labels(sample, options, builder.vocabulary.fixed or (), fail), fail)
    except DataError as error:
        builder.reject(name, error)
        return
    numbers = tuple(builder.vocabulary.number(value, fail) for value in values)
    offset, size = sample.places[images[0]]
    builder.add(ImageRecord(name, numbers, part.split, root, part.location.name, offset, size), fail)


def _failed(part: Part, key: str, message: str) -> DataError:
    return part.error(f"sample {key!r}: {message}")


def _labels(sample: _Sample, options: SourceOptions, known: Collection[str], fail: Callable[[str], DataError]) -> Any:
    """Return what the label member of a sample holds: names, class numbers or marks, one or a list.

    ``known`` are the label names that were given, which may look like the text of a list.
    """
    suffix = _label_member(sample, options, fail)
    try:
        text = sample.texts[suffix].decode()
    except UnicodeDecodeError as error:
        raise fail(f"member {suffix}: not utf-8 text ({error.reason})") from None
    if suffix.rpartition(".")[2] == "json":
        return _json_labels(text, options.label_key, fail)
    try:
        words = _words(text, options.label_delimiter, known)
    except ValueError as error:
        raise fail(f"member {suffix}: {error}") from None
    if suffix.rpartition(".")[2] != "cls":
        return words
    try:
        return [int(word) for words_of in words for word in re.split(r"[\s,]+", words_of) if word]
    except ValueError:
        raise fail(f"member cls: {text[:40]!r}, expected class numbers") from None


def _words(text: str, delimiter: str, known: Collection[str]) -> list[str]:
    """Return the words that a text lists, each line read as tables read a cell; raises ValueError as ``cell_words``."""
    cells = [text] if delimiter == LIST else text.split("\n")  # the text of a list may go over several lines
    return [word for cell in cells for word in cell_words(cell, delimiter, known)]


def _label_member(sample: _Sample, options: SourceOptions, fail: Callable[[str], DataError]) -> str:
    wanted = [options.label_column.removeprefix(".")] if options.label_column else _LABEL_SUFFIXES
    found = [suffix for suffix in sample.texts if suffix in wanted]
    if not found:
        hint = "; a name ends at its first dot" if any("." in suffix for suffix in sample.places) else ""
        raise fail(f"has no label member {' or '.join(wanted)}; its members are {', '.join(sample.places)}{hint}")
    if len(found) > 1:
        raise fail(f"its labels may be in {' or '.join(found)}: say --label-column SUFFIX")
    return found[0]


def _json_labels(text: str, key: str, fail: Callable[[str], DataError]) -> Any:
    try:
        value = parse_json(text)
    except ValueError as error:
        raise fail(f"member json: not valid JSON: {error}") from None
    for name in key.split("."):
        if not isinstance(value, dict) or name not in value:
            known = value if isinstance(value, dict) else {}
            raise fail(f"member json: has no key {name!r}{did_you_mean(name, known)}; say --label-key KEY")
        value = value[name]
    return value
