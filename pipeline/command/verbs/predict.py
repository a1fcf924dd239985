"""``d2ace predict``: writes probabilities and labels of rows."""

import argparse

from ...common.storage.any_path import address_of
from ...runs.opening import require_run
from ..loading import loading
from ..parser import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
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
    predict.set_defaults(call=run)


def run(options: argparse.Namespace) -> None:
    """Write predictions."""
    require_run(options.run)
    with loading():
        from ...results.prediction import TableOptions, predict
        from ...results.prediction.output import Output

    given = {name: getattr(options, name) for name in ("id_column", "split_column", "delimiter", "decimal", "encoding")}
    tables = TableOptions(**{name: value for name, value in given.items() if value is not None})
    bounds = {"top": options.top, "threshold": options.threshold, "page": options.page}
    out = predict(options.run, options.source, options.out, tables=tables, **bounds)
    print(f"predictions: {address_of(out)}")
    if options.page:
        print(f"page: {address_of(Output(out).page / 'index.html')}")
