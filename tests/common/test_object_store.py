"""Places in a bucket do what places on a disk do, also where the service fails for a moment."""

import pickle
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bucket_fixtures import KEY_ID, SECRET

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.common.storage import file_systems, object_store, retries
from d2ace.pipeline.common.storage.credentials import credentials_source
from d2ace.pipeline.common.storage.locations import Location
from d2ace.pipeline.common.storage.retries import RetryPolicy

CONTENT = bytes(range(200))


@pytest.fixture
def place(bucket) -> Location:
    """A folder in the bucket."""
    return Location.of(bucket.address("b/data"))


@pytest.fixture(params=["disk", "bucket"])
def folder(request, tmp_path) -> Location:
    if request.param == "disk":
        return Location.of(tmp_path / "data")
    return Location.of(request.getfixturevalue("bucket").address("b/data"))


def ranges(place: Location, *bounds: tuple[int, int]) -> list[bytes]:
    file = place.opened()
    found = file.read_ranges(*np.array(bounds, np.int64).T)
    file.close()
    return [bytes(each) for each in found]


def test_files_are_written_read_listed_and_removed(folder, tmp_path):
    file = folder.below("sub/x.bin")
    assert not file.is_file() and not folder.is_folder() and folder.files() == {}
    file.write(CONTENT)
    (tmp_path / "other").write_bytes(b"other")
    folder.below("y z.txt").write(tmp_path / "other")
    folder.below("empty").write(b"")
    assert file.is_file() and folder.is_folder()
    assert folder.files() == {"empty": 0, "sub/x.bin": 200, "y z.txt": 5}
    assert folder.glob("*.txt") == ["y z.txt"]
    assert (file.read(), folder.below("y z.txt").read(), folder.below("empty").read()) == (CONTENT, b"other", b"")
    assert ranges(file, (10, 20), (0, 1), (150, 200), (190, 300)) == [
        CONTENT[10:20],
        CONTENT[:1],
        CONTENT[150:],
        CONTENT[190:],
    ]
    assert file.opened().buffer().to_pybytes() == CONTENT
    file.write(b"new")
    assert file.read() == b"new"
    file.delete()
    file.delete()
    assert not file.is_file() and "y z.txt" in folder.files()
    folder.delete()
    assert folder.files() == {}
    with pytest.raises(DataError, match=r"sub/x.bin: cannot be read: No such file or directory$"):
        file.read()


def test_a_place_is_reached_again_by_its_address_and_in_another_process(folder):
    file = folder.below("x.bin")
    file.write(CONTENT)
    assert Location.of(file.address).read() == CONTENT
    assert pickle.loads(pickle.dumps(file)).read() == CONTENT
    assert SECRET.encode() not in pickle.dumps(file)


def test_only_a_place_on_a_disk_is_a_path(tmp_path, place):
    assert Path(Location.of(tmp_path) / "x") == tmp_path / "x"
    with pytest.raises(DataError, match=r"^s3://b/data: expected a path"):
        Path(place)


def test_a_large_object_is_read_in_parts(bucket, place, monkeypatch):
    monkeypatch.setattr(object_store, "POLICY", RetryPolicy(part_bytes=64))
    file = place.below("x.bin")
    file.write(CONTENT)
    assert file.read() == CONTENT
    assert sorted(bucket.ranges) == [(0, 63), (64, 127), (128, 191), (192, 199)]


def test_a_table_is_read_by_its_columns(bucket, place, tmp_path):
    table = pa.table({name: np.random.default_rng(0).random(50_000) for name in "ab"})
    pq.write_table(table, tmp_path / "t.parquet")
    place.below("t.parquet").write(tmp_path / "t.parquet")
    bucket.fail("GetObject", "busy", 3)
    with place.below("t.parquet").open() as file:
        assert pq.read_table(file, columns=["b"]) == table.select(["b"])
    read = sum(last - first for first, last in bucket.ranges)
    assert read < 0.8 * (tmp_path / "t.parquet").stat().st_size


