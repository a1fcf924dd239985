"""A study of sequences: what is missing is trained, each kept as soon as it is done."""

import time
from collections.abc import Container, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ray.exceptions import RayError

from ...common.cluster.session import ray_session
from ...common.config.sections import RunSection
from ...common.errors import ConfigError, RunError
from ...common.storage.any_path import AnyPath, remove
from ...common.storage.bucket_lock import lock_of
from ...data.manifest import Manifest
from ...data.shards import read_labels
from ...training.threads import torch_threads
from ..bounds import require_bounds
from ..origin import package_version
from ..ray_tasks import as_they_end, why_killed
from .execution import cut, incremental
from .folder import SequenceFolder
from .outcome import Outcome
from .preflight import check_sequence
from .study import Member, SequenceStudy
from .study_table import OutcomeTable


def run_study(
    study: SequenceStudy | str | Path,
    out: "str | AnyPath",
    *,
    parallel: int = 1,
    minutes: float | None = None,
    commit: str | None = None,
    skip: Container[str] = (),
) -> list[Outcome]:
    """Train what is missing of a study and return its outcomes; a killed study goes on with its very next batch.

    Sequences that are in ``out`` already are not repeated, whatever study they were made for; those that failed are
    tried again. What a sequence wrote is removed when it is done: its numbers stay.

    Args:
        study: the study, or its YAML file.
        out: folder of the outcomes, a path or an address of a bucket; several studies may share one.
        parallel: sequences at a time; one is trained in this process, several in Ray tasks.
        minutes: start no sequence after that time; those under way are finished.
        commit: kept with each outcome, for studies of the program itself.
        skip: keys of members whose outcomes are kept elsewhere.

    Raises:
        ConfigError, DataError: before anything is trained, when a sequence could not work, or a bound is none.
        RunError: when another process writes ``out``, or every sequence failed; it names the first reason.
    """
    require_bounds(parallel=parallel, minutes=minutes)
    if not isinstance(study, SequenceStudy):
        study = SequenceStudy.load(study)
    table, members = OutcomeTable(out), list(study.members())
    _check(members)
    with lock_of(table.folder, "study"):
        table.begin()
        done, last = table.done(), {member.key: member for member in members}
        todo = [member for key, member in last.items() if key not in done and key not in skip]
        deadline = time.perf_counter() + 60 * minutes if minutes is not None else float("inf")
        about = {"reference": study.reference, "commit": commit, "version": package_version("d2ace")}
        failed = _train(todo, table, parallel, deadline, study.threads, about)
        outcomes = table.outcomes(members)
    if failed and not outcomes:
        raise RunError(f"every sequence failed, the first with: {failed[0]}")
    return outcomes


def _check(members: Sequence[Member]) -> None:
    """Raise for what could not work with any seed or class order; the message names data set, protocol and method."""
    for member in {(each.data, each.sequence.protocol, each.method): each for each in reversed(members)}.values():
        manifest = Manifest.load(member.sequence.data.path)
        try:
            check_sequence(member.sequence, manifest, cut(member.sequence, manifest, read_labels(manifest)))
        except ConfigError as error:
            raise ConfigError(f"{member.told}: {error}") from None


def _train(
    todo: Sequence[Member],
    table: OutcomeTable,
    parallel: int,
    deadline: float,
    threads: int,
    about: Mapping[str, Any],
) -> list[str]:
    """Train sequences and keep what they came to; returns the reasons of those that failed."""
    failed, started = [], time.perf_counter()
    for number, (member, result) in enumerate(_ended(todo, table.folder / "work", parallel, deadline, threads), 1):
        made = {**about, "finished": datetime.now(UTC).isoformat(timespec="seconds")}
        if isinstance(result, Outcome):
            table.add(member, result, made)
            told = f"last mAP {result.overall['last_map']:.4f}, average {result.overall['average_map']:.4f}"
        else:
            table.add_failure(member, result, made)
            failed.append(result)
            told = result
        print(f"{number}/{len(todo)} after {time.perf_counter() - started:.0f} s: {member.told}: {told}", flush=True)
    return failed


def _ended(
    todo: Sequence[Member], work: AnyPath, parallel: int, deadline: float, threads: int
) -> Iterator[tuple[Member, Outcome | str]]:
    """Yield every sequence as it ends, with its outcome or why there is none."""
    train = partial(_trained, work=work, threads=threads)
    if parallel == 1:
        for number, member in enumerate(todo):
            if number and time.perf_counter() >= deadline:
                return
            yield member, train(member)
    elif todo:
        with ray_session(RunSection(workers=0)):
            for member, result in as_they_end(train, todo, cpus=threads, parallel=parallel, deadline=deadline):
                yield member, why_killed(result) if isinstance(result, RayError) else result


def _trained(member: Member, work: AnyPath, threads: int) -> Outcome | str:
    """Train a sequence, or what a killed study left of it, and remove what it wrote; returns why it failed, if so."""
    folder = work / member.key
    try:
        with torch_threads(threads):
            begun = SequenceFolder(folder).sequence.is_file()
            outcome = incremental(member.sequence, folder, go_on=begun, quiet=True)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    remove(folder)
    return outcome
