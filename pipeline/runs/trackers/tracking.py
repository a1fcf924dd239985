"""The trackers of one run, study or sweep, opened and closed together, and what they called its runs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock
from typing import Any

from ...common.storage.any_path import AnyPath, make_folder
from ...common.storage.json_files import write_json
from .api import PACKAGES, REGISTRY, Place, Tracked, numbers_of, require_installed
from .sending import Sender

FILE = "trackers.json"
"""What each tracker calls the runs of a folder, and how many epochs it heard of: who goes on goes on there, too."""
RUN = "run"
"""The key of a run by itself."""


class Tracking:
    """Tells all trackers alike; without trackers every call does nothing.

    Args:
        names: of the trackers; others, such as ``tensorboard``, are left aside.
        place: where they are used.

    Raises:
        ConfigError: when a tracker's package is not installed.
    """

    def __init__(self, names: Sequence[str], place: Place) -> None:
        wanted = [name for name in names if name in PACKAGES]
        require_installed(wanted)
        self._file, self._lock = place.folder / FILE, Lock()
        self._about = _read(self._file) if wanted else {}
        self._ended: set[str] = set()
        self._senders = [self._sender(name, place) for name in wanted]

    def _sender(self, name: str, place: Place) -> Sender:
        known: dict[str, str] = self._about.setdefault("ids", {}).setdefault(name, {})
        whole = place.whole and replace(place.whole, known=known.get(""))

        def remember(key: str, run_id: str) -> None:
            with self._lock:
                known[key] = run_id
                self._save()

        return Sender(name, REGISTRY.find(name), replace(place, whole=whole), remember, known)

    def begin(self, key: str, name: str, settings: Mapping[str, Any]) -> None:
        """Tell that a run begins, or goes on."""
        self._send("begin", key, Tracked(name, settings))

    def log(self, key: str, record: Mapping[str, Any]) -> None:
        """Tell the record of an epoch; one that was told before, maybe by an earlier process, is passed over."""
        if not self._senders:
            return
        with self._lock:
            told = self._about.setdefault("epochs", {})
            if record["epoch"] < told.get(key, 0):
                return
            told[key] = record["epoch"] + 1
            self._save()
        self._send("log", key, record["epoch"], numbers_of(record))

    def end(self, key: str, numbers: Mapping[str, Any], state: str = "finished") -> None:
        """Tell the end of a run."""
        if key not in self._ended:
            self._ended.add(key)
            self._send("end", key, numbers_of(numbers), state)

    def close(self, state: str) -> None:
        """End all trackers; what they cannot take within seconds is left."""
        for sender in self._senders:
            sender.close(state)

    def _send(self, kind: str, *values: Any) -> None:
        for sender in self._senders:
            sender.send(kind, *values)

    def _save(self) -> None:
        make_folder(self._file.parent)
        write_json(self._file, self._about)


@contextmanager
def tracked(names: Sequence[str], place: Place) -> Iterator[Tracking]:
    """Give trackers for the block's time; an error, or Ctrl-C, becomes the state of what is open then.

    Raises:
        ConfigError: when a tracker's package is not installed.
    """
    tracking, state = Tracking(names, place), "failed"
    try:
        yield tracking
        state = "finished"
    except (KeyboardInterrupt, SystemExit):
        state = "killed"
        raise
    finally:
        if state != "finished" and place.whole is None:
            tracking.end(RUN, {}, state)
        tracking.close(state)


@contextmanager
def tracked_run(folder: AnyPath, config: Mapping[str, Any]) -> Iterator[Tracking]:
    """Give the trackers of a run by itself, which has begun.

    Args:
        folder: the run's.
        config: its complete configuration in plain values, of which ``run.trackers`` says which.
    """
    with tracked(config["run"]["trackers"], Place(folder)) as tracking:
        tracking.begin(RUN, folder.name, config)
        yield tracking


def _read(file: AnyPath) -> dict[str, Any]:
    """Return what earlier processes kept; a damaged file says nothing, so runs are begun anew."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
