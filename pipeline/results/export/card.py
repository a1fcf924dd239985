"""The model card: what a run's own files say of the network, in Markdown, for people who were not there."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...data.shards import read_labels
from ...data.support import FEW_POSITIVES, support_of
from ...training.metric_names import METRICS
from .agreement import Agreement
from .metadata import Facts

_SHOWN_LABELS = 200
"""Most labels that the table lists, the most frequent first; ``metadata.json`` has all."""
_NAMED = 10
_PLACE = re.compile(r"(?<![\w.:/])/[^\s'\"]*/")
"""Folders of the machine in paths, which concern nobody else."""
_YAML_HEAD = """---
library_name: onnx
pipeline_tag: {task}
tags: [multi-label-classification, d2ace, {network}]
---"""


def model_card(facts: Facts, agreements: Sequence[Agreement], extra: str | None) -> str:
    """Return the card's text.

    Args:
        facts: of the run.
        agreements: how the files compare with the run's own network.
        extra: what is said of the layout for transformers, None for other networks.
    """
    task = "image-classification" if facts.run.data.scaler.image else "tabular-classification"
    parts = [
        _YAML_HEAD.format(task=task, network=facts.run.config.model.name),
        f"# {facts.run.folder.path.name}",
        _summary(facts),
        "## Use\n\n" + _use(facts, agreements, extra),
        "## Data\n\n" + _data(facts),
        "## Metrics\n\n" + _metrics(facts),
        "## Training\n\n" + _training(facts),
        "## Labels\n\n" + _labels(facts),
        "## Limits\n\n" + "\n".join(f"- {line}" for line in limits(facts)),
    ]
    return "\n\n".join(parts) + "\n"


def _summary(facts: Facts) -> str:
    data = facts.run.data
    kind = "images" if data.scaler.image else "rows of a table"
    return (
        f"A multi-label network ({_code(facts.run.config.model.name)}) that says for each of {len(data.labels)} labels "
        f"whether {kind} have it. It was trained and exported by d2ace; this card is made from the run's own files."
    )


def _use(facts: Facts, agreements: Sequence[Agreement], extra: str | None) -> str:
    shape = ", ".join(map(str, facts.run.data.context.input_shape))
    dtype = "uint8" if facts.run.data.scaler.image else "float32"
    lines = [
        f"- `model.onnx` and `model.pt2` take `{facts.input_name}`, {dtype} [batch, {shape}], and give `probabilities` "
        "and `labels`, both [batch, labels]. The batch may have any size. Scaling and thresholds are inside.",
        "- `metadata.json`, which both files carry too, has the names of the labels in order, thresholds, calibration"
        + (" and what is done with an image first." if facts.run.data.scaler.image else "."),
        *([f"- {extra[0].upper()}{extra[1:]}."] if extra else []),
        *(f"- Checked when it was written: {agreement}." for agreement in agreements),
    ]
    return "\n".join(lines)


def _data(facts: Facts) -> str:
    data, config = facts.run.data, facts.run.config.data
    splits, manifest = data.splits, facts.manifest
    rows = [[name, f"{len(getattr(splits, name)):,}"] for name in ("train", "validation", "test")]
    origin = f"Source: {_PLACE.sub('', manifest.source)}. " if manifest is not None and manifest.source else ""
    fold = "" if config.fold is None else f", fold {config.fold + 1} of {config.folds}"
    return (
        f"{origin}Split: {config.split}{fold}, seed {facts.run.config.run.seed}. Fingerprint of the prepared data: "
        + (f"{_code(data.fingerprint[:16])}.\n\n{_table(['split', 'rows'], rows)}")
    )


def _metrics(facts: Facts) -> str:
    validation, test = _validation(facts), _test(facts)
    if not validation and not test:
        return "None are known: the run had no validation and no test rows."
    rows = [[_code(name), _number(validation.get(name)), _number(test.get(name))] for name in METRICS]
    said = f"Labels are those above {facts.run.config.train.threshold:g}"
    if facts.decisions is not None:
        said += " here, not those of the thresholds that the files decide by"
    lines = [f"{said}. Unknown labels count in no metric.", _table(["metric", "validation", "test"], rows)]
    if facts.manifest is not None and facts.manifest.is_labelled:
        labels = read_labels(facts.manifest)
        held_out = {"validation": facts.run.data.splits.validation, "test": facts.run.data.splits.test}
        sentences = [f"{name}: {support_of(labels, ids).sentence()}." for name, ids in held_out.items() if len(ids)]
        lines.append("What they rest on: " + " ".join(sentences))
    return "\n\n".join(lines)


def _training(facts: Facts) -> str:
    config = facts.run.config
    rows = [
        ["network", _code(config.model.name), _settings(config.model.options)],
        ["batch selection", _code(config.selector.name), _settings(config.selector.settings)],
        ["optimiser", _code(config.optimizer.name), f"lr {config.optimizer.lr:g}, {config.optimizer.schedule}"],
        ["loss", _code(config.train.loss), _settings(config.train.loss_options)],
        ["epochs", str(len(facts.run.folder.read_metrics())), f"batches of {config.train.batch_size}"],
    ]
    return _table(["what", "which", "settings"], rows)


def _labels(facts: Facts) -> str:
    data = facts.run.data
    counts = np.array(data.context.label_counts)
    order = np.argsort(-counts, kind="stable")[:_SHOWN_LABELS]
    rows = [[_code(data.labels[k]), f"{counts[k]:,}", f"{facts.thresholds[k]:.4g}"] for k in order.tolist()]
    chosen = "train.threshold of the run" if facts.decisions is None else "chosen on validation rows by d2ace decide"
    text = f"Thresholds on the network's own probabilities: {chosen}.\n\n"
    text += _table(["label", "positive training rows", "threshold"], rows)
    return text + (f"\n\nand {len(counts) - len(order):,} rarer ones" if len(order) < len(counts) else "")


def limits(facts: Facts) -> Iterator[str]:
    """Yield what the run's files say against trusting the network, a sentence or two each."""
    run, data = facts.run, facts.run.data
    counts = np.array(data.context.label_counts)
    yield "It knows these labels only, and was measured on rows of the same data set only; other data were not tried."
    if run.best is not None:
        yield f"The run is not finished: these are the weights of epoch {run.best.epoch + 1}, its best until now."
    for few, said in ((counts == 0, "no positive training row"), (_rare(counts), f"fewer than {FEW_POSITIVES}")):
        if few.any():
            yield f"{_some([data.labels[k] for k in np.flatnonzero(few)])} had {said}" + (
                ": what it says of them means nothing." if said.startswith("no") else " positive training rows."
            )
    if data.context.known_counts is not None:
        known = sum(data.context.known_counts) / (data.context.n_rows * data.context.n_labels)
        yield f"Of the training labels {1 - known:.1%} were unknown."
    for name in ("validation", "test"):
        if not len(getattr(data.splits, name)):
            yield f"There were no {name} rows."
    if facts.manifest is None:
        yield "The data was not at hand when it was exported; the files were compared on random inputs."
    yield "Licence and intended use are for those to state who own the data; the run's files say nothing of them."


