"""WebDataset: tar files in which neighbouring members of one name hold an image and its labels.

The labels are in a ``json`` member (under a key: one label or a list of names or class numbers), a ``cls`` member
(class numbers) or a ``txt`` member (label names). Images are read later, from their places in the tar files.
"""

import io
import json
import posixpath
import re
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ...common.errors import DataError, did_you_mean
from ...common.storage.locations import Location
from ..image_files import IMAGE_SUFFIXES
from .options import SourceOptions, find_parts
from .records import ImageRecord, Listing, ListingBuilder, Part, as_list
from .vocabulary import given_labels

OPTIONS = frozenset({"files", "labels", "label_file", "label_column", "label_key", "label_delimiter", "image_column"})
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
    root = builder.root(home)
    suffix = (options.label_column or "").removeprefix(".")
    wanted = (suffix,) if suffix else _LABEL_SUFFIXES
    with ThreadPoolExecutor(_THREADS) as pool:
        for part, samples in zip(parts, pool.map(lambda part: list(_samples(part, wanted)), parts), strict=True):
            for sample in samples:
                _add(builder, root, part, sample, options)
    return builder.finish(" + ".join([parts[0].name, *[f"{len(parts) - 1} more"] * (len(parts) > 1)]))


def _samples(part: Part, label_suffixes: tuple[str, ...]) -> Iterator[_Sample]:
    """Yield the samples of one tar file."""
    with part.location.open() as raw, io.BufferedReader(raw, _BUFFER) as buffered:
        try:
            with tarfile.open(fileobj=buffered, mode="r:") as tar:
                sample = None
                for member in tar:
                    if not member.isfile():
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
    if suffix in labels:
        content = tar.extractfile(member)
        assert content is not None
        sample.texts[suffix] = content.read()


def _add(builder: ListingBuilder, root: int, part: Part, sample: _Sample, options: SourceOptions) -> None:
    wanted = (options.image_column or "").removeprefix(".")
    images = [s for s in sample.places if (s == wanted if wanted else s.rpartition(".")[2] in IMAGE_SUFFIXES)]
    name = f"{part.name}/{sample.key}.{images[0] if images else wanted or 'jpg'}"
    fail = partial(_failed, part, sample.key)
    if len(images) > 1:
        raise fail(f"has several images ({', '.join(images)}): say image_column=SUFFIX")
    try:
        if not images:
            raise fail(f"has no image; its members are {', '.join(sample.places)}")
        values = _labels(sample, options, fail)
    except DataError as error:
        builder.reject(name, error)
        return
    numbers = tuple(builder.vocabulary.number(value, fail) for value in values)
    offset, size = sample.places[images[0]]
    builder.add(ImageRecord(name, numbers, part.split, root, part.name, offset, size), fail)


def _failed(part: Part, key: str, message: str) -> DataError:
    return part.error(f"sample {key!r}: {message}")


def _labels(sample: _Sample, options: SourceOptions, fail: Callable[[str], DataError]) -> list[str | int]:
    """Return the names or class numbers that the label member of a sample holds."""
    suffix = next(iter(sample.texts), None)
    if suffix is None:
        wanted = options.label_column or " or ".join(_LABEL_SUFFIXES)
        raise fail(f"has no label member {wanted}; its members are {', '.join(sample.places)}")
    try:
        text = sample.texts[suffix].decode()
    except UnicodeDecodeError as error:
        raise fail(f"member {suffix}: not utf-8 text ({error.reason})") from None
    if suffix.rpartition(".")[2] == "json":
        return _json_labels(text, options.label_key, fail)
    words = [word.strip() for word in re.split(f"[{re.escape(options.label_delimiter)}\n]", text) if word.strip()]
    if suffix.rpartition(".")[2] != "cls":
        return list(words)
    try:
        return [int(word) for words_of in words for word in re.split(r"[\s,]+", words_of) if word]
    except ValueError:
        raise fail(f"member cls: {text[:40]!r}, expected class numbers") from None


def _json_labels(text: str, key: str, fail: Callable[[str], DataError]) -> list[str | int]:
    try:
        value: Any = json.loads(text)
    except ValueError as error:
        raise fail(f"member json: not valid JSON: {error}") from None
    for name in key.split("."):
        if not isinstance(value, dict) or name not in value:
            known = value if isinstance(value, dict) else {}
            raise fail(f"member json: has no key {name!r}{did_you_mean(name, known)}; say label_key=...")
        value = value[name]
    values = as_list(value)
    if not all(isinstance(entry, str | int) and not isinstance(entry, bool) for entry in values):
        raise fail(f"member json: {key} is {str(value)[:60]}, expected names or class numbers")
    return values
