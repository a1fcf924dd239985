"""The ``d2ace`` command: parses, calls one verb, prints. No work of its own."""

import argparse
import inspect
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ..selectors import api as selectors
from ..selectors.errors import SelectionError
from .errors import ConfigError, DataError, RunError

if TYPE_CHECKING:
    from .config import Config

_Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 2 for an error told in one line, or that of a submitted job."""
    options = _parser().parse_args(arguments)
    try:
        code = options.call(options)
    except (ConfigError, DataError, RunError, SelectionError) as error:
        print(f"d2ace: error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output, such as head, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("d2ace: interrupted", file=sys.stderr)
        return 130
    return code or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="d2ace", description="Dynamic batch selection for multi-label learning.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _add_prepare(verbs)
    _add_train(verbs)
    _add_evaluate(verbs)
    _add_predict(verbs)
    _add_explain(verbs)
    _add_simulate(verbs)
    _add_compare(verbs)
    _add_tune(verbs)
    _add_report(verbs)
    _add_doctor(verbs)
    _add_submit(verbs)
    methods = verbs.add_parser("methods", help="list selection methods and networks with their settings")
    methods.set_defaults(call=_methods)
    demo = verbs.add_parser("demo", help="train uniform and D2ACE on the embedded digit-scenes and compare")
    demo.add_argument("--data", default="data/digit-scenes", help="where the data set is or will be built")
    demo.add_argument("overrides", nargs="*", metavar="section.key=value")
    demo.set_defaults(call=_demo)
    return parser


def _add_prepare(verbs: _Verbs) -> None:
    prepare = verbs.add_parser("prepare", help="turn data into sharded Parquet with a manifest")
    prepare.add_argument("source", help="a file, the stem of STEM-train.arff and STEM-test.arff, or digit-scenes")
    prepare.add_argument("out", help="folder to write")
    formats = ("auto", "arff", "csv", "tsv", "parquet", "npz")
    add = prepare.add_argument
    add("--format", choices=formats, help="default: by the file's name")
    add("--validation", metavar="FILE", help="validation rows; SOURCE then holds the training rows")
    add("--test", metavar="FILE", help="test rows, likewise")
    add("--labels", type=_names, metavar="A,B,...", help="names of the label columns")
    add("--label-file", metavar="XML", help="Mulan's label list; default: STEM.xml")
    add("--label-prefix", help="columns whose names start like this are labels")
    add("--label-column", help="the column that lists each row's labels")
    add("--label-delimiter", help="what separates labels there; default ;")
    add("--split-column", help="the column that says train, validation or test")
    add("--exclude", type=_names, metavar="A,B,...", help="columns to leave out")
    add("--encoding", help="of text files; default utf-8")
    add("--kind", choices=("auto", "dense", "sparse"), help="how to store features")
    add("--min-positives", type=int, metavar="N", help="drop labels with N positives or fewer")
    add("--drop-unlabelled", action="store_true", default=None, help="drop rows without labels")
    add("--top-features", type=float, metavar="SHARE", help="keep this share of the features, by column sum")
    add("--overwrite", action="store_true", default=None, help="replace a prepared data set at OUT")
    prepare.set_defaults(call=_prepare)


def _add_train(verbs: _Verbs) -> None:
    train = verbs.add_parser("train", help="train a model as configured, or go on with a killed run")
    train.add_argument(
        "config", nargs="?", help="a YAML file, or the folder of a prepared data set to use the defaults for"
    )
    train.add_argument("overrides", nargs="*", metavar="section.key=value", help="for example train.epochs=20")
    train.add_argument("--resume", metavar="RUN", help="go on with this run folder from its newest checkpoint")
    train.add_argument("--workers", type=int, help="with --resume: another number of workers")
    train.set_defaults(call=_train)


def _add_evaluate(verbs: _Verbs) -> None:
    evaluate = verbs.add_parser("evaluate", help="print the metrics of a finished run as JSON")
    evaluate.add_argument("run", help="run folder")
    evaluate.add_argument("--data", help="another prepared data set; default: the run's own")
    evaluate.add_argument("--split", default="test", choices=("train", "validation", "test", "all"))
    evaluate.set_defaults(call=_evaluate)


def _add_predict(verbs: _Verbs) -> None:
    predict = verbs.add_parser("predict", help="write probabilities and labels of all rows as Parquet")
    predict.add_argument("run", help="run folder")
    predict.add_argument("data", help="prepared data set")
    predict.add_argument("out", help="folder to write")
    predict.set_defaults(call=_predict)


def _add_explain(verbs: _Verbs) -> None:
    explain = verbs.add_parser("explain", help="say why a row was or was not drawn in an epoch")
    explain.add_argument("run", help="run folder")
    explain.add_argument("row", type=int, help="global id of a training row, as in RUN/order")
    explain.add_argument("--epoch", type=int, help="from 0; default: the last one that can be explained")
    explain.set_defaults(call=_explain)


def _add_simulate(verbs: _Verbs) -> None:
    simulate = verbs.add_parser("simulate", help="replay a run's recorded observations through another method")
    simulate.add_argument("run", help="folder of a run with run.record_observations=true")
    simulate.add_argument("--method", required=True, help="the other method; d2ace methods lists them")
    simulate.add_argument(
        "--option", action="append", default=[], metavar="key=value", help="a setting; may be repeated"
    )
    simulate.set_defaults(call=_simulate)


def _add_compare(verbs: _Verbs) -> None:
    compare = verbs.add_parser("compare", help="train what a study compares, and say what may be concluded")
    compare.add_argument("study", help="a YAML file: data sets, networks, methods, folds, seeds")
    compare.add_argument("out", help="folder of the table; a stopped comparison goes on there")
    compare.add_argument("--parallel", type=int, metavar="N", help="runs at a time; default: one a CPU")
    compare.add_argument("--limit", type=int, metavar="N", help="train at most N runs now")
    compare.add_argument("--minutes", type=float, metavar="M", help="start no run after M minutes")
    compare.add_argument("--metric", action="append", help="to print; may be repeated; default: macro_auc and map")
    compare.set_defaults(call=_compare)


def _add_tune(verbs: _Verbs) -> None:
    tune = verbs.add_parser("tune", help="search a method's settings; tune report OUT writes the report anew")
    tune.add_argument("sweep", nargs="?", help="a YAML file: configuration, space, trials, scheduler; or: report")
    tune.add_argument("out", nargs="?", help="folder of the sweep, to be made")
    tune.add_argument("--resume", metavar="OUT", help="go on with the killed sweep in this folder")
    tune.add_argument("--parallel", type=int, metavar="N", help="trials at a time; default: all that there is room for")
    tune.set_defaults(call=_tune)


def _add_report(verbs: _Verbs) -> None:
    report = verbs.add_parser("report", help="write one HTML file about a run, a comparison or a sweep")
    report.add_argument("source", help="run folder, folder of a sweep, or the folder or table.parquet of a comparison")
    report.add_argument("--out", metavar="FILE", help="default: report.html beside it")
    report.set_defaults(call=_report)


def _add_doctor(verbs: _Verbs) -> None:
    doctor = verbs.add_parser("doctor", help="measure what bounds a run on this cluster, and say what to change")
    doctor.add_argument("config", help="a YAML file, or the folder of a prepared data set to use the defaults for")
    doctor.add_argument("overrides", nargs="*", metavar="section.key=value", help="for example train.batch_size=64")
    doctor.add_argument("--seconds", type=float, metavar="S", help="for each stage; default: 2")
    doctor.add_argument("--json", action="store_true", help="print all numbers as JSON")
    doctor.set_defaults(call=_doctor)


def _add_submit(verbs: _Verbs) -> None:
    submit = verbs.add_parser("submit", help="run a verb as a job of a Ray cluster: d2ace submit -- train ...")
    submit.add_argument(
        "command", nargs="*", metavar="VERB ...", help="after --; paths are the cluster's, YAML is sent"
    )
    add = submit.add_argument
    add("--address", metavar="URL", help="http://HOST:PORT of the dashboard; default: RAY_API_SERVER_ADDRESS")
    add("--wheel", metavar="FILE", help="send the code of this wheel; default: the code that runs here")
    add("--no-wait", action="store_true", help="print the job's id and leave")
    add("--out", metavar="FOLDER", help="for the results of a job that succeeded; default: runs/JOB")
    add("--stop-on-interrupt", action="store_true", help="Ctrl-C stops the job, not only following it")
    instead = submit.add_mutually_exclusive_group()
    instead.add_argument("--follow", metavar="JOB", help="follow a job that is there, and fetch its results")
    instead.add_argument("--cancel", metavar="JOB", help="stop a job that is there")
    submit.set_defaults(call=_submit)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _prepare(options: argparse.Namespace) -> None:
    from .data import digit_scenes
    from .data.prepare import prepare

    known = set(inspect.signature(prepare).parameters) - {"source", "out"}
    chosen = {key: value for key, value in vars(options).items() if key in known and value is not None}
    if options.source == "digit-scenes":
        if surplus := set(chosen) - {"overwrite"}:
            raise DataError(f"digit-scenes is made, not read: it takes no --{min(surplus).replace('_', '-')}")
        manifest = digit_scenes.build(options.out, **chosen)
    else:
        manifest = prepare(options.source, options.out, **chosen)
    splits = ", ".join(f"{name or 'no split'} {rows}" for name, rows in manifest.splits.items() if rows)
    print(f"{manifest.rows} rows ({splits}), {manifest.n_labels} labels, {manifest.cardinality:.3f} labels a row")
    for name, effect in manifest.filters.items():
        print(f"filter {name}: {effect}")
    print(f"prepared data set: {options.out}")


def _train(options: argparse.Namespace) -> None:
    from .train import fit, resume

    if options.resume:
        if options.config:
            raise ConfigError("train --resume takes the run's own configuration; only --workers may change")
        result = resume(options.resume, workers=options.workers)
    elif not options.config:
        raise ConfigError("train needs a YAML file, a prepared data set, or --resume RUN")
    else:
        result = fit(_configuration(options))
    print(f"best epoch {result.best_epoch + 1} of {len(result.history)}, {result.seconds:.1f} s in all")
    for name, value in result.test.items():
        print(f"test {name:<18} {value:.4f}")
    print(f"run folder: {result.folder}")


def _configuration(options: argparse.Namespace) -> "Config":
    """Return what a YAML file, or the folder of a prepared data set, and overrides say."""
    from .config import Config

    if Path(options.config).is_dir():
        return Config.make({"data": {"path": options.config}}).with_overrides(options.overrides)
    return Config.load(options.config, options.overrides)


def _evaluate(options: argparse.Namespace) -> None:
    from .evaluation import evaluate

    print(json.dumps(evaluate(options.run, options.data, split=options.split), indent=2))


def _predict(options: argparse.Namespace) -> None:
    from .prediction import predict

    print(f"predictions: {predict(options.run, options.data, options.out)}")


def _explain(options: argparse.Namespace) -> None:
    from .explanation import explain

    print(explain(options.run, options.row, options.epoch))


def _simulate(options: argparse.Namespace) -> None:
    from .config import apply_overrides
    from .simulation import simulate

    print(simulate(options.run, options.method, apply_overrides({}, options.option)))


def _compare(options: argparse.Namespace) -> None:
    from .compare import Study, compare, compare_methods

    study = Study.load(options.study)
    bounds = {key: getattr(options, key) for key in ("parallel", "limit", "minutes")}
    table = compare(study, options.out, **bounds)
    for metric in options.metric or ("macro_auc", "map"):
        print(f"\n{compare_methods(table, metric, study.reference)}")
    print(f"\ntable: {Path(options.out) / 'table.parquet'}")


def _tune(options: argparse.Namespace) -> None:
    from .report import report
    from .tune import SweepFolder, describe, resume_sweep, tune

    out = options.resume or options.out
    if out is None or (options.resume and options.sweep):
        raise ConfigError("tune needs a YAML file and a folder, or --resume OUT, or report OUT")
    if options.resume:
        resume_sweep(out, parallel=options.parallel)
    elif options.sweep != "report":
        tune(options.sweep, out, parallel=options.parallel)
    folder = SweepFolder(Path(out))
    print(describe(folder.sweep, folder.table))
    print(f"report: {report(out)}\nbest settings: {folder.path / 'best.yaml'}")


def _report(options: argparse.Namespace) -> None:
    from .report import report

    print(f"report: {report(options.source, options.out)}")


def _doctor(options: argparse.Namespace) -> None:
    from .doctor import as_json, as_text, examine

    budget = {} if options.seconds is None else {"budget_s": options.seconds}
    findings = examine(_configuration(options), **budget)
    print(json.dumps(as_json(findings), indent=2) if options.json else as_text(findings))


def _submit(options: argparse.Namespace) -> int:
    from .submission import cancel, follow, submit

    job = options.cancel or options.follow
    if bool(job) == bool(options.command):
        raise ConfigError("submit takes either -- VERB ..., or --follow JOB, or --cancel JOB")
    if options.cancel:
        cancel(job, address=options.address)
        print(f"job {job} has ended")
        return 0
    if not job:
        _check_submitted(_parser().parse_args(options.command))  # a typo is told here, not by the job
        job = submit(options.command, address=options.address, wheel=options.wheel)
        print(job, file=sys.stdout if options.no_wait else sys.stderr)
    if options.no_wait:
        return 0
    return follow(job, address=options.address, out=options.out, stop_on_interrupt=options.stop_on_interrupt)


def _check_submitted(options: argparse.Namespace) -> None:
    if options.call is _submit:
        raise ConfigError("submit cannot be submitted")
    out = getattr(options, "out", None)
    if out and not Path(out).is_absolute():
        raise ConfigError(
            f"submit needs an absolute path of the cluster, got {out}: a relative one is lost with the job"
        )


def _methods(_: argparse.Namespace) -> None:
    from . import models

    for name in selectors.names():
        print(f"{name}: {(inspect.getdoc(selectors.get(name)) or '').splitlines()[0]}")
        for key, parameter in selectors.options(name).items():
            print(f"    selector.options.{key} = {parameter.default!r}")
    for name in models.names():
        print(f"{name}: {(inspect.getdoc(models.get(name)) or '').splitlines()[0]}")


def _demo(options: argparse.Namespace) -> None:
    from .demo import comparison_table, demo

    results = demo(options.data, overrides=options.overrides)
    print("\n" + comparison_table(results))
    for method, result in results.items():
        print(f"run folder of {method}: {result.folder}")


if __name__ == "__main__":
    sys.exit(main())