@pytest.mark.parametrize(
    ("call", "doing", "work"),
    [
        ("HeadObject", "looking", lambda place: place.below("x.bin").is_file()),
        ("HeadObject", "opening", lambda place: place.below("x.bin").read() == CONTENT),
        ("GetObject", "reading", lambda place: place.below("x.bin").read() == CONTENT),
        ("ListObjectsV2", "listing", lambda place: place.files() == {"x.bin": 200}),
        ("PutObject", "writing", lambda place: place.below("x.bin").write(CONTENT) is None),
        ("DeleteObject", "deleting", lambda place: place.below("x.bin").delete() is None),
        ("DeleteObjects", "deleting", lambda place: place.delete() is None),
    ],
)
def test_three_failures_in_a_row_are_survived_told_and_counted(bucket, place, no_waiting, caplog, call, doing, work):
    place.below("x.bin").write(CONTENT)
    before = retries.tally()
    bucket.fail(call, "busy", 3)
    assert work(place)
    assert no_waiting == [0.25, 0.5, 1.0]
    assert retries.tally() - before == {doing: 3}
    assert len(caplog.messages) == 3
    assert re.match(rf"s3://b/data\S*: {doing} failed \(.*\); try 2 of 8 in 0.25 s", caplog.messages[0])
    assert place.files() == ({} if doing == "deleting" else {"x.bin": 200})


@pytest.mark.parametrize("call", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
def test_a_large_object_is_written_whole_through_failures(bucket, place, no_waiting, tmp_path, call):
    (tmp_path / "large").write_bytes(CONTENT * 60_000)
    bucket.fail(call, "busy", 3)
    place.below("large").write(tmp_path / "large")
    assert bucket.buckets["b"]["data/large"] == CONTENT * 60_000
    assert no_waiting and no_waiting == [0.25, 0.5, 1.0][: len(no_waiting)]  # two parts can fail in one try


@pytest.mark.parametrize("fault", ["cut", "reset", "slow"])
def test_lost_connections_and_slow_bodies_change_nothing(bucket, place, fault):
    place.below("x.bin").write(CONTENT)
    bucket.fail("GetObject", fault, 3)
    assert place.below("x.bin").read() == CONTENT


def test_a_service_that_says_nothing_is_asked_again(bucket, monkeypatch, no_waiting):
    monkeypatch.setattr(file_systems, "POLICY", RetryPolicy(silence_s=1.0))
    place = Location.of(bucket.address("b/x.bin"))
    place.write(CONTENT)
    bucket.fail("GetObject", "silent")
    assert place.read() == CONTENT
    assert no_waiting[0] == 0.25


def test_it_ends_after_eight_tries(bucket, place, no_waiting):
    place.below("x.bin").write(CONTENT)
    bucket.fail("GetObject", "busy", 100)
    with pytest.raises(DataError, match=r"^s3://b/data/x.bin: cannot be read: .*AWS Error S.*; tried 8 times;"):
        place.below("x.bin").read()
    assert no_waiting == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0]


@pytest.mark.parametrize(
    ("call", "work", "told"),
    [
        ("GetObject", lambda place: place.below("x.bin").read(), "x.bin: cannot be read"),
        ("ListObjectsV2", lambda place: place.files(), "data: cannot be listed"),
        ("PutObject", lambda place: place.below("x.bin").write(b"1"), "x.bin: cannot be written"),
        ("DeleteObject", lambda place: place.below("x.bin").delete(), "x.bin: cannot be removed"),
    ],
)
def test_what_is_denied_ends_at_once_and_names_the_source_of_the_credentials(
    bucket, place, no_waiting, call, work, told
):
    place.below("x.bin").write(CONTENT)
    bucket.calls.clear()
    bucket.fail(call, "denied", 100)
    with pytest.raises(
        DataError, match=rf"{told}: .*ACCESS_DENIED.*; credentials: AWS_ACCESS_KEY_ID in the env"
    ) as found:
        work(place)
    assert no_waiting == [] and bucket.calls.count(call) == 1
    assert SECRET not in str(found.value) and KEY_ID not in str(found.value)


def test_a_bucket_that_is_not_there_ends_at_once(bucket, no_waiting):
    place = Location.of(bucket.address("other/x"))
    with pytest.raises(DataError, match=r"No such file or directory, for there is no bucket other \(credentials: AWS_"):
        place.read()
    for work in (lambda: place.write(b"1"), place.files):
        with pytest.raises(DataError, match=r"s3://other/x: .*NO_SUCH_BUCKET.*; credentials: AWS_ACCESS_KEY_ID"):
            work()
    assert no_waiting == []


