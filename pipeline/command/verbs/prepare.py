"""``d2ace prepare``: turns data into shards with a manifest."""

import argparse
import inspect
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from ...common.errors import DataError
from ...common.stages import stage
from ...common.storage.addresses import redacted
from ..parser import Subparsers

if TYPE_CHECKING:
    from ...data.manifest import Manifest

_Group: TypeAlias = "argparse._ArgumentGroup"
_NAME = re.compile(r'\s*(?:"((?:[^"]|"")*)"\s*|([^,]*)),')
"""A name in quotes, or without, and the comma after it."""
_SPLIT_WORDS = ("train", "training", "val", "valid", "validation", "dev", "test")


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    prepare = subparsers.add_parser("prepare", help="turn data into shards with a manifest")
    source = "a file, the stem of STEM-train.arff and STEM-test.arff, or digit-scenes; of images a folder or address"
    prepare.add_argument("source", help=source)
    prepare.add_argument("out", help="folder to write")
    formats = ("auto", "arff", "csv", "tsv", "parquet", "npz")
    images = ("coco", "voc", "image-csv", "webdataset", "huggingface", "open-images", "cvat", "label-studio")
    add = prepare.add_argument
    add("--format", choices=formats + images, help="default: by the file's name; images need one")
    add("--labels", type=_names, metavar="A,B,...", help="names of the label columns, or of the labels")
    add("--label-file", metavar="FILE", help="Mulan's label list, default STEM.xml; of images: one label a line")
    add("--label-prefix", help="columns whose names start like this are labels")
    add("--label-column", help="the column (tar files: suffix, Label Studio: control) that lists each row's labels")
    add("--label-delimiter", help="what separates labels there, or list, or none; default ;")
    add("--split-column", help="the column that says train, validation or test")
    add("--exclude", type=_names, metavar="A,B,...", help="columns to leave out")
    missing = ("error", "absent", "unknown")
    add("--missing-labels", choices=missing, help="what a file means that lacks labels; by default an error")
    add(
        "--unknown", type=_names, metavar="TEXT,...", help="cells of labels that nobody knows: '' for empty, nan, -1, ?"
    )
    add("--soft-labels", action="store_true", default=None, help="values between 0 and 1 are labels")
    add("--assume-negative", action="store_true", default=None, help="take every unknown label for 0")
    add("--encoding", help="of text files; default utf-8")
    add("--delimiter", metavar="C", help="what separates the fields of a CSV or TSV file")
    add("--min-positives", type=int, metavar="N", help="drop labels with N positives or fewer")
    add("--drop-unlabelled", action="store_true", default=None, help="drop rows without labels")
    add("--verdicts", metavar="FILE", help="SOURCE is a prepared data set: put right what this CSV file decides")
    hide = "SOURCE is a prepared data set: take this share of the positives away, but for those of test rows"
    add("--hide-positives", type=float, metavar="SHARE", help=hide)
    add("--overwrite", action="store_true", default=None, help="replace a prepared data set at OUT")
    _add_table_options(prepare.add_argument_group("tables"))
    _add_image_options(prepare.add_argument_group("images"))
    prepare.set_defaults(call=run)


def _add_table_options(group: _Group) -> None:
    add = group.add_argument
    add("--validation", metavar="FILE", help="validation rows; SOURCE then holds the training rows")
    add("--test", metavar="FILE", help="test rows, likewise")
    add("--labels-of", metavar="PREPARED", help="the labels are those of this prepared data set")
    add("--label-mask", metavar="FILE", help="CSV or NPZ in the shape of the labels: 1 known, 0 unknown")
    add("--index", choices=("auto", "keep", "drop"), help="what becomes of a saved row index; default auto")
    add("--decimal", choices=(".", ","), help="what stands before the fraction of a number there; default .")
    add("--kind", choices=("auto", "dense", "sparse"), help="how to store features")
    add("--top-features", type=float, metavar="SHARE", help="keep this share of the features, by column sum")


