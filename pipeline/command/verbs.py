"""What each verb of the ``d2ace`` command does: calls one function and prints what it gave. No work of its own."""

import argparse
import inspect
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from ...selectors.common.errors import SelectionError
from ..common.errors import ConfigError, DataError, RunError
from ..common.stages import stage
from ..common.storage.addresses import redacted
from ..common.storage.any_path import address_of, place_of
from ..runs.opening import require_run
from .settings import read_configuration, read_sequence, read_study, read_sweep

if TYPE_CHECKING:
    from ..data.manifest import Manifest


def run_prepare(options: argparse.Namespace) -> None:
    """Prepare a data set."""
    with stage(f"reading {redacted(options.source)}"):
        manifest = _prepared(options)
    from ..data.from_images.outcome import REJECTED_FILE
    from ..data.summary import read_summary, summarise
    from ..data.summary_text import summary_text

    print(summary_text(manifest, read_summary(manifest) or summarise(manifest)))
    for name, effect in manifest.filters.items():
        print(f"filter {name}: {effect}")
    if "rejected" in manifest.filters:
        print(f"rejected images and the reasons: {manifest.folder / REJECTED_FILE}")
    print(f"prepared data set: {options.out}")


def _prepared(options: argparse.Namespace) -> "Manifest":
    """Prepare what the options say, of whichever kind; returns its manifest."""
    from ..data import digit_scenes
    from ..data.audited import audited
    from ..data.from_images.prepare import FORMATS, prepare_images
    from ..data.from_tables.prepare import prepare
    from ..data.hidden import with_hidden_positives

    plain = ("source", "out", "call", "debug")
    chosen = {key: value for key, value in vars(options).items() if key not in plain and value is not None}
    if options.source == "digit-scenes":
        _refuse_surplus(chosen, {"overwrite"}, "digit-scenes is made, not read: it takes no")
        return digit_scenes.build(options.out, **chosen)
    if options.verdicts:
        _refuse_surplus(chosen, {"verdicts", "overwrite"}, "a prepared data set with --verdicts takes no")
        return audited(options.source, options.out, **chosen)
    if (share := chosen.pop("hide_positives", None)) is not None:
        _refuse_surplus(chosen, {"overwrite"}, "a prepared data set with --hide-positives takes no")
        return with_hidden_positives(options.source, options.out, share, **chosen)
    images = options.format in FORMATS
    build: Callable[..., Manifest] = prepare_images if images else prepare
    what = f"format {options.format} takes no" if images else "only images, with their --format, take"
    _refuse_surplus(chosen, set(inspect.signature(build).parameters), what)
    return build(options.source, options.out, **chosen)


def _refuse_surplus(chosen: Mapping[str, Any], known: set[str], what: str) -> None:
    if surplus := set(chosen) - known:
        raise DataError(f"{what} --{min(surplus).replace('_', '-')}")


def run_train(options: argparse.Namespace) -> None:
    """Train, or go on with a run."""
    if options.resume:
        overrides = [options.config, *options.overrides] if options.config else []
        if odd := [word for word in overrides if "=" not in word]:
            raise ConfigError(f"train --resume takes the run's own configuration, and overrides; got {odd[0]}")
        run = require_run(options.resume)
        with _loading():
            from ..training.driver import resume
        result = resume(run, workers=options.workers, overrides=overrides, data=options.data)
    elif options.data:
        raise ConfigError("train --data goes with --resume RUN: it says where that run's data lies now")
    elif not options.config:
        raise ConfigError("train needs a YAML file, a prepared data set, or --resume RUN")
    else:
        config = read_configuration(options)
        with _loading():
            from ..training.driver import fit
        result = fit(config)
    early = " (stopped early)" if result.stopped_early else ""
    print(f"best epoch {result.best_epoch + 1} of {len(result.history)}{early}, {result.seconds:.1f} s in all")
    for name, value in result.test.items():
        print(f"test {name:<18} {value:.4f}")
    print(f"run folder: {address_of(result.folder)}")


