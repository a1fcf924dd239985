"""``make fuzz``: any number of cases over every reader, in processes whose memory and time are bounded.

A reader passes when it reads a case or refuses it in words that name the place. What else happens is a finding: an
error from inside, more memory or time than the bounds, a killed process. Findings are printed with the command that
repeats them.
"""

import argparse
import faulthandler
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # the others reserve gigabytes that they do not use

from hostile.cases import Prepared, Target
from hostile.everything import TARGETS

SECONDS = 20
"""What one case may take of a processor."""
MEMORY = 1 << 30
"""Bytes that a process may map beyond what the programs themselves take; the files read are at most a megabyte."""


def main(arguments: list[str] | None = None) -> int:
    """Run cases and print findings; returns 1 when there are some."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(target.name for target in TARGETS)}; default: all")
    parser.add_argument("--cases", type=int, default=2000, help="cases of each target (default 2000)")
    parser.add_argument("--first", type=int, default=0, help="number of the first case (default 0)")
    parser.add_argument("--raise", dest="raises", action="store_true", help="show where an error comes from")
    told = parser.parse_args(arguments)
    chosen = [target for target in TARGETS if not told.targets or target.name in told.targets]
    assert chosen, f"no target of these names: {told.targets}"
    found = 0
    for target in chosen:
        began = time.monotonic()
        faults = _all_cases(target, told.first, told.first + told.cases, told.raises)
        kinds = Counter(text.splitlines()[0][:60] for text in faults.values())
        print(
            f"{target.name:>20}: {told.cases:,} cases, {time.monotonic() - began:.0f} s, {len(faults)} findings",
            flush=True,
        )
        for kind, count in kinds.most_common(12):
            number, text = next((n, text) for n, text in faults.items() if text.splitlines()[0][:60] == kind)
            print(
                f"    {count} x {text[:1500]}\n      make fuzz ARGS='{target.name} --first {number} --cases 1 --raise'",
                flush=True,
            )
        found += len(faults)
    return int(found > 0)


def _all_cases(target: Target, first: int, end: int, raises: bool) -> dict[int, str]:
    """Return what is wrong, by case; a process that dies is replaced, and its case is a finding."""
    faults: dict[int, str] = {}
    while first < end:
        ours, theirs = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(target=_cases, args=(target, first, end, raises, theirs))
        process.start()
        theirs.close()
        last, begun = first, False
        try:
            while True:
                last, fault = ours.recv()
                begun = True
                if fault is not None:
                    faults[last] = fault
        except EOFError:
            process.join()
        if process.exitcode == 0:
            break
        if not begun:
            raise SystemExit(f"{target.name}: the valid input cannot be read")
        faults[last] = f"the process ended with {process.exitcode} (beyond {SECONDS} s, or killed)"
        first = last + 1
    return faults


def _cases(target: Target, first: int, end: int, raises: bool, to: Connection) -> None:
    faulthandler.enable()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    signal.signal(signal.SIGVTALRM, signal.SIG_DFL)  # ends the process also within a library
    with tempfile.TemporaryDirectory(
        prefix="d2ace-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None
    ) as folder:
        prepared = Prepared(target, Path(folder) / "hostile-input")
        prepared.read_valid()
        if not raises:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        resource.setrlimit(resource.RLIMIT_AS, (_mapped() + MEMORY, resource.RLIM_INFINITY))
        for number in range(first, end):
            to.send((number, None))
            signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
            fault = prepared.fault(number, raises)
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            if fault is not None:
                to.send((number, fault))


def _mapped() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    sys.exit(main())