def test_what_a_listing_does_not_show_yet_is_read_by_its_name(bucket, place):
    place.below("x.bin").write(CONTENT)
    bucket.unlisted.add("data/x.bin")
    assert place.files() == {} and place.below("x.bin").is_file()
    assert place.below("x.bin").read() == CONTENT
    bucket.unlisted.clear()
    assert place.files() == {"x.bin": 200}


def test_a_listing_comes_in_pages(bucket, place):
    for number in range(5):
        place.below(f"{number}").write(b"")
    bucket.page = 2
    assert list(place.files()) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("environment", "source"),
    [
        ({}, "AWS_ACCESS_KEY_ID in the environment"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_PROFILE": "lab"}, "AWS_PROFILE=lab"),
        (
            {"AWS_ACCESS_KEY_ID": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "t"},
            "AWS_WEB_IDENTITY_TOKEN_FILE in the environment",
        ),
        ({"AWS_ACCESS_KEY_ID": "", "HOME": "HERE"}, "the role of this machine or container, if it has one"),
    ],
)
def test_the_source_of_credentials_is_named(bucket, monkeypatch, tmp_path, environment, source):
    for name, value in environment.items():
        monkeypatch.setenv(name, value.replace("HERE", str(tmp_path)))
    assert credentials_source("s3") == source
    assert credentials_source("s3", anonymous=True) == "none (anonymous@)"


@pytest.mark.parametrize("address", ["s3://b/x?secret_key=TOKEN", "s3://b/x?TOKEN", "gs://b/x?token=TOKEN", "s3:///x"])
def test_an_address_with_other_options_is_refused_without_showing_them(address):
    with pytest.raises(DataError, match=r"^(s3|gs)://.*: .*expected a local path, file://, s3:// or gs://") as found:
        Location.of(address)
    assert "TOKEN" not in str(found.value)


@pytest.mark.parametrize(
    ("text", "passing"),
    [
        ("AWS Error UNKNOWN (HTTP status 503) during HeadObject operation", True),
        ("AWS Error UNKNOWN (HTTP status 403) during HeadObject operation", False),
        ("AWS Error NO_SUCH_BUCKET during PutObject operation", False),
        ("google::cloud::Status(UNAVAILABLE: try later)", True),
        ("google::cloud::Status(PERMISSION_DENIED: no)", False),
        ("Disk quota exceeded", False),
    ],
)
def test_which_errors_pass(text, passing):
    assert retries.passes(OSError(text)) == passing


def test_retries_of_a_block_and_of_other_processes_are_counted(bucket, place):
    before = retries.tally()
    (place / "x").write(CONTENT)
    bucket.fail("GetObject", "busy", 2)
    with retries.counted() as counts:
        (place / "x").read()
    assert counts == {"reading": 2}
    retries.count({"reading": 3, "writing": 1})
    assert retries.tally() - before == {"reading": 5, "writing": 1}


def test_removing_what_is_not_there_looks_and_changes_nothing(bucket, place):
    (place / "x").delete()
    assert bucket.calls == ["HeadObject", "ListObjectsV2"] and bucket.buckets["b"] == {}


def test_another_process_asks_again_no_more_often_than_it_says(bucket, place):
    (place / "x").write(CONTENT)
    elsewhere = pickle.loads(pickle.dumps(place))
    assert elsewhere == place
    bucket.fail("GetObject", "busy", 3)
    with retries.counted() as counts:
        assert (elsewhere / "x").read() == CONTENT
    assert counts == {"reading": 3}


def test_who_names_a_bucket_that_is_not_to_be_found_hears_it_soon(monkeypatch):
    waits, asked = [], []

    def lost(bucket: str) -> str:
        asked.append(bucket)
        raise OSError("AWS Error NETWORK_CONNECTION during HeadBucket: curlCode: 6, Could not resolve hostname")

    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(retries, "sleep", waits.append)
    monkeypatch.setattr(file_systems.fs, "resolve_s3_region", lost)
    with pytest.raises(DataError, match=r"^s3://photos cannot be reached: .*resolve hostname; is the name right"):
        Location.of("s3://photos/prepared")
    assert asked == ["photos"] * 4 and sum(waits) < 2
