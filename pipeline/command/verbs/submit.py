"""``d2ace submit``: runs a verb as a job of a Ray cluster."""

import argparse
import sys

from ...common.errors import ConfigError
from ...common.stages import stage
from ..parser import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    submit = subparsers.add_parser("submit", help="run a verb as a job of a Ray cluster: d2ace submit -- train ...")
    submit.add_argument(
        "command", nargs="*", metavar="VERB ...", help="after --; paths are the cluster's, YAML is sent"
    )
    add = submit.add_argument
    add("--address", metavar="URL", help="http://HOST:PORT of the dashboard; default: RAY_API_SERVER_ADDRESS")
    add("--wheel", metavar="FILE", help="send the code of this wheel; default: the code that runs here")
    module = "a .py file, or the folder of a package, that the job imports; may be repeated"
    add("--module", action="append", default=[], metavar="PATH", help=module)
    add("--dry-run", action="store_true", help="list what would be sent, file by file, and send nothing")
    add("--no-wait", action="store_true", help="print the job's id and leave")
    add("--out", metavar="FOLDER", help="for the results of a job that succeeded; default: runs/JOB")
    add("--stop-on-interrupt", action="store_true", help="Ctrl-C stops the job, not only following it")
    instead = submit.add_mutually_exclusive_group()
    instead.add_argument("--follow", metavar="JOB", help="follow a job that is there, and fetch its results")
    instead.add_argument("--cancel", metavar="JOB", help="stop a job that is there")
    submit.set_defaults(call=run)


def run(options: argparse.Namespace) -> int:
    """Submit a verb as a job, or follow or cancel one; returns the exit code."""
    job = options.cancel or options.follow
    if bool(job) == bool(options.command):
        raise ConfigError("submit takes either -- VERB ..., or --follow JOB, or --cancel JOB")
    if job and options.dry_run:
        raise ConfigError("submit --dry-run lists what -- VERB ... would send; --follow and --cancel send nothing")
    with stage("looking at the job" if job else "checking what would be sent"):
        from ..jobs import cancel, check_command, dry_run, follow, submit
    if options.cancel:
        print(cancel(job, address=options.address))
        return 0
    if not job:
        submitted = options.make_parser().parse_args(options.command)  # a typo is told here, not by the job
        if submitted.call is run:
            raise ConfigError("submit cannot be submitted")
        check_command(submitted)
        if options.dry_run:
            print(dry_run(options.command, wheel=options.wheel, modules=options.module))
            return 0
        with stage("sending the job to the cluster"):
            job = submit(options.command, address=options.address, wheel=options.wheel, modules=options.module)
        print(job, file=sys.stdout if options.no_wait else sys.stderr)
    if options.no_wait:
        return 0
    return follow(job, address=options.address, out=options.out, stop_on_interrupt=options.stop_on_interrupt)
