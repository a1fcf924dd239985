"""The job around the formats: bad images, finished pieces, a killed driver, the command."""

import fcntl
import json
import os
import pickle
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
from buckets import bucket
from forked_workers import CLIENT
from image_files import encode, jpeg, picture, stored, write

from d2ace.pipeline.cli import main
from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.common.storage.locations import Location
from d2ace.pipeline.data.from_images import prepare_images, running
from d2ace.pipeline.data.from_images.partial import partial_path
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.verification import verify

ROOT = Path(__file__).resolve().parents[3]


def make_folder(folder, contents):
    """Write images 0.jpg, 1.jpg, ... with the labels "even" and "odd"."""
    for number, content in enumerate(contents):
        write(folder, f"images/{number}.jpg", content)
    lines = [f"{number}.jpg,{(number + 1) % 2},{number % 2}" for number in range(len(contents))]
    write(folder, "labels.csv", "file,even,odd\n" + "\n".join(lines) + "\n")
    return folder


def prepare_one(folder, out, **options):
    return prepare_images(folder, out, format="image-csv", quiet=True, **options)


@pytest.fixture
def here(monkeypatch):
    """Write all pieces in this process, however many."""
    monkeypatch.setattr(running, "_run_on_ray", running._run_here)


BAD = {1: b"", 3: jpeg(3, size=(96, 64))[:-200], 4: b"<html>", 6: encode(picture(6), "TIFF")[:60]}


@pytest.fixture
def damaged(tmp_path):
    return make_folder(tmp_path / "in", [BAD.get(number, jpeg(number)) for number in range(8)])


def test_the_first_bad_image_stops_it_with_one_message(damaged, tmp_path):
    with pytest.raises(DataError, match=r"in/images: image 'images/1.jpg': empty: 0 bytes"):
        prepare_one(damaged, tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_bad_images_are_left_out_and_listed(damaged, tmp_path):
    (damaged / "images/7.jpg").unlink()
    manifest = prepare_one(damaged, tmp_path / "set", on_error="reject")
    verify(manifest)
    assert manifest.filters == {"rejected": 5}
    assert [row[0] for row in stored(manifest)] == [f"images/{number}.jpg" for number in (0, 2, 5)]
    assert manifest.label_counts == (2, 1)
    listed = pd.read_parquet(tmp_path / "set" / "rejected.parquet")
    assert listed["path"].tolist() == [f"images/{number}.jpg" for number in (7, 1, 3, 4, 6)]
    for words, reason in zip(("is not in", "0 bytes", "truncated", "no image", ""), listed["reason"], strict=True):
        assert words in reason
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == [
        "manifest.json",
        "rejected.parquet",
        "shard-00000.bin",
        "shard-00000.parquet",
    ]


def test_nothing_is_left_when_every_image_is_bad(tmp_path):
    folder = make_folder(tmp_path / "in", [b"", b""])
    with pytest.raises(DataError, match="every image was rejected"):
        prepare_one(folder, tmp_path / "set", on_error="reject")


def test_images_are_prepared_through_a_link_which_stays(tmp_path):
    first = prepare_one(make_folder(tmp_path / "a", [jpeg(0)]), tmp_path / "big" / "set")
    (tmp_path / "link").symlink_to("big/set")
    prepare_one(make_folder(tmp_path / "b", [jpeg(1), jpeg(2)]), tmp_path / "link", overwrite=True)
    assert (tmp_path / "link").is_symlink() and [path.name for path in (tmp_path / "big").iterdir()] == ["set"]
    verify(Manifest.load(first.folder))
    assert Manifest.load(first.folder).rows == 2


def test_conversions_are_counted(tmp_path):
    contents = [jpeg(0), encode(picture(1, mode="CMYK")), encode(picture(2), "WEBP"), encode(picture(3), "WEBP")]
    folder = make_folder(tmp_path / "in", contents)
    manifest = prepare_one(folder, tmp_path / "set", short_side=8, quality=90)
    assert manifest.filters == {
        "short_side": 8,
        "quality": 90,
        "converted": {"JPEG of mode CMYK": 1, "WEBP file": 2},
    }
    assert (manifest.image.mode, manifest.image.height, manifest.image.width) == ("RGB", 8, 12)
    with pytest.raises(DataError, match=r"image 'images/1.jpg': JPEG of mode CMYK"):
        prepare_one(folder, tmp_path / "other", odd_images="bad")


def test_mode_and_size_of_all_shards(tmp_path, here):
    grey = [jpeg(number, mode="L") for number in range(3)]
    manifest = prepare_one(make_folder(tmp_path / "a", grey), tmp_path / "grey", shard_mb=1e-6)
    assert len(manifest.shards) == 3
    assert (manifest.image.mode, manifest.image.height, manifest.image.width) == ("L", 16, 24)
    mixed = [*grey, jpeg(5, size=(24, 18))]
    manifest = prepare_one(make_folder(tmp_path / "b", mixed), tmp_path / "mixed", shard_mb=1e-6)
    assert (manifest.image.mode, manifest.image.height, manifest.image.width) == ("RGB", None, None)


def test_finished_pieces_are_kept(damaged, tmp_path, here):
    """The first image is a piece of its own; it is not written again when the second one stopped the call."""
    out = tmp_path / "set"
    options = {"shard_mb": 1e-6}
    with pytest.raises(DataError):
        prepare_one(damaged, out, **options)
    first = partial_path(out) / "shard-00000.bin"
    before = first.stat()
    manifest = prepare_one(damaged, out, on_error="reject", **options)
    verify(manifest)
    after = (out / "shard-00000.bin").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert not partial_path(out).exists()
    again = prepare_one(damaged, tmp_path / "again", on_error="reject", **options)
    assert again.fingerprint() == manifest.fingerprint()


def test_damaged_pieces_are_written_again(damaged, tmp_path, here):
    out = tmp_path / "set"
    with pytest.raises(DataError):
        prepare_one(damaged, out, shard_mb=1e-6)
    (partial_path(out) / "shard-00000.bin").write_bytes(b"short")
    verify(prepare_one(damaged, out, on_error="reject", shard_mb=1e-6))


def test_an_earlier_rejection_is_an_error_when_the_user_says_fail(damaged, tmp_path, here, monkeypatch):
    out = tmp_path / "set"

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("d2ace.pipeline.data.from_images.prepare.manifest_of", killed)
    with pytest.raises(KeyboardInterrupt):
        prepare_one(damaged, out, on_error="reject", shard_mb=1e-6)
    with pytest.raises(DataError, match=r"image 'images/1.jpg' was rejected by an earlier call: empty"):
        prepare_one(damaged, out, shard_mb=1e-6)


def test_pieces_of_other_options_or_files_are_refused(damaged, tmp_path):
    out = tmp_path / "set"
    with pytest.raises(DataError):
        prepare_one(damaged, out)
    with pytest.raises(DataError, match="holds pieces of a preparation with other options or other files"):
        prepare_one(damaged, out, short_side=5, on_error="reject")
    write(damaged, "images/0.jpg", jpeg(0, size=(30, 30)))
    with pytest.raises(DataError, match="with other options or other files"):
        prepare_one(damaged, out, on_error="reject")
    manifest = prepare_one(damaged, out, on_error="reject", overwrite=True)
    assert stored(manifest)[0][3] == jpeg(0, size=(30, 30))


def test_a_data_set_that_is_there_is_replaced_on_request_only(tmp_path):
    out = tmp_path / "set"
    prepare_one(make_folder(tmp_path / "a", [jpeg(0)]), out)
    other = make_folder(tmp_path / "b", [jpeg(1), jpeg(2)])
    with pytest.raises(DataError, match="exists already"):
        prepare_one(other, out)
    assert prepare_one(other, out, overwrite=True).rows == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    with pytest.raises(DataError, match=r"holds no manifest\.json, so it is not replaced"):
        prepare_one(other, tmp_path / "mine", overwrite=True)


def test_a_data_set_that_a_killed_process_moved_away_is_found_again(tmp_path):
    folder, out = make_folder(tmp_path / "in", [jpeg(0)]), tmp_path / "set"
    prepare_one(folder, out)
    out.rename(tmp_path / ".set.old-00000001")
    with pytest.raises(DataError, match="exists already"):
        prepare_one(folder, out)
    assert prepare_one(folder, out, overwrite=True).rows == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "set"]


