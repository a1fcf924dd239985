"""The manifest of a prepared data set: what its shards hold, checked when it is made and when it is read."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path, PurePath
from typing import Any, Literal, get_args

import numpy as np

from ...selectors.common.label_matrix import Unlisted
from ..common.errors import DataError
from ..common.storage.json_text import parse_json
from ..common.storage.locations import Location, NotThereError
from .image_cache import ImageCache
from .manifest_kinds import wrong_kinds
from .manifest_parts import ImageHint, PackedFile, Shard

SCHEMA_VERSION = 3
_COMPLETE = {"unlisted": "negative", "known_counts": None, "soft": False}
"""What a manifest of schema version 2 does not say: its labels are complete, each 0 or 1."""
MANIFEST_FILE = "manifest.json"
SPLITS = ("", "train", "validation", "test")
"""Names of the source's splits; a split code (int8) is an index into this tuple, "" means none given."""

Kind = Literal["dense", "sparse", "image"]


@dataclass(frozen=True)
class Manifest:
    """What a prepared data set holds. Row ids are positions: 0 .. rows - 1 in shard order.

    Attributes:
        kind: "dense" or "sparse" features, or encoded "image".
        rows: number of rows N.
        labels: names of the L labels.
        label_counts: positives of each label, over all rows: entries of at least 0.5.
        n_features: number of features d; None for images.
        feature_names: names of the features, or None.
        image: how to decode; None for tables.
        splits: rows in each split that the source gave; keys are ``SPLITS``.
        shards: the files in id order.
        source: where the data came from, in words.
        filters: which filters were applied and what they removed; empty when none were.
        unlisted: what an entry is that the shards do not name, see ``LabelMatrix``.
        known_counts: rows in which each label is known; None when no entry is unknown.
        soft: whether some entry is between 0 and 1.
        folder: where the data set lies, a ``Location`` where that is a bucket (not stored in the file).
        cache: where nodes keep images that they read from there, or None (not stored either).
    """

    kind: Kind
    rows: int
    labels: tuple[str, ...]
    label_counts: tuple[int, ...]
    splits: Mapping[str, int]
    shards: tuple[Shard, ...]
    n_features: int | None = None
    feature_names: tuple[str, ...] | None = None
    image: ImageHint | None = None
    source: str = ""
    filters: Mapping[str, Any] = field(default_factory=dict)
    unlisted: Unlisted = "negative"
    known_counts: tuple[int, ...] | None = None
    soft: bool = False
    schema_version: int = SCHEMA_VERSION
    folder: Path | Location = Path()
    cache: ImageCache | None = None

    def __post_init__(self) -> None:
        for problem in self._problems():
            raise DataError(f"{self.file(MANIFEST_FILE)}: {problem}")

    @property
    def n_labels(self) -> int:
        """Number of labels L."""
        return len(self.labels)

    @property
    def is_labelled(self) -> bool:
        """Whether some label is known in some row; else the rows can only be predicted."""
        return self.n_labels > 0 and (self.known_counts is None or any(self.known_counts))

    @property
    def cardinality(self) -> float:
        """Mean number of labels a row that are known to be positive."""
        return sum(self.label_counts) / self.rows if self.rows else 0.0

    @property
    def label_density(self) -> float:
        """Share of the known entries that are positive."""
        known = self.rows * self.n_labels if self.known_counts is None else sum(self.known_counts)
        return sum(self.label_counts) / known if known else 0.0

    def first_rows(self) -> np.ndarray:
        """Return the id of every shard's first row, and N at the end: int64 (shards + 1,)."""
        return np.cumsum([0, *(shard.rows for shard in self.shards)])

    def file(self, name: str) -> Location:
        """Return where a file of the data set lies."""
        return Location.of(self.folder) / name

    def shard_paths(self) -> list[Path | Location]:
        """Return the shards' Parquet files in id order; ``shards.read_shard`` reads one."""
        return [self.folder / shard.file for shard in self.shards]

    def input_shape(self) -> tuple[int, ...]:
        """Return the shape of one row as a model sees it: (d,), or (C, H, W).

        Raises:
            DataError: when images have no common size.
        """
        if self.image is None:
            return (int(self.n_features or 0),)
        if self.image.height is None or self.image.width is None:
            raise DataError(f"{self.folder}: the images have no common size; prepare them with one")
        return (self.image.channels, self.image.height, self.image.width)

    def fingerprint(self) -> str:
        """Return a SHA-256 over the shards' checksums and the labels: equal means the same data."""
        sums = [digest for shard in self.shards for _, digest in shard.checksums]
        meaning = [] if self.known_counts is None else [self.unlisted]
        content = json.dumps([self.kind, self.labels, sums, *meaning])
        return hashlib.sha256(content.encode()).hexdigest()

    def save(self) -> None:
        """Write ``manifest.json`` into ``folder``."""
        values = asdict(replace(self, folder=Path()))  # or a bucket's client would be copied
        del values["folder"], values["cache"]
        self.file(MANIFEST_FILE).write((json.dumps(values, indent=1) + "\n").encode())

    @classmethod
    def load(cls, folder: str | Path | Location) -> "Manifest":
        """Read the manifest of a prepared folder, a local one or one in a bucket.

        Raises:
            DataError: when the folder holds no manifest, or one that is damaged or of another schema version.
        """
        place = Location.of(folder)
        path = place / MANIFEST_FILE
        try:
            content = path.read()
        except DataError as error:
            if not (place.is_local or isinstance(error, NotThereError)):
                raise
            raise DataError(f"{error}; is it a folder that `d2ace prepare` wrote?") from None
        try:
            values = parse_json(content)
        except ValueError as error:
            line = getattr(error, "lineno", None)
            raise DataError.at(path, line, f"not valid JSON: {error}") from None
        return _from_plain(values, path, place)

    def _problems(self) -> list[str]:
        found = []
        if self.schema_version != SCHEMA_VERSION:
            found.append(f"schema version {self.schema_version}, this d2ace reads {SCHEMA_VERSION}: prepare again")
        if self.kind not in get_args(Kind):
            found.append(f"kind must be one of {get_args(Kind)}, got {self.kind!r}")
        if (self.kind == "image") != (self.image is not None) or (self.kind == "image") == (
            self.n_features is not None
        ):
            found.append("kind 'image' needs 'image' and no 'n_features'; other kinds the reverse")
        if len(self.labels) != len(self.label_counts):
            found.append(f"{len(self.labels)} labels but {len(self.label_counts)} label_counts")
        found += self._label_problems()
        if len(set(self.labels)) != len(self.labels):
            found.append("duplicate label names")
        if self.feature_names is not None and len(self.feature_names) != self.n_features:
            found.append(f"{self.n_features} features but {len(self.feature_names)} feature_names")
        if set(self.splits) - set(SPLITS) or sum(self.splits.values()) != self.rows:
            found.append(f"splits {dict(self.splits)} do not add up to {self.rows} rows of {SPLITS}")
        if any((shard.packed is None) == (self.kind == "image") for shard in self.shards):
            found.append("shards of images, and only those, have packed files")
        outside = [name for shard in self.shards for name, _ in shard.checksums if not _is_plain_name(name)]
        if outside:
            found.append(f"files of shards lie in the data set's folder, got {outside[0]!r}")
        if sum(shard.rows for shard in self.shards) != self.rows:
            found.append(f"the shards' rows do not add up to {self.rows}")
        return found

    def _label_problems(self) -> list[str]:
        if self.unlisted not in get_args(Unlisted):
            return [f"unlisted must be one of {get_args(Unlisted)}, got {self.unlisted!r}"]
        if self.known_counts is None:
            return ["unlisted 'unknown' needs known_counts"] if self.unlisted == "unknown" else []
        if len(self.known_counts) != len(self.labels):
            return [f"{len(self.labels)} labels but {len(self.known_counts)} known_counts"]
        return []


