"""Who holds a lock: what its file says of a process, and whether that process goes on."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError, NotThereError
from .any_path import AnyPath


@dataclass(frozen=True)
class Holder:
    """What a lock says of its process.

    Attributes:
        host: name of its machine.
        process: its id there.
        machine: which boot of which system the id is of; ids of two containers are not the same.
        started: when the process started, in the system's own count; an id may come again.
        token: of this lock.
    """

    host: str
    process: int
    machine: str
    started: str
    token: str

    @classmethod
    def here(cls) -> "Holder":
        """Return what the locks of this process say."""
        return cls(os.uname().nodename, os.getpid(), _machine(), _started(os.getpid()), secrets.token_hex(8))

    @property
    def alive(self) -> bool | None:
        """Whether the process goes on; None where that cannot be known from here."""
        if not self.machine or self.machine != _machine():
            return None
        return _started(self.process) == self.started

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}"


def read_holder(path: AnyPath) -> Holder | None:
    """Return what a lock says, None when there is none or it says nothing; DataError when a bucket does not give it."""
    try:
        return Holder(**json.loads(path.read_text(encoding="utf-8")))
    except NotThereError:
        return None
    except DataError:
        raise
    except (OSError, ValueError, TypeError):
        return None


def _machine() -> str:
    """Return the boot and the process namespace that ids are of; nothing where the system does not say it."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(process: int) -> str:
    """Return when a process of this machine started; nothing when it is not there or has ended."""
    try:
        state, *rest = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else rest[18]
