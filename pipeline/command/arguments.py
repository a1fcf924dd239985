"""What the ``d2ace`` command takes: its verbs and their arguments."""

import argparse
from typing import Any, TypeAlias

from . import verbs
from .examples import examples_of
from .parser import Parser

_Subparsers: TypeAlias = "argparse._SubParsersAction[Parser]"
_Group: TypeAlias = "argparse._ArgumentGroup"
_MOVED = "where the run's data lies now, if it was moved"
_SPLIT_WORDS = ("train", "training", "val", "valid", "validation", "dev", "test")


def make_parser() -> Parser:
    """Return the parser of the whole command; the options it gives name the verb to call as ``call``."""
    parser = Parser(prog="d2ace", description="Dynamic batch selection for multi-label learning.")
    subparsers = parser.add_subparsers(required=True, metavar="VERB")
    _add_prepare(subparsers)
    _add_train(subparsers)
    _add_evaluate(subparsers)
    _add_decide(subparsers)
    _add_predict(subparsers)
    _add_export(subparsers)
    _add_explain(subparsers)
    _add_simulate(subparsers)
    _add_audit(subparsers)
    _add_choose(subparsers)
    _add_compare(subparsers)
    _add_tune(subparsers)
    _add_incremental(subparsers)
    _add_report(subparsers)
    _add_doctor(subparsers)
    _add_submit(subparsers)
    methods = subparsers.add_parser(
        "methods", help="list selection methods, entry policies, incremental methods and networks with their settings"
    )
    methods.set_defaults(call=verbs.run_methods)
    _add_check_method(subparsers)
    demo = subparsers.add_parser("demo", help="hide half of the labels of digit-scenes, train, and look for them")
    demo.add_argument("--data", default="data/demo", help="folder where the data sets are or will be built")
    demo.add_argument("overrides", nargs="*", metavar="section.key=value")
    demo.set_defaults(call=verbs.run_demo)
    _add_errors(subparsers)
    _add_runs(subparsers)
    _add_completion(subparsers)
    _add_debug(parser, subparsers)
    for name, verb in subparsers.choices.items():
        verb.epilog = examples_of(name)
    parser.epilog = "d2ace VERB --help says what a verb takes, with examples."
    return parser


def _add_debug(parser: Parser, subparsers: _Subparsers) -> None:
    shown = "show the traceback of an error (also: D2ACE_DEBUG=1)"
    parser.add_argument("--debug", action="store_true", help=shown)
    for verb in subparsers.choices.values():
        verb.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=shown)


def _add_prepare(subparsers: _Subparsers) -> None:
    prepare = subparsers.add_parser("prepare", help="turn data into shards with a manifest")
    source = "a file, the stem of STEM-train.arff and STEM-test.arff, or digit-scenes; of images a folder or address"
    prepare.add_argument("source", help=source)
    prepare.add_argument("out", help="folder to write")
    formats = ("auto", "arff", "csv", "tsv", "parquet", "npz")
    images = ("coco", "voc", "image-csv", "webdataset", "huggingface", "open-images", "cvat", "label-studio")
    add = prepare.add_argument
    add("--format", choices=formats + images, help="default: by the file's name; images need one")
    add("--labels", type=_names, metavar="A,B,...", help="names of the label columns, or of the labels")
    add("--label-file", metavar="FILE", help="Mulan's label list, default STEM.xml; of images: one label a line")
    add("--label-prefix", help="columns whose names start like this are labels")
    add("--label-column", help="the column (tar files: suffix, Label Studio: control) that lists each row's labels")
    add("--label-delimiter", help="what separates labels there, or list, or none; default ;")
    add("--split-column", help="the column that says train, validation or test")
    add("--exclude", type=_names, metavar="A,B,...", help="columns to leave out")
    missing = ("error", "absent", "unknown")
    add("--missing-labels", choices=missing, help="what a file means that lacks labels; by default an error")
    add(
        "--unknown", type=_names, metavar="TEXT,...", help="cells of labels that nobody knows: '' for empty, nan, -1, ?"
    )
    add("--soft-labels", action="store_true", default=None, help="values between 0 and 1 are labels")
    add("--assume-negative", action="store_true", default=None, help="take every unknown label for 0")
    add("--encoding", help="of text files; default utf-8")
    add("--min-positives", type=int, metavar="N", help="drop labels with N positives or fewer")
    add("--drop-unlabelled", action="store_true", default=None, help="drop rows without labels")
    add("--verdicts", metavar="FILE", help="SOURCE is a prepared data set: put right what this CSV file decides")
    hide = "SOURCE is a prepared data set: take this share of the positives away, but for those of test rows"
    add("--hide-positives", type=float, metavar="SHARE", help=hide)
    add("--overwrite", action="store_true", default=None, help="replace a prepared data set at OUT")
    _add_table_options(prepare.add_argument_group("tables"))
    _add_image_options(prepare.add_argument_group("images"))
    prepare.set_defaults(call=verbs.run_prepare)


