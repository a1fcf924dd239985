"""The way back: files through the log of a job."""

import base64
import io
import random
import subprocess
import sys
import zipfile

import pytest

from d2ace.pipeline.command.jobs import result_files as results
from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.common.storage.any_path import any_path


def write(folder, **files: bytes):
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_bytes(content)
    return folder


def contents(folder) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_a_job_says_it_wrote():
    log = (
        "2026 INFO run folder: not at the start of the line\n"
        "run folder of uniform: /mnt/runs/u\nrun folder of d2ace: /mnt/runs/d 1\nrun folder: /mnt/runs/u\n"
        "\ntable: /mnt/comparisons/first/table.parquet\n"
        "report: /mnt/sweep/report.html\nbest settings: /mnt/sweep/best.yaml\n"
    )
    assert results.announced(log) == ["/mnt/runs/u", "/mnt/runs/d 1", "/mnt/comparisons/first", "/mnt/sweep"]
    assert results.announced("nothing\n") == []


def test_a_job_that_reports_on_a_run_brings_the_report_home():
    assert results.announced("report: /mnt/runs/first/report.html\n") == ["/mnt/runs/first"]
    assert results.announced("report: /mnt/shown.html\n") == []  # of another name, which is not fetched


def test_small_files_come_back_as_they_were_and_big_ones_stay(tmp_path):
    noise = random.Random(0).randbytes(200_000)
    run = write(tmp_path / "run", result_json=b"{}", metrics_jsonl=b"", table_parquet=noise, model_pt=b"weights")
    log = f"Ray says something\n{results.archive([run])}\nand something more\n"
    paths = results.unpack(log, tmp_path / "back")
    assert contents(tmp_path / "back") == {"result.json": b"{}", "metrics.jsonl": b"", "table.parquet": noise}
    assert set(paths) == set((tmp_path / "back").iterdir())


def test_files_of_a_run_in_a_bucket_come_back_by_the_address_that_the_job_said(bucket, tmp_path):
    address = bucket.address("b/runs/one")
    place = any_path(address)
    for name in ("result.json", "report.html", "model.pt"):
        (place / name).write(name.encode())
    report = f"report: {place / 'report.html'}"
    assert results.announced(f"run folder: {address}\n{report}\n") == [address, "s3://b/runs/one"]
    results.unpack(results.archive([address]), tmp_path)
    assert contents(tmp_path) == {"result.json": b"result.json", "report.html": b"report.html"}


def test_several_folders_keep_their_names(tmp_path):
    folders = [write(tmp_path / name, result_json=name.encode()) for name in ("a", "b")]
    results.unpack(results.archive(folders), tmp_path / "back")
    assert contents(tmp_path / "back") == {"a/result.json": b"a", "b/result.json": b"b"}


def test_too_much_is_not_sent(tmp_path, monkeypatch):
    run = write(tmp_path / "run", metrics_jsonl=b"12345", result_json=b"6")
    monkeypatch.setattr(results, "LIMIT", 6)
    results.archive([run])
    monkeypatch.setattr(results, "LIMIT", 5)
    with pytest.raises(RunError, match=r"copy .*run from the cluster's storage"):
        results.archive([run])


def test_a_folder_without_results_is_named(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", results.MODULE, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0  # nothing failed in Ray's list of jobs; the client says what there is to say
    assert done.stdout.startswith(f"{tmp_path}: no results are there")
    with pytest.raises(RunError, match=r"no results came: .*no results are there; are the paths absolute and shared"):
        results.unpack(done.stdout, tmp_path)


def test_a_log_that_broke_off_is_refused(tmp_path):
    whole = results.archive([write(tmp_path / "run", result_json=b"{}" * 500)])
    with pytest.raises(RunError, match="no results came"):
        results.unpack(whole.removesuffix(results.END), tmp_path / "back")
    middle = len(whole) // 2
    with pytest.raises(RunError, match="damaged"):
        results.unpack(whole[: middle - 50] + whole[middle:], tmp_path / "back")
    with pytest.raises(RunError, match="no results came: d2ace: error: gone"):
        results.unpack("first\nd2ace: error: gone\n", tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize(
    "name", ["../result.json", "/tmp/result.json", "a/b/result.json", "model.pt", "a/../result.json"]
)
def test_an_archive_holds_files_of_results_and_nothing_else(tmp_path, name):
    with pytest.raises(RunError, match="which is no file of results"):
        results.unpack(log_of({name: b"x"}), tmp_path / "back")
    assert not list(tmp_path.rglob("*"))


def test_an_archive_that_unpacks_to_more_than_may_come_is_not_unpacked(tmp_path):
    with pytest.raises(RunError, match=r"unpack to 34\.0 MiB, more than 32 MiB"):
        results.unpack(log_of({"result.json": bytes(34 << 20)}), tmp_path / "back")
    assert not list(tmp_path.rglob("*"))


def log_of(files: dict[str, bytes]) -> str:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return f"{results.BEGIN}\n{base64.encodebytes(buffer.getvalue()).decode()}{results.END}"
