"""Folders of work that was begun: how to go on with it, or nothing left behind when it was in vain."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def begun(folder: Path, holds_work: Callable[[], bool], go_on: str) -> Iterator[None]:
    """Name the way to go on in whatever ends the block early, as a note of the exception; or remove the folder.

    Args:
        folder: made for the work in the block.
        holds_work: whether there is something to go on from by now; if not, the folder is removed, so that the same
            command can simply be given again.
        go_on: the command that goes on.
    """
    try:
        yield
    except BaseException as error:
        if holds_work():
            error.add_note(f"go on with: {go_on}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
        raise
