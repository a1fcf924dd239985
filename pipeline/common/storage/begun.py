"""Folders of work that was begun: how to go on with it, or nothing left behind when it was in vain."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ..errors import DataError
from .any_path import AnyPath, in_bucket

_GO_ON = "go on with: "


@contextmanager
def begun(folder: AnyPath, holds_work: Callable[[], bool], go_on: str) -> Iterator[None]:
    """Name the way to go on in whatever ends the block early, as a note of the exception; or remove the folder.

    Where one such block lies in another, the outer one's way takes the place of the inner one's, which it includes.

    Args:
        folder: made for the work in the block.
        holds_work: whether there is something to go on from by now; if not, the folder is removed, so that the same
            command can simply be given again.
        go_on: the command that goes on.
    """
    try:
        yield
    except BaseException as error:
        if _is_worth_keeping(holds_work):
            others = [note for note in getattr(error, "__notes__", ()) if not note.startswith(_GO_ON)]
            error.__notes__ = [*others, f"{_GO_ON}{go_on}"]
        else:
            _remove(folder)
        raise


def _is_worth_keeping(holds_work: Callable[[], bool]) -> bool:
    try:
        return holds_work()
    except DataError:  # a bucket that does not answer: nobody knows
        return True


def _remove(folder: AnyPath) -> None:
    """Remove a folder as far as possible; the error of the block is what the user must see."""
    if not in_bucket(folder):
        shutil.rmtree(folder, ignore_errors=True)
        return
    with suppress(DataError):
        folder.delete()