def _add_table_options(group: _Group) -> None:
    add = group.add_argument
    add("--validation", metavar="FILE", help="validation rows; SOURCE then holds the training rows")
    add("--test", metavar="FILE", help="test rows, likewise")
    add("--labels-of", metavar="PREPARED", help="the labels are those of this prepared data set")
    add("--label-mask", metavar="FILE", help="CSV or NPZ in the shape of the labels: 1 known, 0 unknown")
    add("--index", choices=("auto", "keep", "drop"), help="what becomes of a saved row index; default auto")
    add("--delimiter", metavar="C", help="what separates the fields of a CSV or TSV file")
    add("--decimal", choices=(".", ","), help="what stands before the fraction of a number there; default .")
    add("--kind", choices=("auto", "dense", "sparse"), help="how to store features")
    add("--top-features", type=float, metavar="SHARE", help="keep this share of the features, by column sum")


def _add_image_options(group: _Group) -> None:
    add = group.add_argument
    add("--files", action=_PerSplit, metavar="[SPLIT=]PATTERN", help="what names or holds the images, below SOURCE")
    add("--images", action=_PerSplit, metavar="[SPLIT=]FOLDER", help="where the images are, below SOURCE")
    add("--path-column", help="the column (Label Studio: the key) with the image's path; default: the first")
    add("--image-column", help="the column (in tar files: the suffix) that holds the image")
    add("--label-lists", choices=("multi-hot", "indices"), help="what lists of 0 and 1 are: a mark a label, or numbers")
    add("--label-key", help="key of the labels in JSON members of tar files; default labels")
    add("--difficult", choices=("keep", "drop"), help="labels of objects that VOC marks difficult; default keep")
    add("--confidence", type=float, help="the least that makes an Open Images label count; default 0.5")
    add(
        "--unlisted",
        choices=("negative", "unknown"),
        help="labels not named for an Open Images or COCO image; negative",
    )
    add("--short-side", type=int, metavar="PIXELS", help="scale larger images down to this")
    add("--quality", type=int, help="of JPEGs that are made; default 95")
    add("--max-pixels", type=int, metavar="N", help="larger images are bad; default 100 million")
    add("--odd-images", choices=("convert", "bad"), help="CMYK, 16 bit, animated and the like; default convert")
    add("--on-error", choices=("fail", "reject"), help="at a bad image; reject lists it and goes on; default fail")
    add("--shard-mb", type=float, metavar="MB", help="about the size of a shard; default 256")


