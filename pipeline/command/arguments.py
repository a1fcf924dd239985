"""What the ``d2ace`` command takes: its verbs, and the parser of all of them."""

import argparse
from collections.abc import Callable

from .examples import examples_of
from .parser import Parser, Subparsers
from .verbs import (
    audit,
    check_method,
    choose,
    compare,
    completion,
    decide,
    demo,
    diff,
    doctor,
    errors,
    evaluate,
    explain,
    export,
    incremental,
    methods,
    predict,
    prepare,
    report,
    runs,
    show,
    simulate,
    submit,
    train,
    tune,
)

VERBS: tuple[Callable[[Subparsers], None], ...] = (
    prepare.add_parser,
    train.add_parser,
    evaluate.add_parser,
    decide.add_parser,
    predict.add_parser,
    export.add_parser,
    explain.add_parser,
    simulate.add_parser,
    audit.add_parser,
    choose.add_parser,
    compare.add_parser,
    tune.add_parser,
    incremental.add_parser,
    report.add_parser,
    doctor.add_parser,
    submit.add_parser,
    methods.add_parser,
    check_method.add_parser,
    demo.add_parser,
    errors.add_parser,
    diff.add_parser,
    runs.add_parser,
    show.add_parser,
    completion.add_parser,
)
"""What adds each verb, in the order of the help."""

_OF_ALL_VERBS = ("submit", "completion")
"""Verbs that look at all others: their options bring the parser along, as ``make_parser``."""


def make_parser() -> Parser:
    """Return the parser of the whole command; the options it gives name the verb to call as ``call``."""
    parser = Parser(prog="d2ace", description="Dynamic batch selection for multi-label learning.")
    subparsers = parser.add_subparsers(required=True, metavar="VERB")
    for add_parser in VERBS:
        add_parser(subparsers)
    for name in _OF_ALL_VERBS:
        subparsers.choices[name].set_defaults(make_parser=make_parser)
    _add_debug(parser, subparsers)
    for name, verb in subparsers.choices.items():
        verb.epilog = examples_of(name)
    parser.epilog = "d2ace VERB --help says what a verb takes, with examples."
    return parser


def _add_debug(parser: Parser, subparsers: Subparsers) -> None:
    shown = "show the traceback of an error (also: D2ACE_DEBUG=1)"
    parser.add_argument("--debug", action="store_true", help=shown)
    for verb in subparsers.choices.values():
        verb.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=shown)