def _add_image_options(group: _Group) -> None:
    add = group.add_argument
    add("--files", action=_PerSplit, metavar="[SPLIT=]PATTERN", help="what names or holds the images, below SOURCE")
    add("--images", action=_PerSplit, metavar="[SPLIT=]FOLDER", help="where the images are, below SOURCE")
    add("--path-column", help="the column (Label Studio: the key) with the image's path; default: the first")
    add("--image-column", help="the column (in tar files: the suffix) that holds the image")
    add("--label-lists", choices=("multi-hot", "indices"), help="what lists of 0 and 1 are: a mark a label, or numbers")
    add("--label-key", help="key of the labels in JSON members of tar files; default labels")
    add("--difficult", choices=("keep", "drop"), help="labels of objects that VOC marks difficult; default keep")
    add("--confidence", type=float, help="the least that makes an Open Images label count; default 0.5")
    add(
        "--unlisted",
        choices=("negative", "unknown"),
        help="labels not named for an Open Images or COCO image; negative",
    )
    add("--short-side", type=int, metavar="PIXELS", help="scale larger images down to this")
    add("--quality", type=int, help="of JPEGs that are made; default 95")
    add("--max-pixels", type=int, metavar="N", help="larger images are bad; default 100 million")
    add("--odd-images", choices=("convert", "bad"), help="CMYK, 16 bit, animated and the like; default convert")
    add("--on-error", choices=("fail", "reject"), help="at a bad image; reject lists it and goes on; default fail")
    add("--shard-mb", type=float, metavar="MB", help="about the size of a shard; default 256")


class _PerSplit(argparse.Action):
    """Collects [SPLIT=]VALUE into a mapping from split to value."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        word, sign, value = values.partition("=")
        if not sign or word.lower() not in _SPLIT_WORDS:
            word, value = "", values
        found = getattr(namespace, self.dest) or {}
        if word in found:
            parser.error(f"{option} is given twice for {word or 'no split'}")
        setattr(namespace, self.dest, {**found, word: value})


def _names(text: str) -> list[str]:
    """Return the names between commas; in quotes, as in a CSV file, a name keeps commas, and blanks at its ends."""
    found = (match.groups() for match in _NAME.finditer(f"{text},"))
    return [plain.strip() if quoted is None else quoted.replace('""', '"') for quoted, plain in found]


def run(options: argparse.Namespace) -> None:
    """Prepare a data set."""
    with stage(f"reading {redacted(options.source)}"):
        manifest = _prepared(options)
    from ...data.from_images.outcome import REJECTED_FILE
    from ...data.summary import read_summary, summarise
    from ...data.summary_text import summary_text

    print(summary_text(manifest, read_summary(manifest) or summarise(manifest)))
    for name, effect in manifest.filters.items():
        print(f"filter {name}: {effect}")
    if "rejected" in manifest.filters:
        print(f"rejected images and the reasons: {manifest.folder / REJECTED_FILE}")
    print(f"prepared data set: {options.out}")


def _prepared(options: argparse.Namespace) -> "Manifest":
    """Prepare what the options say, of whichever kind; returns its manifest."""
    from ...data import digit_scenes
    from ...data.audited import audited
    from ...data.from_images.prepare import FORMATS, prepare_images
    from ...data.from_tables.prepare import prepare
    from ...data.hidden import with_hidden_positives

    plain = ("source", "out", "call", "debug")
    chosen = {key: value for key, value in vars(options).items() if key not in plain and value is not None}
    if options.source == "digit-scenes":
        _refuse_surplus(chosen, {"overwrite"}, "digit-scenes is made, not read: it takes no")
        return digit_scenes.build(options.out, **chosen)
    if options.verdicts:
        _refuse_surplus(chosen, {"verdicts", "overwrite"}, "a prepared data set with --verdicts takes no")
        return audited(options.source, options.out, **chosen)
    if (share := chosen.pop("hide_positives", None)) is not None:
        _refuse_surplus(chosen, {"overwrite"}, "a prepared data set with --hide-positives takes no")
        return with_hidden_positives(options.source, options.out, share, **chosen)
    images = options.format in FORMATS
    build: Callable[..., Manifest] = prepare_images if images else prepare
    what = f"format {options.format} takes no" if images else "only images, with their --format, take"
    _refuse_surplus(chosen, set(inspect.signature(build).parameters), what)
    return build(options.source, options.out, **chosen)


def _refuse_surplus(chosen: Mapping[str, Any], known: set[str], what: str) -> None:
    if surplus := set(chosen) - known:
        raise DataError(f"{what} --{min(surplus).replace('_', '-')}")
