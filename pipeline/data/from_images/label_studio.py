"""Label Studio: a JSON file (export format JSON) with tasks, their images and annotations (labelstud.io/guide/export).

The labels of an image are the choices of its annotations and the labels of its regions. An image that nobody annotated
has no label that is known; one whose annotators disagree has soft labels, or is refused.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from ...common.errors import SHOWN, DataError, did_you_mean
from ...common.storage.json_text import parse_json
from ...common.storage.locations import Location
from ..image_files import IMAGE_SUFFIXES
from ..row_labels import RowLabels
from .folders import ImageFolder, first_folder
from .options import SourceOptions, find_parts, images_of
from .records import Listing, ListingBuilder, Part
from .vocabulary import Fail, Vocabulary, given_labels

OPTIONS = frozenset({"files", "images", "labels", "label_file", "label_column", "path_column", "soft_labels"})
_PATTERNS = ("*.json",)
_UPLOADED = re.compile(r"data/upload/(?:\d+/)?(?:[0-9a-f]{8}-)?(?P<name>[^/]+)$")
"""Where Label Studio keeps an image that was uploaded: it puts eight hexadecimal digits before its name."""


class _Task(NamedTuple):
    """An image as annotated: what the file says of where it is, and how many of its annotations have each label."""

    image: str
    votes: Mapping[str, int]
    annotations: int
    fail: Fail


def list_images(source: Location, options: SourceOptions, *, reject: bool) -> Listing:
    """List the images of one or more files, in the files' order; labels are those that occur, sorted.

    Raises:
        DataError: naming the file and, in it, the task that is wrong.
    """
    parts = find_parts(source, options.files, _PATTERNS)
    home = source.folder
    reader = _Reader(options)
    listed = [list(reader.tasks(part)) for part in parts]
    if options.labels is None and options.label_file is None:
        names = sorted({name for tasks in listed for task in tasks for name in task.votes})
        vocabulary = Vocabulary(names, parts[0].location)
    else:
        vocabulary = given_labels(options.labels, home.join(options.label_file) if options.label_file else None)
    builder = ListingBuilder(vocabulary, reject=reject)
    for part, tasks in zip(parts, listed, strict=True):
        folder = ImageFolder(home, images_of(options.images, part) or first_folder(home, [part.split_name, "images"]))
        for task in tasks:
            text = _file_of(task.image, folder)
            folder.add(builder, text, _row(task, vocabulary), part.split, task.fail, part.location.parent)
    for note in reader.notes(sum(task.annotations == 0 for tasks in listed for task in tasks)):
        builder.note(note)
    return builder.finish(" + ".join(part.name for part in parts))


def _row(task: _Task, vocabulary: Vocabulary) -> RowLabels:
    """Return what is known of an image's labels; of one that nobody annotated, nothing."""
    if not task.annotations:
        return RowLabels((), listed=range(len(vocabulary.fixed or ())))
    votes = {vocabulary.number(name, task.fail): count / task.annotations for name, count in task.votes.items()}
    places = sorted(votes)
    values = [votes[place] for place in places]
    return RowLabels(places, None if all(value == 1 for value in values) else values)


