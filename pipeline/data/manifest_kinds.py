"""Whether the fields of a manifest, as JSON has them, are of the kinds that a manifest promises."""

from collections.abc import Callable, Mapping
from typing import Any

_MOST = 1 << 48
"""No count of rows, features or bytes is larger."""


def wrong_kinds(values: Mapping[str, Any]) -> list[str]:
    """Return what is wrong, a part of a sentence each; fields that are missing are left out."""
    found = [
        f"{name} must be {what}, got {_shown(values[name])}"
        for name, (fits, what) in _FIELDS.items()
        if name in values and not fits(values[name])
    ]
    if not found:
        found = [problem for shard in values.get("shards", ()) for problem in _shard_problems(shard)]
    return found


def _shard_problems(shard: Any) -> list[str]:
    if not isinstance(shard, dict):
        return [f"a shard must be a mapping, got {_shown(shard)}"]
    parts = [(shard, _SHARD)] + ([(shard["packed"], _PACKED)] if isinstance(shard.get("packed"), dict) else [])
    return [
        f"{name!r} of a shard must be {what}, got {_shown(part.get(name))}"
        for part, fields in parts
        for name, (fits, what) in fields.items()
        if not fits(part.get(name))
    ]


def _is_text(value: Any) -> bool:
    """Return whether a value is text that a file can hold: JSON can spell half characters."""
    return isinstance(value, str) and not any("\ud800" <= sign <= "\udfff" for sign in value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST


def _all(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(fits, value))


def _or_none(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


def _is_splits(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_count, value.values()))


def _is_image(value: Any) -> bool:
    sizes = [value.get("height"), value.get("width")] if isinstance(value, dict) else [0]
    return all(size is None or (_is_count(size) and size > 0) for size in sizes)


def _shown(value: Any) -> str:
    return repr(value)[:60]


_COUNT, _TEXT = (_is_count, "a count"), (_is_text, "a text")
_FIELDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "kind": _TEXT,
    "rows": _COUNT,
    "labels": (_all(_is_text), "a list of names"),
    "label_counts": (_all(_is_count), "a list of counts"),
    "splits": (_is_splits, "counts by name"),
    "shards": (lambda value: isinstance(value, list), "a list"),
    "n_features": (_or_none(_is_count), "a count"),
    "feature_names": (_or_none(_all(_is_text)), "a list of names"),
    "image": (_or_none(_is_image), "a mapping with sizes in pixels"),
    "source": _TEXT,
    "filters": (lambda value: isinstance(value, dict), "a mapping"),
    "unlisted": _TEXT,
    "known_counts": (_or_none(_all(_is_count)), "a list of counts"),
    "soft": (lambda value: isinstance(value, bool), "true or false"),
}
_SHARD = {"rows": _COUNT, "sha256": _TEXT}
_PACKED = {"size": _COUNT, "sha256": _TEXT}
