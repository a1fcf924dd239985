"""The page of a prediction: a thumbnail a row with its labels, to look through, without a network or a server."""

from collections.abc import Container, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

import pyarrow.parquet as pq

from ...common.storage.any_path import AnyPath, fetched, replacing
from ...common.storage.locations import Location
from ...runs.trained_run import TrainedRun
from ..report.markup import Html, element, joined
from ..report.page import Section, details, notes, page, prose, table
from .columns import PROBABILITIES
from .job import Job, Unreadable

PAGE = "index.html"


def write_page(job: Job, run: TrainedRun, about: Mapping[str, Any], unreadable: Sequence[Unreadable]) -> AnyPath:
    """Write ``_page/index.html`` over the first ``job.thumbnails`` rows, and return its path."""
    rows, pictures = list(_rows(job)), Location.of(job.pictures).files()
    left = about["rows"] - len(rows)
    more = [f"{left} rows more have no thumbnail; --page N shows N."] if left > 0 else []
    gallery = element("div", *(_card(row, job, run.data.labels, pictures) for row in rows), id="rows", class_="gallery")
    sections = [Section("images", "Images", joined(_toolbar(run.data.labels, rows), notes(more), gallery))]
    if unreadable:
        lines = [(path, reason) for path, reason in unreadable]
        listed = table("Images without a prediction", ("image", "reason"), lines, words=(0, 1))
        sections.append(Section("unreadable", "Unreadable", details(f"{len(unreadable)} images", listed)))
    text = page(
        "Prediction",
        f"{about['rows']} rows by {run.folder.path.name}",
        _decided(about),
        sections,
        "Written by d2ace predict --page.",
        more_style=_asset("page.css"),
        script=_asset("page.js"),
    )
    target = job.pages / PAGE
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return target


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _decided(about: Mapping[str, Any]) -> str:
    """Return how labels were decided, in a sentence."""
    if about["thresholds"] is None:
        return f"A row has the labels whose probability is above {about['threshold']:g}."
    how = f"chosen on validation rows ({about['rule']}); calibration: {about['calibration']}"
    return f"A row has the labels whose probability is above a threshold of their own, {how}."


def _rows(job: Job) -> Iterator[dict[str, Any]]:
    """Yield the rows that have a thumbnail, in order, as plain values."""
    for path in job.parts():
        with fetched(path) as local, pq.ParquetFile(local) as file:
            wanted = {"id", "name", "path", "truth", "labels", "top", PROBABILITIES}
            for batch in file.iter_batches(256, columns=[name for name in file.schema_arrow.names if name in wanted]):
                for row in batch.to_pylist():
                    if row["id"] >= job.thumbnails:
                        return
                    yield row


def _toolbar(labels: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Html:
    """Return the choice of a label; most frequent ones first."""
    counts = dict.fromkeys(labels, 0)
    for row in rows:
        for label in row["labels"]:
            counts[label] += 1
    ordered = sorted(counts, key=lambda name: -counts[name])
    options = [element("option", f"{name} ({counts[name]})", value=name) for name in ordered]
    every = element("option", f"all labels ({len(rows)} rows)", value="")
    choice = element("select", every, *options, id="label", aria_label="label")
    search = _void("input", type="search", id="name", placeholder="name", aria_label="part of the name")
    told = prose("Rows with one label stand in the order of its probability. Labels in bold were decided.")
    return joined(told, element("p", choice, search, element("span", "", id="count", role="status"), class_="toolbar"))


def _card(row: Mapping[str, Any], job: Job, labels: Sequence[str], pictures: Container[str]) -> Html:
    """Return one row: its thumbnail, its name, its labels with their probabilities, and what is true where known."""
    name = (row.get(job.names) if job.names else None) or f"row {row['id']}"
    place = {label: number for number, label in enumerate(labels)}
    shown = list(dict.fromkeys([*row["labels"], *row["top"]]))
    shown.sort(key=lambda label: -row[PROBABILITIES][place[label]])
    chips = [_chip(label, row[PROBABILITIES][place[label]], label in row["labels"]) for label in shown]
    picture = f"{row['id']:07d}.jpg"
    image = _void("img", src=f"thumbnails/{picture}", alt=name, loading="lazy") if picture in pictures else ""
    truth = row.get("truth")
    known = element("p", f"truth: {', '.join(truth) or 'none'}", class_="remark") if truth is not None else ""
    return element("figure", image, element("figcaption", element("strong", name)), element("ul", *chips), known,
                   class_="row", data_name=name.lower(), data_place=str(row["id"]))  # fmt: skip


def _chip(label: str, probability: float, decided: bool) -> Html:
    number = element("span", f"{probability:.2f}")
    return element("li", element("b", label) if decided else label, " ", number, data_label=label,
                   data_decided="yes" if decided else None, data_p=f"{probability:.6f}")  # fmt: skip


def _void(tag: str, **attributes: str) -> Html:
    """Return an element that HTML gives no end."""
    return Html(element(tag, **attributes).removesuffix(f"</{tag}>"))
