"""``d2ace export``: writes a run's network for other programs."""

import argparse

from ...runs.opening import require_run
from ..loading import loading
from ..parser import MOVED, Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    export = subparsers.add_parser("export", help="write a run's network as ONNX and for torch.export, with a card")
    export.add_argument("run", help="run folder")
    export.add_argument("out", help="folder to write")
    export.add_argument("--data", metavar="PATH", help=MOVED)
    export.set_defaults(call=run)


def run(options: argparse.Namespace) -> None:
    """Write a run's network for other programs."""
    require_run(options.run)
    with loading():
        from ...results.export import export

    print(export(options.run, options.out, data=options.data))