def test_only_one_process_prepares_a_data_set(tmp_path):
    folder, out = make_folder(tmp_path / "in", [jpeg(0)]), tmp_path / "set"
    partial_path(out).mkdir()
    with (partial_path(out) / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DataError, match="another process is at work on this preparation"):
            prepare_one(folder, out)
    assert prepare_one(folder, out).rows == 1


def test_storage_that_fails_is_no_fault_of_an_image(tmp_path, here, monkeypatch):
    """Else a network that is down would empty the data set without a word."""
    folder = make_folder(tmp_path / "in", [jpeg(number) for number in range(3)])

    def gone(piece, job):
        (folder / "images/1.jpg").unlink(missing_ok=True)
        return write_piece(piece, job)

    write_piece = running.write_piece
    monkeypatch.setattr(running, "write_piece", gone)
    with pytest.raises(DataError, match=r"images/1.jpg: cannot be read: No such file"):
        prepare_one(folder, tmp_path / "set", on_error="reject")


def test_a_file_uri_is_a_source(tmp_path):
    folder = make_folder(tmp_path / "in", [jpeg(0), jpeg(1)])
    by_path = prepare_one(folder, tmp_path / "a")
    by_uri = prepare_one(folder.as_uri(), tmp_path / "b")
    assert by_uri.fingerprint() == by_path.fingerprint()
    with pytest.raises(DataError, match="expected a local path, file://, s3:// or gs://"):
        prepare_one("ftp://x/y", tmp_path / "c")
    with pytest.raises(DataError, match="there is no such folder"):
        prepare_one((tmp_path / "nothing").as_uri(), tmp_path / "c")


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_bucket_is_a_source(tmp_path, scheme):
    folder = make_folder(tmp_path / "in", [jpeg(0), b"<html>", jpeg(2)])
    by_path = prepare_one(folder, tmp_path / "a", on_error="reject")
    with bucket(tmp_path) as port:
        where = f"scheme=http&endpoint_override=127.0.0.1:{port}"
        where += "&region=us-east-1" if scheme == "s3" else "&retry_limit_seconds=5"
        uri = f"{scheme}://anonymous@photographs/in?{where}"
        by_uri = prepare_one(uri, tmp_path / "b", on_error="reject")
        sent = pickle.loads(pickle.dumps(Location.of(uri)))  # as to a task
        assert sent.join("labels.csv").read() == (folder / "labels.csv").read_bytes()
        with pytest.raises(DataError, match=rf"{scheme}://anonymous@photographs/nothing.*: there is no such folder"):
            prepare_one(f"{scheme}://anonymous@photographs/nothing?{where}", tmp_path / "c")
    assert by_uri.rows == 2
    assert by_uri.fingerprint() == by_path.fingerprint()