class _Reader:
    """Reads the tasks of files, and remembers what the user should know of them."""

    def __init__(self, options: SourceOptions) -> None:
        self._options = options
        self._controls: Counter[str] = Counter()
        self._unread: Counter[str] = Counter()

    def notes(self, unannotated: int) -> Iterator[str]:
        """Yield how the files were understood."""
        if len(self._controls) > 1 and self._options.label_column is None:
            yield f"labels are those of the controls {', '.join(sorted(self._controls))}; --label-column chooses one"
        if self._unread:
            yield f"results of the types {', '.join(sorted(self._unread))} say no labels and are left out"
        if unannotated:
            yield f"{unannotated} images have no annotation: none of their labels is known"

    def tasks(self, part: Part) -> Iterator[_Task]:
        """Yield the tasks of a file."""
        try:
            content = parse_json(part.location.read())
        except ValueError as error:
            raise part.error(f"not valid JSON: {error}", getattr(error, "lineno", None)) from None
        if not isinstance(content, list) or not content:
            raise part.error("is no list of tasks: expected an export in Label Studio's format JSON")
        for number, task in enumerate(content):
            yield self._task(part, number, task)
        wanted = self._options.label_column
        if wanted is not None and wanted not in self._controls:
            raise part.error(f"no result is of the control {wanted!r}{did_you_mean(wanted, self._controls)}")

    def _task(self, part: Part, number: int, task: Any) -> _Task:
        name = f"task {task.get('id', number)}" if isinstance(task, dict) else f"entry {number} of the list"

        def fail(message: str) -> DataError:
            return part.error(f"{name}: {message}")

        if not isinstance(task, dict) or not all(isinstance(task.get(k), t) for k, t in _TASK.items()):
            raise fail("needs 'data' and a list 'annotations'; export in the format JSON, not JSON-MIN or CSV")
        done = [given for given in task["annotations"] if not _field(given, "was_cancelled", fail)]
        done = [given for given in done if _field(given, "ground_truth", fail)] or done
        found = [self._labels(given, fail) for given in done]
        votes = Counter(label for labels in found for label in labels)
        if not self._options.soft_labels and (split := sorted(v for v, count in votes.items() if count < len(found))):
            raise fail(
                f"its {len(found)} annotations differ on {split[:SHOWN]}: mark one as ground truth, or say "
                "--soft-labels for the share of annotators who see a label"
            )
        return _Task(self._image(task["data"], fail), votes, len(found), fail)

    def _labels(self, annotation: Mapping[str, Any], fail: Fail) -> set[str]:
        """Return the labels of one annotation."""
        results, labels = annotation.get("result"), set[str]()
        if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
            raise fail("an annotation needs a list 'result'")
        for result in results:
            kind, control = str(result.get("type")), str(result.get("from_name"))
            if kind != "choices" and not kind.endswith("labels"):
                self._unread[kind] += 1
                continue
            self._controls[control] += 1
            if self._options.label_column in (None, control):
                value = result.get("value")
                chosen = value.get(kind, []) if isinstance(value, dict) else None
                if not isinstance(chosen, list) or not all(isinstance(label, str) and label for label in chosen):
                    raise fail(f"a result of the type {kind!r} needs a list of names as value, got {str(value)[:60]}")
                labels.update(chosen)
        return labels

    def _image(self, data: Mapping[str, Any], fail: Fail) -> str:
        """Return what a task says of where its image is."""
        key = self._options.path_column
        if key is None:
            names = [name for name, value in data.items() if isinstance(value, str) and _is_image(value)]
            key = "image" if "image" in data else names[0] if len(names) == 1 else None
        if key is None:
            raise fail(f"which of {list(data)[:SHOWN]} is its image? Say --path-column")
        if not isinstance(data.get(key), str) or not data[key]:
            raise fail(f"its data has no text {key!r}{did_you_mean(key, data)}")
        return data[key]


_TASK = {"data": dict, "annotations": list}


def _field(annotation: Any, name: str, fail: Fail) -> bool:
    if not isinstance(annotation, dict):
        raise fail(f"an annotation is {str(annotation)[:60]}, expected an object with 'result'")
    return bool(annotation.get(name))


def _is_image(text: str) -> bool:
    return _path_of(text).rpartition(".")[2].lower() in IMAGE_SUFFIXES


def _path_of(text: str) -> str:
    """Return the path in a text that may be an address; a local file's stands after ``?d=``."""
    parts = urlsplit(text)
    if parts.path.endswith("/data/local-files/"):
        return parse_qs(parts.query).get("d", [""])[0]
    return unquote(parts.path)


def _file_of(text: str, folder: ImageFolder) -> str:
    """Return what of a task's text names a file of the folder: its end, as long as there is one; else the text."""
    path = _path_of(text).lstrip("/")
    uploaded = _UPLOADED.search(path)
    steps: Sequence[str] = path.split("/")
    ends = ["/".join(steps[first:]) for first in range(len(steps))] + ([uploaded["name"]] if uploaded else [])
    return next((end for end in ends if end in folder.sizes), path if "://" in text or path != text else text)
