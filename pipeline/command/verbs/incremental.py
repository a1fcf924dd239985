"""``d2ace incremental``: learns classes that arrive in tasks."""

import argparse

from ...common.storage.any_path import address_of, place_of
from ..loading import loading
from ..parser import Subparsers
from ..settings import read_sequence


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    learn = subparsers.add_parser("incremental", help="learn classes that arrive in tasks, one task after the other")
    learn.add_argument("sequence", help="a YAML file: data, protocol, method, memory; or a study: data, methods, seeds")
    learn.add_argument("out", help="folder of the sequence, to be made, or of the study, which goes on there")
    learn.add_argument("--parallel", type=int, metavar="N", help="of a study: sequences at a time; default: 1")
    learn.add_argument("--minutes", type=float, metavar="M", help="of a study: start no sequence after M minutes")
    go_on = "go on with the killed sequence in that folder"
    learn.add_argument("--resume", dest="go_on", action="store_true", help=go_on)
    learn.set_defaults(call=run)


def run(options: argparse.Namespace) -> None:
    """Learn the tasks of a sequence, or the sequences of a study, and print what they came to."""
    given = read_sequence(options)
    with loading():
        from ...results.report import report
        from ...studies.incremental import SequenceStudy, describe, describe_study, incremental, run_study

    if isinstance(given, SequenceStudy):
        parallel = 1 if options.parallel is None else options.parallel
        outcomes = run_study(given, options.out, parallel=parallel, minutes=options.minutes)
        print(f"\n{describe_study(outcomes, given.reference)}\n\nreport: {address_of(report(options.out))}")
        return
    outcome = incremental(given, options.out, go_on=options.go_on)
    print(f"\n{describe(outcome)}\n\noutcome: {address_of(place_of(options.out) / 'outcome.json')}")
