"""The section of other pages in the report of a run in a bucket."""

from d2ace.pipeline.common.storage.any_path import any_path
from d2ace.pipeline.results.report.pages_section import _link, _pages


def test_pages_beside_the_report_are_links_and_pages_elsewhere_are_named(bucket, tmp_path):
    run = any_path(bucket.address("b/runs/one"))
    for name in ("errors.html", "diff-a b.html", "audit/audit.html", "report.html"):
        (run / name).write(b"")
    names = [name for name, _ in _pages(run)]
    assert names == ["errors.html", "diff-a b.html", "audit/audit.html"]
    links = [str(_link(run / name, run / "report.html")) for name in names]
    assert [link.partition('"')[2].partition('"')[0] for link in links] == [
        "errors.html",
        "diff-a%20b.html",
        "audit/audit.html",
    ]
    assert "s3://b/runs/one/errors.html" in str(_link(run / "errors.html", tmp_path / "report.html"))
    assert "href" not in str(_link(run / "errors.html", tmp_path / "report.html"))
