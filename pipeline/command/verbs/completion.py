"""``d2ace completion``: prints what a shell needs to complete the command."""

import argparse

from ..parser import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    completion = subparsers.add_parser("completion", help="print what a shell needs to complete d2ace")
    completion.add_argument("shell", choices=("bash", "zsh"))
    completion.set_defaults(call=run)


def run(options: argparse.Namespace) -> None:
    """Print a shell's completion of the command."""
    from ..completion import script

    print(script(options.make_parser(), options.shell))