def _loading() -> AbstractContextManager[object]:
    """Give the first word before imports that take seconds."""
    return stage("loading PyTorch and Ray")


def run_evaluate(options: argparse.Namespace) -> None:
    """Print the metrics of a run."""
    require_run(options.run)
    with _loading():
        from ..common.storage.json_files import as_json
        from ..results.evaluation import evaluate

    print(as_json(evaluate(options.run, options.data, split=options.split), indent=2))


def run_predict(options: argparse.Namespace) -> None:
    """Write predictions."""
    require_run(options.run)
    with _loading():
        from ..results.prediction import TableOptions, predict
        from ..results.prediction.output import Output

    given = {name: getattr(options, name) for name in ("id_column", "split_column", "delimiter", "decimal", "encoding")}
    tables = TableOptions(**{name: value for name, value in given.items() if value is not None})
    bounds = {"top": options.top, "threshold": options.threshold, "page": options.page}
    out = predict(options.run, options.source, options.out, tables=tables, **bounds)
    print(f"predictions: {address_of(out)}")
    if options.page:
        print(f"page: {address_of(Output(out).page / 'index.html')}")


def run_decide(options: argparse.Namespace) -> None:
    """Choose thresholds and a calibration, and print what they are worth."""
    require_run(options.run)
    with _loading():
        from ..results.decisions import decide
        from ..results.decisions.wording import describe

    found = decide(options.run, rule=options.rule, calibration=options.calibration, data=options.data)
    print(f"{describe(found)}\n\ndecisions: {place_of(options.run) / 'decisions.json'}")


def run_export(options: argparse.Namespace) -> None:
    """Write a run's network for other programs."""
    require_run(options.run)
    with _loading():
        from ..results.export import export

    print(export(options.run, options.out, data=options.data))


def run_explain(options: argparse.Namespace) -> None:
    """Say why a row was or was not drawn."""
    require_run(options.run)
    with _loading():
        from ..results.explanation import explain

    epoch = options.epoch
    if epoch is not None and epoch < 1:
        raise ConfigError(f"--epoch counts from 1, as everything that is shown, got {epoch}")
    print(explain(options.run, options.row, None if epoch is None else epoch - 1, data=options.data))


def run_simulate(options: argparse.Namespace) -> None:
    """Replay a run through another method."""
    require_run(options.run)
    with _loading():
        from ..common.config.overrides import apply_overrides
        from ..results.simulation import simulate

    print(simulate(options.run, options.method, apply_overrides({}, options.option), data=options.data))


def run_audit(options: argparse.Namespace) -> None:
    """List labels that may be missing or wrong."""
    require_run(options.run)
    with _loading():
        from ..results.audit import audit

    bounds = {"top": options.top, "suspects": options.suspects, "labels": options.label, "data": options.data}
    found = audit(options.run, options.out, **bounds)
    print(f"{found}\n\nsuspects: {found.out / 'suspects.csv'}\npage: {found.out / 'audit.html'}")


def run_choose(options: argparse.Namespace) -> None:
    """Choose a method, and print what was chosen and why."""
    config = read_configuration(options)
    with _loading():
        from ..results.report import report
        from ..studies.choose import choose, describe

    given = {"budget": options.budget, "repeats": options.repeats}
    bounds = {name: value for name, value in given.items() if value is not None}
    choice = choose(config, options.out, methods=options.method, **bounds)
    print(f"\n{describe(choice)}\n\nreport: {address_of(report(options.out))}")
    print(f"configuration: {address_of(place_of(options.out) / 'chosen.yaml')}")


