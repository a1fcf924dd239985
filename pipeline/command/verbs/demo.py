"""``d2ace demo``: hides labels of digit-scenes, trains, and looks for them."""

import argparse

from ..loading import loading
from ..parser import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    demo = subparsers.add_parser("demo", help="hide half of the labels of digit-scenes, train, and look for them")
    demo.add_argument("--data", default="data/demo", help="folder where the data sets are or will be built")
    demo.add_argument("overrides", nargs="*", metavar="section.key=value")
    demo.set_defaults(call=run)


def run(options: argparse.Namespace) -> None:
    """Train on digit-scenes of which labels are hidden, and say what was won back and found."""
    with loading():
        from ..demo import demo
        from ..demo_text import demo_text

    print("\n" + demo_text(*demo(options.data, overrides=options.overrides)))
