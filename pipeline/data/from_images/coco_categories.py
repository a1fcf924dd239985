"""The categories of COCO files as one list of labels: classes are the same where their names are.

Exports number classes anew for every split, and some (Roboflow's) begin with a category that only groups the others.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ...common.errors import SHOWN
from .records import Part

Key = int | str
"""The id of a category."""
Categories = dict[Key, dict[str, Any]]
"""The categories of a file by their ids."""
_NO_GROUP = ("", "none", "None")


def read_categories(part: Part, entries: Sequence[Any]) -> Categories:
    """Return a file's categories.

    Raises:
        DataError: when an entry has no id or name, an id repeats, or there is none.
    """
    found: Categories = {}
    for entry in entries:
        key = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(key, int | str) or isinstance(key, bool) or not isinstance(entry.get("name"), str | int):
            raise part.error(f"every category needs a number 'id' and a 'name', got {str(entry)[:60]}")
        if key in found:
            raise part.error(f"two categories have the same id {key}")
        found[key] = entry
    if not found:
        raise part.error("the list of categories is empty")
    return found


def drop_groups(categories: Sequence[Categories], used: Sequence[set[Key]]) -> list[str]:
    """Remove, from all files, categories that only group others, and return their names.

    Such a one is the supercategory of another, has none itself, and no annotation of any file uses it.

    Args:
        categories: of each file; changed.
        used: ids that the file's annotations name.
    """
    groups = [_groups(found, ids) for found, ids in zip(categories, used, strict=True)]
    names = {name for of_file in groups for name in of_file.values()}
    for found, of_file in zip(categories, groups, strict=True):
        names -= {_group_name(entry) for key, entry in found.items() if key not in of_file}
    for found, of_file in zip(categories, groups, strict=True):
        for key in [key for key, name in of_file.items() if name in names]:
            del found[key]
    return sorted(names)


def places(parts: Sequence[Part], categories: Sequence[Categories]) -> tuple[list[str], list[dict[Key, int]]]:
    """Return the label names in the order of the first file's ids, and each file's place of every id.

    Raises:
        DataError: when two categories of a file have one name, or the files' names differ: in what.
    """
    for part, found in zip(parts, categories, strict=True):
        names = Counter(str(entry["name"]) for entry in found.values())
        if repeated := sorted(name for name, count in names.items() if count > 1):
            ids = [key for key, entry in found.items() if str(entry["name"]) == repeated[0]]
            raise part.error(f"duplicate label names: {repeated[:SHOWN]}; {repeated[0]!r} has the ids {ids}")
    order = sorted(categories[0], key=lambda key: (isinstance(key, str), key))
    labels = [str(categories[0][key]["name"]) for key in order]
    place = {name: index for index, name in enumerate(labels)}
    for part, found in zip(parts, categories, strict=True):
        here = {str(entry["name"]) for entry in found.values()}
        sides = {"here": here - place.keys(), "there": place.keys() - here}
        only = [f"only {where}: {sorted(names)[:SHOWN]}" for where, names in sides.items() if names]
        if only:
            raise part.error(f"its categories differ from those of {parts[0].location}; {', '.join(only)}")
    return labels, [{key: place[str(entry["name"])] for key, entry in found.items()} for found in categories]


def _groups(categories: Categories, used: set[Key]) -> dict[Key, str]:
    """Return ids and names of the categories of one file that may only group others."""
    named = {str(entry.get("supercategory")) for entry in categories.values()}
    groups = {key: _group_name(entry) for key, entry in categories.items() if key not in used}
    return {key: name for key, name in groups.items() if name in named - set(_NO_GROUP)}


def _group_name(category: dict[str, Any]) -> str:
    """Return the name of a category that has no group itself, "" for others."""
    return str(category["name"]) if str(category.get("supercategory", "")) in _NO_GROUP else ""