def run_compare(options: argparse.Namespace) -> None:
    """Run a study and print what may be concluded."""
    study = read_study(options)
    with _loading():
        from ..studies.compare import compare, compare_methods, summary

    bounds = {key: getattr(options, key) for key in ("parallel", "limit", "minutes")}
    table = compare(study, options.out, **bounds)
    if table.empty:
        print("\nno arm has all its tuning runs yet; the same command goes on with them")
        return
    for metric in options.metric or ("macro_auc", "map"):
        print(f"\n{summary.text(compare_methods(table, metric, study.reference))}")
    print(f"\ntable: {address_of(place_of(options.out) / 'table.parquet')}")


def run_tune(options: argparse.Namespace) -> None:
    """Run a sweep, go on with one, or write its report anew."""
    out = options.resume or options.out
    if out is None or (options.resume and options.sweep):
        raise ConfigError("tune needs a YAML file and a folder, or --resume OUT, or report OUT")
    if options.data and not options.resume:
        raise ConfigError("tune --data goes with --resume OUT: it says where that sweep's data lies now")
    sweep = None if options.resume or options.sweep == "report" else read_sweep(options.sweep)
    with _loading():
        from ..results.report import report
        from ..studies.tune import SweepFolder, describe, resume_sweep, tune

    if options.resume:
        resume_sweep(out, parallel=options.parallel, data=options.data)
    elif sweep is not None:
        tune(sweep, out, parallel=options.parallel)
    folder = SweepFolder(place_of(out))
    print(describe(folder.sweep, folder.table))
    print(f"report: {address_of(report(out))}\nbest settings: {address_of(folder.path / 'best.yaml')}")


def run_incremental(options: argparse.Namespace) -> None:
    """Learn the tasks of a sequence, or the sequences of a study, and print what they came to."""
    given = read_sequence(options)
    with _loading():
        from ..results.report import report
        from ..studies.incremental import SequenceStudy, describe, describe_study, incremental, run_study

    if isinstance(given, SequenceStudy):
        outcomes = run_study(given, options.out, parallel=options.parallel or 1, minutes=options.minutes)
        print(f"\n{describe_study(outcomes, given.reference)}\n\nreport: {address_of(report(options.out))}")
        return
    outcome = incremental(given, options.out, go_on=options.go_on)
    print(f"\n{describe(outcome)}\n\noutcome: {address_of(place_of(options.out) / 'outcome.json')}")


def run_report(options: argparse.Namespace) -> None:
    """Write the report of a run, a comparison or a sweep."""
    with _loading():
        from ..results.report import report

    print(f"report: {address_of(report(options.source, options.out, data=options.data))}")


def run_doctor(options: argparse.Namespace) -> None:
    """Print what bounds a run."""
    config = read_configuration(options)
    with _loading():
        from ..common.storage import json_files
        from ..training.doctor import as_json, as_text, examine

    budget = {} if options.seconds is None else {"budget_s": options.seconds}
    findings = examine(config, **budget)
    print(json_files.as_json(as_json(findings), indent=2) if options.json else as_text(findings))


def run_submit(options: argparse.Namespace) -> int:
    """Submit a verb as a job, or follow or cancel one; returns the exit code."""
    job = options.cancel or options.follow
    if bool(job) == bool(options.command):
        raise ConfigError("submit takes either -- VERB ..., or --follow JOB, or --cancel JOB")
    if job and options.dry_run:
        raise ConfigError("submit --dry-run lists what -- VERB ... would send; --follow and --cancel send nothing")
    with stage("looking at the job" if job else "checking what would be sent"):
        from .jobs import cancel, check_command, dry_run, follow, submit
    if options.cancel:
        print(cancel(job, address=options.address))
        return 0
    if not job:
        submitted = options.parse(options.command)  # a typo is told here, not by the job
        if submitted.call is run_submit:
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


def run_errors(options: argparse.Namespace) -> None:
    """Find what a run is most wrong on, print the worst and write a page."""
    require_run(options.run)
    with _loading():
        from ..results.errors import errors
        from ..results.errors.text import errors_text

    bounds = {"top": options.top, "slice_by": options.slice_by, "data": options.data}
    page, found = errors(options.run, options.out, **bounds)
    print(f"{errors_text(found)}\n\npage: {page}")


