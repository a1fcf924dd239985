"""``d2ace check-method``: tries the contract of selection methods on one."""

import argparse

from ....selectors.common.errors import SelectionError
from ..parser import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    check = subparsers.add_parser("check-method", help="try on a selection method what every one must do, case by case")
    check.add_argument("method", help="package.module:Class, or a name that d2ace methods lists")
    check.add_argument("--option", action="append", default=[], metavar="key=value", help="a setting; may be repeated")
    check.set_defaults(call=run)


def run(options: argparse.Namespace) -> None:
    """Try the contract of selection methods on one, case by case; raises SelectionError when it does not keep it."""
    from ....selectors.contract.suite import CASES, Subject, verdicts
    from ...common.config.overrides import apply_overrides

    broken = 0
    for verdict in verdicts(Subject(options.method, apply_overrides({}, options.option))):
        print(f"ok      {verdict.case}" if verdict.trouble is None else f"BROKEN  {verdict.case}: {verdict.trouble}")
        broken += verdict.trouble is not None
    if broken:
        error = SelectionError(f"{options.method} breaks {broken} of the {len(CASES)} cases of the contract")
        error.add_note("put right what BROKEN lines say")
        raise error
    print(f"{options.method} keeps the contract: {len(CASES)} cases")
