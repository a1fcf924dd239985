"""``audit``: the labels of a run's training rows that are most likely missing or wrong, with the evidence.

N training rows, L labels, n suspects.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ....selectors.entries.flagging import FlaggingPolicy
from ...common.errors import ConfigError, did_you_mean
from ...common.storage.any_path import AnyPath, place_of
from ..replay import SelectionOfRun
from ..top import require_top
from .findings import Audit
from .judged import Judged, judged
from .suspects import KINDS, Suspects, most_suspicious, policy_kind
from .tables import label_table, suspect_table, write_tables
from .verdict_page import write_page


def audit(
    run: "str | AnyPath",
    out: "str | AnyPath | None" = None,
    *,
    top: int = 200,
    suspects: Literal["missing", "wrong", "both"] | None = None,
    labels: Sequence[str] = (),
    data: str | Path | None = None,
) -> Audit:
    """List the labels that are most likely missing or wrong; trains nothing.

    Writes ``suspects.csv``, ``suspects.parquet``, ``labels.csv`` and ``audit.html``, a page to look through them.

    Args:
        run: the run folder, of a finished or a stopped run.
        out: the folder to write; None for ``audit`` in the run's. Files of an earlier audit there are replaced.
        top: how many of each kind to list.
        suspects: what to look for; None for what the run's policy looked for, both for a run without one.
        labels: names of the labels to look at; none for all.
        data: where the run's data lies now, if it was moved.

    Raises:
        ConfigError: for a number below 1, an unknown kind or label.
        RunError: when the run kept nothing about single entries, or its data has changed or is gone.
    """
    require_top(top)
    known = SelectionOfRun(run, data)
    chosen = _chosen(labels, known.data.labels)
    opinion = judged(known)
    kinds = _kinds(suspects, policy_kind(opinion))
    found = [most_suspicious(opinion, kind, top, chosen) for kind in kinds]
    target = known.folder.path / "audit" if out is None else place_of(out)
    listed, views = suspect_table(known, opinion, found)
    counted = label_table(known.data.labels, opinion, found, chosen)
    result = Audit(target, listed, counted, _remarks(known, opinion, found, views.no_neighbours))
    write_tables(target, listed, counted)

    write_page(target, known, result, views)
    return result


def _chosen(names: Sequence[str], known: Sequence[str]) -> np.ndarray:
    for name in names:
        if name not in known:
            raise ConfigError(f"--label: the run has no label {name!r}{did_you_mean(name, known)}")
    wanted = [known.index(name) for name in names] if names else range(len(known))
    return np.unique(np.array(list(wanted), np.int64))


def _kinds(asked: str | None, of_policy: str | None) -> tuple[str, ...]:
    if asked is not None and asked not in (*KINDS, "both"):
        raise ConfigError(f"--suspects must be missing, wrong or both, got {asked!r}")
    wanted = asked or of_policy or "both"
    return tuple(kind for kind in KINDS if wanted in (kind, "both"))


def _remarks(
    known: SelectionOfRun, opinion: Judged, found: Sequence[Suspects], no_neighbours: str | None
) -> tuple[str, ...]:
    """Return what a reader must know about this list."""
    told = [f"Audit of {known.folder.path}, from {opinion.source}."]
    if not any(map(len, found)):
        return (*told, "No suspects: no row was seen twice, or no label looked at has entries of the kind asked for.")
    unsure = [f"{each.kind} labels" for each in found if np.isnan(each.chances).all()]
    if unsure:
        told.append(f"No chances for {' and '.join(unsure)}: {_why_no_chances(opinion, found)}.")
    if opinion.policy is not None and opinion.policy.is_released:
        told.append(_gate(opinion.policy.summary()))
    return (*told, *([f"No neighbours: {no_neighbours}."] if no_neighbours else []))


def _gate(summary: Mapping[str, Any]) -> str:
    """Return what the gate of a policy is, and what it looked at."""
    gate = "open" if summary["gate_open"] else "shut: the run itself believed all labels"
    what = {
        "wrong_share": "share of wrong entries",
        "skill": "skill of its flags",
        "separation": "separation of components",
    }
    known = {name: value for name in what if not np.isnan(value := summary.get(name, np.nan))}
    if not known:
        return "The policy has no gate: how many entries are wrong was given (expected)."
    seen = ", ".join(f"{what[name]} {value:.3g}" for name, value in known.items())
    return f"The policy's gate is {gate} ({seen})."


def _why_no_chances(opinion: Judged, found: Sequence[Suspects]) -> str:
    policy = opinion.policy
    if policy is None:
        return "they need a run with an entry policy (selector.entries)"
    if not any(each.kind == policy_kind(opinion) and np.isnan(each.chances).all() for each in found):
        return f"the run's policy looked for {policy_kind(opinion)} ones"
    if not policy.is_released:
        return "the run has not come to the policy's release yet"
    if isinstance(policy, FlaggingPolicy) and len(policy.ranks):
        return "the run could hardly tell wrong entries from others; longer or better training may"
    return "the policy counts no wrong entries on validation rows (a share that was given, or a judge of its own)"