class _PerSplit(argparse.Action):
    """Collects [SPLIT=]VALUE into a mapping from split to value."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        word, sign, value = values.partition("=")
        if not sign or word.lower() not in _SPLIT_WORDS:
            word, value = "", values
        found = getattr(namespace, self.dest) or {}
        if word in found:
            parser.error(f"{option} is given twice for {word or 'no split'}")
        setattr(namespace, self.dest, {**found, word: value})


def _add_train(subparsers: _Subparsers) -> None:
    train = subparsers.add_parser("train", help="train a model as configured, or go on with a killed run")
    train.add_argument(
        "config", nargs="?", help="a YAML file, or the folder of a prepared data set to use the defaults for"
    )
    train.add_argument("overrides", nargs="*", metavar="section.key=value", help="for example train.epochs=20")
    train.add_argument("--resume", metavar="RUN", help="go on with this run; train.epochs=N gives it more")
    train.add_argument("--workers", type=int, help="with --resume: another number of workers")
    train.add_argument("--data", metavar="PATH", help=f"with --resume: {_MOVED}")
    train.set_defaults(call=verbs.run_train)


def _add_errors(subparsers: _Subparsers) -> None:
    top = "how many rows to show; default 24"
    errors = subparsers.add_parser("errors", help="write a page on the rows and labels that a run is most wrong on")
    errors.add_argument("run", help="run folder")
    errors.add_argument("--out", metavar="FILE", help="default: errors.html in the run folder")
    by = "count errors by a feature of the table, or by a column of a CSV file that has a column row"
    errors.add_argument("--slice", dest="slice_by", metavar="[FILE.csv:]COLUMN", help=by)
    errors.add_argument("--top", type=int, default=24, metavar="N", help=top)
    errors.add_argument("--data", metavar="PATH", help=_MOVED)
    errors.set_defaults(call=verbs.run_errors)
    diff = subparsers.add_parser("diff", help="say which labels and rows a run does better or worse than another")
    diff.add_argument("first", help="run folder")
    diff.add_argument("second", help="another, of the same data: what is better is better in this one")
    diff.add_argument("--split", default="test", choices=("validation", "test"))
    diff.add_argument("--out", metavar="FILE", help="default: diff-FIRST.html in the folder of the second")
    diff.add_argument("--top", type=int, default=24, metavar="N", help=top)
    diff.add_argument("--data", metavar="PATH", help=_MOVED)
    diff.set_defaults(call=verbs.run_diff)


def _add_runs(subparsers: _Subparsers) -> None:
    runs = subparsers.add_parser("runs", help="list the runs in a folder: state, data, method, best value")
    runs.add_argument("folder", nargs="?", default="runs", help="default: runs")
    runs.set_defaults(call=verbs.run_runs)
    show = subparsers.add_parser("show", help="tell what a run is and has reached, on a page of text")
    show.add_argument("run", help="run folder")
    show.set_defaults(call=verbs.run_show)


def _add_completion(subparsers: _Subparsers) -> None:
    completion = subparsers.add_parser("completion", help="print what a shell needs to complete d2ace")
    completion.add_argument("shell", choices=("bash", "zsh"))
    completion.set_defaults(call=verbs.run_completion, parser=make_parser)


def _add_evaluate(subparsers: _Subparsers) -> None:
    evaluate = subparsers.add_parser("evaluate", help="print the metrics of a run as JSON")
    evaluate.add_argument("run", help="run folder")
    evaluate.add_argument("--data", metavar="PATH", help=f"another prepared data set, or {_MOVED}")
    evaluate.add_argument("--split", default="test", choices=("train", "validation", "test", "all"))
    evaluate.set_defaults(call=verbs.run_evaluate)


def _add_decide(subparsers: _Subparsers) -> None:
    decide = subparsers.add_parser("decide", help="choose thresholds and calibration of the labels on validation rows")
    decide.add_argument("run", help="run folder")
    rules = "f1 (default), precision=P, recall=R or cardinality: what a label's threshold is chosen for"
    decide.add_argument("--rule", default="f1", metavar="RULE", help=rules)
    decide.add_argument("--calibration", default="platt", choices=("none", "temperature", "platt", "beta"))
    decide.add_argument("--data", metavar="PATH", help=_MOVED)
    decide.set_defaults(call=verbs.run_decide)


def _add_predict(subparsers: _Subparsers) -> None:
    predict = subparsers.add_parser("predict", help="write probabilities and labels of new rows, or of prepared ones")
    add = predict.add_argument
    add("run", help="run folder")
    add("source", help="folder or bucket of images, a table or a folder of tables, or a prepared data set")
    add("out", help="folder to write Parquet files into, or the name of one .parquet or .csv file")
    add("--top", type=int, default=5, metavar="K", help="name the K most probable labels of each row; default 5")
    add("--threshold", type=float, metavar="P", help="for all labels; default: what decide chose, or train.threshold")
    page = "an HTML page with the first N images (1000), to look through"
    add("--page", type=int, nargs="?", default=0, const=1000, metavar="N", help=page)
    add("--id-column", metavar="COLUMN", help="of a CSV, TSV or Parquet file: names its rows")
    add("--split-column", metavar="COLUMN", help="there: says train, validation or test")
    add("--delimiter", metavar="C", help="what separates the fields of a CSV or TSV file")
    add("--decimal", choices=(".", ","), help="what stands before the fraction of a number there; default .")
    add("--encoding", help="of text files; default utf-8")
    predict.set_defaults(call=verbs.run_predict)


def _add_export(subparsers: _Subparsers) -> None:
    export = subparsers.add_parser("export", help="write a run's network as ONNX and for torch.export, with a card")
    export.add_argument("run", help="run folder")
    export.add_argument("out", help="folder to write")
    export.add_argument("--data", metavar="PATH", help=_MOVED)
    export.set_defaults(call=verbs.run_export)


def _add_explain(subparsers: _Subparsers) -> None:
    explain = subparsers.add_parser("explain", help="say why a row was or was not drawn in an epoch")
    explain.add_argument("run", help="run folder")
    explain.add_argument("row", type=int, help="row id of a training row, as in RUN/order")
    explain.add_argument("--epoch", type=int, help="counted from 1, as shown; default: the last that can be explained")
    explain.add_argument("--data", metavar="PATH", help=_MOVED)
    explain.set_defaults(call=verbs.run_explain)


def _add_simulate(subparsers: _Subparsers) -> None:
    simulate = subparsers.add_parser("simulate", help="replay a run's recorded observations through another method")
    simulate.add_argument("run", help="folder of a run with run.record_observations=true")
    simulate.add_argument("--method", required=True, help="the other method; d2ace methods lists them")
    simulate.add_argument(
        "--option", action="append", default=[], metavar="key=value", help="a setting; may be repeated"
    )
    simulate.add_argument("--data", metavar="PATH", help=_MOVED)
    simulate.set_defaults(call=verbs.run_simulate)


def _add_check_method(subparsers: _Subparsers) -> None:
    check = subparsers.add_parser("check-method", help="try on a selection method what every one must do, case by case")
    check.add_argument("method", help="package.module:Class, or a name that d2ace methods lists")
    check.add_argument("--option", action="append", default=[], metavar="key=value", help="a setting; may be repeated")
    check.set_defaults(call=verbs.run_check_method)


def _add_audit(subparsers: _Subparsers) -> None:
    audit = subparsers.add_parser("audit", help="list the labels that are most likely missing or wrong, with evidence")
    audit.add_argument("run", help="run folder")
    audit.add_argument("--out", metavar="FOLDER", help="default: audit in the run folder")
    audit.add_argument("--top", type=int, default=200, metavar="N", help="how many of each kind to list; default 200")
    audit.add_argument(
        "--suspects", choices=("missing", "wrong", "both"), help="default: what the run's policy looked for, else both"
    )
    audit.add_argument("--label", action="append", default=[], metavar="NAME", help="only this; may be repeated")
    audit.add_argument("--data", metavar="PATH", help=_MOVED)
    audit.set_defaults(call=verbs.run_audit)


def _add_choose(subparsers: _Subparsers) -> None:
    choose = subparsers.add_parser("choose", help="choose the selection method, if any, for a configuration's data")
    choose.add_argument("config", help="a YAML file, or the folder of a prepared data set to use the defaults for")
    choose.add_argument("out", help="folder of the choice; a killed one goes on there")
    choose.add_argument("overrides", nargs="*", metavar="section.key=value", help="for example train.epochs=20")
    method = "a candidate, with settings of its own; may be repeated; default: one of each kind"
    choose.add_argument("--method", action="append", default=[], metavar="NAME[:KEY=VALUE,...]", help=method)
    choose.add_argument("--budget", type=float, metavar="RUNS", help="what it may cost, in runs; default 2.5")
    repeats = "runs with uniform batches, which show what chance does; default 3"
    choose.add_argument("--repeats", type=int, metavar="N", help=repeats)
    choose.set_defaults(call=verbs.run_choose)


def _add_compare(subparsers: _Subparsers) -> None:
    compare = subparsers.add_parser("compare", help="train what a study compares, and say what may be concluded")
    compare.add_argument("study", help="a YAML file: data sets, networks, methods, folds, seeds")
    compare.add_argument("out", help="folder of the table; a stopped comparison goes on there")
    compare.add_argument("--parallel", type=int, metavar="N", help="runs at a time; default: one a CPU")
    compare.add_argument("--limit", type=int, metavar="N", help="train at most N runs now")
    compare.add_argument("--minutes", type=float, metavar="M", help="start no run after M minutes")
    compare.add_argument("--metric", action="append", help="to print; may be repeated; default: macro_auc and map")
    compare.set_defaults(call=verbs.run_compare)


def _add_tune(subparsers: _Subparsers) -> None:
    tune = subparsers.add_parser("tune", help="search a method's settings; tune report OUT writes the report anew")
    tune.add_argument("sweep", nargs="?", help="a YAML file: configuration, space, trials, scheduler; or: report")
    tune.add_argument("out", nargs="?", help="folder of the sweep, to be made")
    tune.add_argument("--resume", metavar="OUT", help="go on with the killed sweep in this folder")
    tune.add_argument("--parallel", type=int, metavar="N", help="trials at a time; default: all that there is room for")
    tune.add_argument("--data", metavar="PATH", help="with --resume: where the sweep's data lies now, if it was moved")
    tune.set_defaults(call=verbs.run_tune)


def _add_incremental(subparsers: _Subparsers) -> None:
    learn = subparsers.add_parser("incremental", help="learn classes that arrive in tasks, one task after the other")
    learn.add_argument("sequence", help="a YAML file: data, protocol, method, memory; or a study: data, methods, seeds")
    learn.add_argument("out", help="folder of the sequence, to be made, or of the study, which goes on there")
    learn.add_argument("--parallel", type=int, metavar="N", help="of a study: sequences at a time; default: 1")
    learn.add_argument("--minutes", type=float, metavar="M", help="of a study: start no sequence after M minutes")
    go_on = "go on with the killed sequence in that folder"
    learn.add_argument("--resume", dest="go_on", action="store_true", help=go_on)
    learn.set_defaults(call=verbs.run_incremental)


def _add_report(subparsers: _Subparsers) -> None:
    report = subparsers.add_parser("report", help="write one HTML file about a run, a comparison or a sweep")
    report.add_argument("source", help="run folder, folder of a sweep, or the folder or table.parquet of a comparison")
    report.add_argument("--out", metavar="FILE", help="default: report.html beside it")
    report.add_argument("--data", metavar="PATH", help=f"of a run: {_MOVED}")
    report.set_defaults(call=verbs.run_report)


def _add_doctor(subparsers: _Subparsers) -> None:
    doctor = subparsers.add_parser("doctor", help="measure what bounds a run on this cluster, and say what to change")
    doctor.add_argument("config", help="a YAML file, or the folder of a prepared data set to use the defaults for")
    doctor.add_argument("overrides", nargs="*", metavar="section.key=value", help="for example train.batch_size=64")
    doctor.add_argument("--seconds", type=float, metavar="S", help="for each stage; default: 2")
    doctor.add_argument("--json", action="store_true", help="print all numbers as JSON")
    doctor.set_defaults(call=verbs.run_doctor)


def _add_submit(subparsers: _Subparsers) -> None:
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
    submit.set_defaults(call=verbs.run_submit, parse=lambda command: make_parser().parse_args(command))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]
