"""COCO instances: a JSON file a split with images, categories and annotations (Lin et al. 2014).

The labels of an image are the categories of its annotations, crowd regions included.
"""

import json
import posixpath
from typing import Any

from ...common.storage.locations import Location
from .folders import ImageFolder, first_folder
from .options import SourceOptions, find_parts, images_of
from .records import Listing, ListingBuilder, Part
from .vocabulary import Vocabulary

OPTIONS = frozenset({"files", "images"})
_PATTERNS = ("annotations/instances_*.json", "*.json")


def list_images(source: Location, options: SourceOptions, *, reject: bool) -> Listing:
    """List the images of one or more instances files, in the files' order.

    ``annotations/instances_NAME.json`` goes with the folder NAME or images/NAME, else images, else the source.

    Raises:
        DataError: naming the file and, in it, the image or annotation that is wrong.
    """
    parts = find_parts(source, options.files, _PATTERNS)
    home = source.folder
    contents = [_read(part) for part in parts]
    categories = [_categories(part, content) for part, content in zip(parts, contents, strict=True)]
    for part, found in zip(parts[1:], categories[1:], strict=True):
        if found != categories[0]:
            raise part.error(f"its categories differ from those of {parts[0].location}")
    order = sorted(categories[0])
    builder = ListingBuilder(Vocabulary([categories[0][key] for key in order], parts[0].location), reject=reject)
    place = {key: index for index, key in enumerate(order)}
    for part, content in zip(parts, contents, strict=True):
        folder = ImageFolder(home, images_of(options.images, part) or _folder(home, part))
        _add_images(builder, folder, part, content, place)
    return builder.finish(" + ".join(part.name for part in parts))


def _read(part: Part) -> dict[str, Any]:
    try:
        content = json.loads(part.location.read())
    except ValueError as error:
        raise part.error(f"not valid JSON: {error}", getattr(error, "lineno", None)) from None
    for key in ("images", "categories", "annotations"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise part.error(f"has no list {key!r}: expected a COCO instances file")
    return content


def _categories(part: Part, content: dict[str, Any]) -> dict[int, str]:
    try:
        found = {int(entry["id"]): str(entry["name"]) for entry in content["categories"]}
    except (TypeError, KeyError, ValueError):
        raise part.error("every category needs a number 'id' and a 'name'") from None
    if len(found) < len(content["categories"]):
        raise part.error("two categories have the same id")
    if not found:
        raise part.error("the list of categories is empty")
    return found


def _add_images(
    builder: ListingBuilder, folder: ImageFolder, part: Part, content: dict[str, Any], place: dict[int, int]
) -> None:
    labels = _labels(part, content, place)
    for image in content["images"]:
        places = tuple(labels[image["id"]])
        folder.add(builder, image["file_name"], places, part.split, part.error, part.location.parent)


def _labels(part: Part, content: dict[str, Any], place: dict[int, int]) -> dict[int, set[int]]:
    """Return the label places of every image by its id."""
    labels: dict[int, set[int]] = {}
    for number, image in enumerate(content["images"]):
        if not isinstance(image, dict) or "id" not in image or not isinstance(image.get("file_name"), str):
            raise part.error(f"image {number} of the list needs 'id' and 'file_name'")
        if image["id"] in labels:
            raise part.error(f"two images have the id {image['id']}")
        labels[image["id"]] = set()
    for number, entry in enumerate(content["annotations"]):
        if not isinstance(entry, dict) or not {"image_id", "category_id"} <= entry.keys():
            raise part.error(f"annotation {number} of the list needs 'image_id' and 'category_id'")
        name = f"annotation {entry.get('id', number)}"
        if entry["image_id"] not in labels:
            raise part.error(f"{name}: there is no image with id {entry['image_id']}")
        if entry["category_id"] not in place:
            raise part.error(f"{name}: unknown category {entry['category_id']}; there are {sorted(place)[:10]}")
        labels[entry["image_id"]].add(place[entry["category_id"]])
    return labels


def _folder(source: Location, part: Part) -> str:
    name = posixpath.splitext(part.location.name)[0].removeprefix("instances_")
    return first_folder(source, [name, f"images/{name}", part.split_name, "images"])
