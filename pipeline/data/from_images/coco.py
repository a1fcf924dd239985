"""COCO instances: a JSON file a split with images, categories and annotations (Lin et al. 2014).

The labels of an image are the categories of its annotations, crowd regions included. Roboflow's exports, a folder for
each split with ``_annotations.coco.json`` beside the images, are read as well.

Federated sets such as LVIS (Gupta et al. 2019) look for some categories in each image only: those with annotations, and
``neg_category_ids``, which are verified to be absent. With ``unlisted="unknown"`` all others are unknown.
"""

import posixpath
from typing import Any

from ...common.errors import SHOWN
from ...common.storage.json_text import parse_json
from ...common.storage.locations import Location
from ..row_labels import RowLabels
from .coco_categories import Key, drop_groups, places, read_categories
from .folders import ImageFolder, first_folder
from .options import SourceOptions, find_parts, images_of
from .records import Listing, ListingBuilder, Part
from .vocabulary import Vocabulary

OPTIONS = frozenset({"files", "images", "unlisted"})
_NEGATIVES = "neg_category_ids"
_PATTERNS = ("annotations/instances_*.json", "*/_annotations.coco.json", "*.json")


def list_images(source: Location, options: SourceOptions, *, reject: bool) -> Listing:
    """List the images of one or more instances files, in the files' order.

    ``annotations/instances_NAME.json`` goes with the folder NAME or images/NAME, else images, else the source; a file
    in another folder goes with that folder.

    Raises:
        DataError: naming the file and, in it, the image or annotation that is wrong.
    """
    parts = find_parts(source, options.files, _PATTERNS)
    home = source.folder
    contents = [_read(part) for part in parts]
    categories = [read_categories(part, found["categories"]) for part, found in zip(parts, contents, strict=True)]
    groups = drop_groups(categories, [_used(content) for content in contents])
    names, placed = places(parts, categories)
    builder = ListingBuilder(Vocabulary(names, parts[0].location), reject=reject, unlisted=options.unlisted)
    if groups:
        builder.note(f"categories that only group others and have no annotation are no labels: {', '.join(groups)}")
    for part, content, place in zip(parts, contents, placed, strict=True):
        folder = ImageFolder(home, images_of(options.images, part) or _folder(home, part))
        _add_images(builder, folder, part, content, place, options.unlisted == "unknown")
    return builder.finish(" + ".join(part.name for part in parts))


def _read(part: Part) -> dict[str, Any]:
    try:
        content = parse_json(part.location.read())
    except ValueError as error:
        raise part.error(f"not valid JSON: {error}", getattr(error, "lineno", None)) from None
    for key in ("images", "categories", "annotations"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise part.error(f"has no list {key!r}: expected a COCO instances file")
    return content


def _used(content: dict[str, Any]) -> set[Key]:
    """Return the category ids that annotations name."""
    found = (entry.get("category_id") for entry in content["annotations"] if isinstance(entry, dict))
    return {key for key in found if isinstance(key, int | str)}


def _add_images(
    builder: ListingBuilder,
    folder: ImageFolder,
    part: Part,
    content: dict[str, Any],
    place: dict[Key, int],
    unknown: bool,
) -> None:
    labels = _labels(part, content, place)
    if unknown and not any(_NEGATIVES in image for image in content["images"]):
        raise part.error(
            f"no image has {_NEGATIVES!r}, so no label would be known to be absent: leave unlisted negative"
        )
    for image in content["images"]:
        absent = _absent(part, image, place) - labels[image["id"]] if unknown else ()
        row = RowLabels(sorted(labels[image["id"]]), listed=sorted(absent))
        folder.add(builder, image["file_name"], row, part.split, part.error, part.location.parent)


def _absent(part: Part, image: dict[str, Any], place: dict[Key, int]) -> set[int]:
    """Return the label places that are verified to be absent from an image."""
    listed = image.get(_NEGATIVES, [])
    if not isinstance(listed, list) or not all(_is_key(key) and key in place for key in listed):
        raise part.error(f"image {image['id']}: {_NEGATIVES!r} is {str(listed)[:60]}, expected ids of categories")
    return {place[key] for key in listed}


def _labels(part: Part, content: dict[str, Any], place: dict[Key, int]) -> dict[Key, set[int]]:
    """Return the label places of every image by its id."""
    labels: dict[Key, set[int]] = {}
    for number, image in enumerate(content["images"]):
        if not isinstance(image, dict) or not _is_key(image.get("id")) or not isinstance(image.get("file_name"), str):
            raise part.error(f"image {number} of the list needs 'id' and 'file_name'")
        if image["id"] in labels:
            raise part.error(f"two images have the id {image['id']}")
        labels[image["id"]] = set()
    for number, entry in enumerate(content["annotations"]):
        if not isinstance(entry, dict) or not all(_is_key(entry.get(name)) for name in ("image_id", "category_id")):
            raise part.error(f"annotation {number} of the list needs 'image_id' and 'category_id'")
        name = f"annotation {entry.get('id', number)}"
        if entry["image_id"] not in labels:
            raise part.error(f"{name}: there is no image with id {entry['image_id']}")
        if entry["category_id"] not in place:
            raise part.error(f"{name}: unknown category {entry['category_id']}; there are {list(place)[:SHOWN]}")
        labels[entry["image_id"]].add(place[entry["category_id"]])
    return labels


def _is_key(value: Any) -> bool:
    return isinstance(value, int | str | float)


def _folder(source: Location, part: Part) -> str:
    name = posixpath.splitext(part.location.name)[0].removeprefix("instances_")
    own = posixpath.dirname(part.name)
    if own and posixpath.basename(own) != "annotations":
        return first_folder(source, [f"{own}/images", own])
    return first_folder(source, [name, f"images/{name}", part.split_name, "images"])