def run_diff(options: argparse.Namespace) -> None:
    """Compare two runs row by row and label by label, print the changes and write a page."""
    runs = [require_run(run) for run in (options.first, options.second)]
    with _loading():
        from ..results.errors import diff
        from ..results.errors.text import difference_text

    bounds = {"split": options.split, "top": options.top, "data": options.data}
    page, found = diff(runs[0], runs[1], options.out, **bounds)
    print(f"{difference_text(found, [run.name for run in runs])}\n\npage: {page}")


def run_runs(options: argparse.Namespace) -> None:
    """List the runs in a folder."""
    from ..results.overview import overviews, run_table

    found = overviews(place_of(options.folder))
    if not found:
        raise RunError(f"{options.folder}: no runs lie there; run.storage of their configurations says where they are")
    print(run_table(found))


def run_show(options: argparse.Namespace) -> None:
    """Tell what a run is and has reached."""
    from ..results.overview import Overview
    from ..results.overview_text import overview_text

    print(overview_text(Overview.read(require_run(options.run))))


def run_completion(options: argparse.Namespace) -> None:
    """Print a shell's completion of the command."""
    from .completion import script

    print(script(options.parser(), options.shell))


def run_check_method(options: argparse.Namespace) -> None:
    """Try the contract of selection methods on one, case by case; raises SelectionError when it does not keep it."""
    from ...selectors.contract.suite import CASES, Subject, verdicts
    from ..common.config.overrides import apply_overrides

    broken = 0
    for verdict in verdicts(Subject(options.method, apply_overrides({}, options.option))):
        print(f"ok      {verdict.case}" if verdict.trouble is None else f"BROKEN  {verdict.case}: {verdict.trouble}")
        broken += verdict.trouble is not None
    if broken:
        error = SelectionError(f"{options.method} breaks {broken} of the {len(CASES)} cases of the contract")
        error.add_note("put right what BROKEN lines say")
        raise error
    print(f"{options.method} keeps the contract: {len(CASES)} cases")


def run_methods(_: argparse.Namespace) -> None:
    """List selection methods, entry policies and incremental methods with their settings, and networks."""
    with _loading():
        from ...selectors import api as selectors
        from ...selectors.entries import api as policies
        from .. import models
        from ..studies.incremental.methods import api as incremental

    for name in selectors.names():
        print(f"{name}: {(inspect.getdoc(selectors.get(name)) or '').splitlines()[0]}")
        for key, parameter in selectors.options(name).items():
            print(f"    selector.options.{key} = {parameter.default!r}")
        for preset, values in selectors.get(name).presets.items():
            told = ", ".join(f"{key}={value}" for key, value in values.items())
            print(f"    selector.preset={preset}: {told}")
    for name in policies.names():
        print(f"{name}: {(inspect.getdoc(policies.REGISTRY.find(name)) or '').splitlines()[0]}")
        for key, parameter in policies.options(name).items():
            print(f"    selector.entries.options.{key} = {parameter.default!r}")
    for name in incremental.names():
        print(f"{name}: {(inspect.getdoc(incremental.REGISTRY.find(name)) or '').splitlines()[0]}")
        for key, parameter in incremental.options(name).items():
            print(f"    method.options.{key} = {parameter.default!r}")
    for name in models.names():
        print(f"{name}: {(inspect.getdoc(models.get(name)) or '').splitlines()[0]}")


def run_demo(options: argparse.Namespace) -> None:
    """Train on digit-scenes of which labels are hidden, and say what was won back and found."""
    with _loading():
        from .demo import demo
        from .demo_text import demo_text

    print("\n" + demo_text(*demo(options.data, overrides=options.overrides)))