def test_ray_gives_the_same_bytes(tmp_path, ray_session, monkeypatch):
    folder = make_folder(tmp_path / "in", [jpeg(number, size=(48, 32)) for number in range(12)])
    options = {"shard_mb": 2.5 * len(jpeg(0, size=(48, 32))) / 1e6, "short_side": 24}
    spread = prepare_one(folder, tmp_path / "ray", **options)
    verify(spread)
    assert len(spread.shards) > 2
    assert [row[0] for row in stored(spread)] == [f"images/{number}.jpg" for number in range(12)]
    monkeypatch.setattr(running, "_run_on_ray", running._run_here)
    assert prepare_one(folder, tmp_path / "here", **options).fingerprint() == spread.fingerprint()
    write(folder, "images/7.jpg", b"")
    monkeypatch.undo()
    with pytest.raises(DataError, match=r"^[^\n]*images: image 'images/7.jpg': empty: 0 bytes$"):
        prepare_one(folder, tmp_path / "bad", **options)


@pytest.mark.slow("a command in a process of its own, and 77 million pixels to read twice")
def test_a_killed_driver_leaves_its_finished_pieces(tmp_path, ray_session, ray_launcher):
    large = [encode(picture(number, size=(1600, 1200)), "PNG", compress_level=1) for number in range(40)]
    folder, out = make_folder(tmp_path / "in", large), tmp_path / "set"
    command = [ray_launcher, "-m", "d2ace.pipeline.cli", "prepare", str(folder), str(out)]
    command += ["--format", "image-csv", "--shard-mb", "0.0001"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": ray_session, CLIENT: "driver"}
    driver = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 150
    while len(list(partial_path(out).glob("piece-*.json"))) < 2:
        assert driver.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    driver.kill()
    driver.communicate()  # to the end of its output, which is the end of the process
    time.sleep(1)  # for its workers to end
    finished = [json.loads(path.read_text())["shard"] for path in partial_path(out).glob("piece-*.json")]
    assert 2 <= len(finished) < 40
    kept = {shard["packed"]["file"]: (partial_path(out) / shard["packed"]["file"]).stat() for shard in finished}
    manifest = prepare_images(folder, out, format="image-csv", shard_mb=0.0001, quiet=True)
    verify(manifest)
    assert [row[3] for row in stored(manifest)] == large
    for name, before in kept.items():
        after = (out / name).stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_command(damaged, tmp_path, capsys):
    out = str(tmp_path / "set")
    command = ["prepare", str(damaged), out, "--format", "image-csv", "--files", "train=labels.csv"]
    assert main(command) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.startswith("d2ace: error: ") for line in said] == [False, True]  # what it reads, then why not
    assert main([*command, "--on-error", "reject"]) == 0
    shown = capsys.readouterr().out
    for words in (
        "8 images, 2 labels, 1 shard (0 finished before)",
        "4 rows (train 4)",
        "filter rejected: 4",
        "set/rejected.parquet",
    ):
        assert words in shown
    assert Manifest.load(out).rows == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["in", "--format", "coco", "--validation", "x.json"], "format coco takes no --validation"),
        (["x.csv", "--short-side", "9"], "only images, with their --format, take --short-side"),
        (["in"], "is a folder, expected a file; images need a format"),
        (["in", "--format", "voc", "--label-column", "x"], "label_column does not apply to voc"),
    ],
)
def test_the_command_refuses_what_does_not_apply(damaged, tmp_path, capsys, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "x.csv", "a,b\n1,0\n")
    source, *rest = arguments
    assert main(["prepare", source, "out", *rest]) == 2
    assert words in capsys.readouterr().err


def test_a_split_named_twice_on_the_command_line(capsys):
    with pytest.raises(SystemExit):
        main(["prepare", "in", "out", "--files", "train=a", "--files", "train=b"])
    assert "--files is given twice for train" in capsys.readouterr().err
