"""The ``d2ace`` command: parses, and calls one verb within the boundary that turns errors into a line."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence

from .command.boundary import guarded
from .command.parser import see_help
from .command.voice import speaking


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, one of ``boundary``, or that of a submitted job."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given or os.environ.get("D2ACE_DEBUG", "0") not in ("", "0")
    with speaking():
        again = shlex.join(["d2ace", *given])
        return guarded(lambda: _call(given), again=again, debug=debug, help_=see_help(_verb(given)))


def _call(given: Sequence[str]) -> int | None:
    options = _parsed(given)
    return options.call(options)


def _parsed(given: Sequence[str]) -> argparse.Namespace:
    """Parse; overrides may also stand after options, where argparse takes no more of them."""
    from .command.arguments import make_parser

    parser = make_parser()
    options, left = parser.parse_known_args(given)
    if left and hasattr(options, "overrides") and all("=" in word and not word.startswith("-") for word in left):
        options.overrides += left
    elif left:
        parser.prog = f"{parser.prog} {_verb(given)}"
        parser.error(f"unrecognized arguments: {' '.join(left)}")
    return options


def _verb(given: Sequence[str]) -> str:
    return next((word for word in given if not word.startswith("-")), "")


if __name__ == "__main__":
    sys.exit(main())