def _rare(counts: np.ndarray) -> np.ndarray:
    return (counts > 0) & (counts < FEW_POSITIVES)


def _validation(facts: Facts) -> Mapping[str, Any]:
    """Return the validation metrics of the epoch whose weights are exported."""
    result = facts.run.folder.read_result()
    epoch = result["best_epoch"] if result is not None else facts.run.best.epoch if facts.run.best else None
    records = {record["epoch"]: record for record in facts.run.folder.read_metrics()}
    return records.get(epoch, {})


def _test(facts: Facts) -> Mapping[str, Any]:
    return (facts.run.folder.read_result() or {}).get("test", {})


def _number(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.4f}"


def _settings(options: Mapping[str, Any]) -> str:
    """Return settings in a cell; of nested ones, such as a backbone's configuration, the names only."""
    told = [f"{key} …" if isinstance(value, Mapping) else f"{key} {value}" for key, value in options.items()]
    return _PLACE.sub("", ", ".join(told)).replace("|", "\\|") or "defaults"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(_code(name) for name in names[:_NAMED]) + more


def _code(text: str) -> str:
    """Return a name as code in a table's cell, whatever signs it holds."""
    fence = "``" if "`" in text else "`"
    padding = " " if "`" in text else ""
    return fence + padding + text.replace("|", "\\|").replace("\n", " ") + padding + fence


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
