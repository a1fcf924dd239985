"""A prepared data set with some labels put right, as a person has decided after an audit."""

from collections import Counter
from pathlib import Path

import numpy as np

from ...selectors.common.corrections import corrected
from ...selectors.common.label_matrix import LabelMatrix
from .manifest import Manifest
from .relabelled import write_relabelled
from .shards import read_labels
from .verdicts import Verdicts, read_verdicts


def audited(prepared: str | Path, out: str | Path, verdicts: str | Path, *, overwrite: bool = False) -> Manifest:
    """Write a prepared data set again with the labels that a person has decided, their origin ``AUDITED``.

    Rows, row ids and splits stay; all files but the tables of shards with a verdict are shared (``relabelled.py``).

    Args:
        prepared: the data set's folder, or its address.
        out: the folder or address to write.
        verdicts: a CSV file, see ``read_verdicts``.
        overwrite: replace a prepared data set at ``out``.

    Raises:
        DataError: when the data set or a verdict is not there, with file and line, or ``out`` exists.
    """
    old = Manifest.load(prepared)
    said = read_verdicts(verdicts, old)
    before = read_labels(old)
    after = corrected(before, said.rows, said.labels, said.present)
    effect = _effect(old, said, before, Path(verdicts).name)
    return write_relabelled(old, out, after, said.rows, effect, overwrite=overwrite)


def _effect(old: Manifest, said: Verdicts, before: LabelMatrix, file: str) -> dict[str, str]:
    """Return for the manifest how many entries the verdicts changed, after what earlier ones did."""
    values = np.array([before.dense(said.rows[k : k + 1])[0, label] for k, label in enumerate(said.labels)])
    words = {1.0: "positive", 0.0: "negative"}
    counts = Counter(
        f"{words.get(float(value), 'unknown' if np.isnan(value) else 'soft')} to {words[float(present)]}"
        for value, present in zip(values, said.present, strict=True)
        if value != present
    )
    told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "nothing changed"
    earlier = old.filters.get("verdicts")
    new = f"{len(values)} of {file}: {told}"
    return {"verdicts": f"{earlier}; {new}" if earlier else new}