def _is_plain_name(name: Any) -> bool:
    """Return whether this names a file in the folder itself: no path, so that a manifest leads nowhere else."""
    return isinstance(name, str) and name != "" and PurePath(name).name == name and name != ".." and "\\" not in name


def _from_plain(values: Any, path: Location, folder: Location) -> Manifest:
    """Build a manifest from parsed JSON; unknown, missing or ill-typed fields give one DataError."""
    if isinstance(values, dict) and values.get("schema_version") == 2:
        values = {**values, **_COMPLETE, "schema_version": SCHEMA_VERSION}
    if not isinstance(values, dict) or values.get("schema_version") != SCHEMA_VERSION:
        version = values.get("schema_version") if isinstance(values, dict) else None
        raise DataError(f"{path}: schema version {version}, this d2ace reads {SCHEMA_VERSION}: prepare again")
    names = {f.name for f in fields(Manifest)} - {"folder", "cache"}
    if set(values) != names:
        raise DataError(f"{path}: missing {sorted(names - set(values))}, unknown {sorted(set(values) - names)}")
    for problem in wrong_kinds(values):
        raise DataError(f"{path}: {problem}")
    try:
        plain = dict(values)
        plain["labels"] = tuple(plain["labels"])
        plain["label_counts"] = tuple(int(count) for count in plain["label_counts"])
        if plain["known_counts"] is not None:
            plain["known_counts"] = tuple(int(count) for count in plain["known_counts"])
        plain["shards"] = tuple(_shard(**shard) for shard in plain["shards"])
        plain["image"] = None if plain["image"] is None else ImageHint(**plain["image"])
        if plain["feature_names"] is not None:
            plain["feature_names"] = tuple(plain["feature_names"])
        return Manifest(**plain, folder=folder.as_given)
    except (TypeError, AttributeError) as error:
        raise DataError(f"{path}: damaged: {error}") from None
    except DataError as error:  # of a part, which does not know the file
        raise error if str(path) in str(error) else DataError(f"{path}: {error}") from None


def _shard(packed: dict[str, Any] | None = None, **values: Any) -> Shard:
    return Shard(**values, packed=None if packed is None else PackedFile(**packed))
