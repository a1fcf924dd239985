"""Files that are written and read the same way on a disk and in a bucket."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from pyarrow import fs

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.common.storage import copies, object_store
from d2ace.pipeline.common.storage.any_path import address_of, any_path, fetched, is_there, remove, replacing
from d2ace.pipeline.common.storage.begun import begun
from d2ace.pipeline.common.storage.for_ray import ray_storage
from d2ace.pipeline.common.storage.json_files import (
    append_json_lines,
    drop_torn_line,
    ends_whole,
    read_json_lines,
    write_json_lines,
)
from d2ace.pipeline.common.storage.locations import Location, NotThereError
from d2ace.pipeline.common.storage.retries import RetryPolicy
from d2ace.pipeline.common.storage.whole_folders import new_folder
from d2ace.pipeline.selection.neighbour_lists import neighbour_lists
from d2ace.selectors.neighbours import cache


@pytest.fixture(params=["disk", "bucket"])
def folder(request, tmp_path):
    """A folder; on a disk it exists."""
    if request.param == "disk":
        return tmp_path
    return any_path(request.getfixturevalue("bucket").address("b/runs/one"))


def test_a_file_takes_the_place_of_another_when_the_block_succeeds_and_only_then(folder):
    for content in ("first", "second"):
        with replacing(folder / "x.txt") as file:
            file.write_text(content)
    with pytest.raises(UnicodeEncodeError), replacing(folder / "x.txt") as file:
        file.write_text("third \ud800", encoding="utf-8")
    assert (folder / "x.txt").read_text(encoding="utf-8") == "second"
    with fetched(folder / "x.txt") as file:
        assert isinstance(file, Path) and file.name == "x.txt" and file.read_text() == "second"
    remove(folder / "x.txt")
    remove(folder / "x.txt")
    assert not (folder / "x.txt").is_file()


def test_what_is_packed_already_is_not_packed_again(bucket):
    place = any_path(bucket.address("b/rows.csv.gz"))
    place.write(b"packed")
    assert place.read() == bucket.buckets["b"]["rows.csv.gz"] == b"packed"


def test_records_come_back(folder):
    assert read_json_lines(folder / "m.jsonl") == []
    write_json_lines(folder / "m.jsonl", [{"epoch": 0}, {"epoch": 1}])
    assert read_json_lines(folder / "m.jsonl") == [{"epoch": 0}, {"epoch": 1}]


def test_begun_work_in_vain_goes_and_other_work_stays_with_the_way_to_go_on(folder):
    for kept in (True, False):
        write_json_lines(folder / "m.jsonl", [{"epoch": 0}])
        with pytest.raises(KeyError) as caught, begun(folder, lambda kept=kept: kept, "again"):
            raise KeyError
        assert (folder / "m.jsonl").is_file() == kept
        assert getattr(caught.value, "__notes__", []) == ["go on with: again"] * kept


def test_work_is_kept_where_the_bucket_does_not_say_what_there_is(bucket):
    place = any_path(bucket.address("b/run"))
    (place / "x").write(b"x")
    bucket.fail("HeadObject", "denied", 1)
    with pytest.raises(KeyError), begun(place, (place / "x").is_file, "again"):
        raise KeyError
    assert (place / "x").is_file()


def test_a_large_object_comes_whole_in_parts(bucket, monkeypatch):
    for module in (copies, object_store):
        monkeypatch.setattr(module, "POLICY", RetryPolicy(part_bytes=7, parts_in_flight=3))
    place, content = any_path(bucket.address("b/large")), bytes(range(100))
    place.write(content)
    bucket.fail("GetObject", "cut", 2)
    with fetched(place) as file:
        assert file.read_bytes() == content
    assert len(bucket.ranges) == 15 + 2


def test_what_is_not_there_or_not_allowed_says_so(bucket):
    place = any_path(bucket.address("b/none"))
    with pytest.raises(NotThereError, match="s3://b/none: cannot be read: No such file"), fetched(place):
        pass
    place.write(b"x")
    bucket.fail("PutObject", "denied", 1)
    with pytest.raises(DataError, match=r"ACCESS_DENIED.*credentials: AWS_ACCESS_KEY_ID"), replacing(place) as file:
        file.write_text("y")
    assert place.read() == b"x"


def test_what_names_a_place_leads_back_to_it(bucket, tmp_path):
    for text in (bucket.address("b/runs/one"), str(tmp_path)):
        assert address_of(any_path(text)) == text
        assert any_path(address_of(any_path(text)) if "://" not in text else text) == any_path(text)


def test_an_address_that_became_a_path_is_told(tmp_path):
    with pytest.raises(DataError, match=r"s3:/b/out: an address is given as text"):
        any_path(Path("s3://b/out"))
    assert any_path(tmp_path) == tmp_path


def test_lines_are_added_wherever_the_file_lies(folder):
    for first in (0, 2):
        append_json_lines(folder / "m.jsonl", [{"epoch": first}, {"epoch": first + 1}])
    assert read_json_lines(folder / "m.jsonl") == [{"epoch": epoch} for epoch in range(4)]
    assert ends_whole(folder / "m.jsonl")
    with replacing(folder / "m.jsonl") as file:
        file.write_bytes('{"epoch": 0}\n{"label": "ß'.encode()[:-1])
    assert read_json_lines(folder / "m.jsonl") == [{"epoch": 0}]
    drop_torn_line(folder / "m.jsonl")
    assert ends_whole(folder / "m.jsonl") and read_json_lines(folder / "m.jsonl") == [{"epoch": 0}]


def test_neighbours_are_found_once_wherever_they_are_kept(folder, monkeypatch):
    features = np.random.default_rng(0).normal(size=(20, 3))
    found = neighbour_lists(features, 2, address_of(folder))
    monkeypatch.setattr(cache, "search", lambda *_: pytest.fail("looked for again"))
    np.testing.assert_array_equal(neighbour_lists(features, 2, address_of(folder)), found)


def test_ray_keeps_its_own_files_in_the_same_place(folder, tmp_path):
    """What Ray asks of a file system, in the words of pyarrow."""
    storage = ray_storage(folder)
    files, place = storage["storage_filesystem"] or fs.LocalFileSystem(), f"{storage['storage_path']}/ray"
    files = pickle.loads(pickle.dumps(files))
    files.create_dir(f"{place}/a")
    for name, content in (("a/x", b"first"), ("a/x", b"second" * 1000), ("y", b"")):
        with files.open_output_stream(f"{place}/{name}") as file:
            file.write(content)
    with files.open_input_stream(f"{place}/a/x") as file:
        assert file.readall() == b"second" * 1000
    selected = files.get_file_info(fs.FileSelector(place, recursive=True))
    assert {info.base_name for info in selected if info.is_file} == {"x", "y"}
    with pytest.raises(FileNotFoundError):
        files.open_input_file(f"{place}/none")
    with pytest.raises(FileNotFoundError):
        files.get_file_info(fs.FileSelector(f"{place}/none"))
    for away, home in ((place, str(tmp_path / "copy")), (str(tmp_path / "copy"), f"{place}/back")):
        sides = [fs.LocalFileSystem() if each.startswith(str(tmp_path / "copy")) else files for each in (away, home)]
        fs.copy_files(away, home, *sides)
    assert (folder / "ray/back/a/x").read_text(encoding="utf-8") == "second" * 1000
    files.delete_file(f"{place}/y")
    files.delete_dir(f"{place}/a")
    assert not (folder / "ray/a/x").is_file()


def test_ray_is_not_told_of_a_moment_without_the_bucket(bucket, no_waiting):
    storage = ray_storage(any_path(bucket.address("b/sweep")))
    bucket.fail("PutObject", "busy", 2)
    with storage["storage_filesystem"].open_output_stream("b/sweep/x") as file:
        file.write(b"content")
    assert bucket.buckets["b"]["sweep/x"] == b"content" and len(no_waiting) == 2
    bucket.fail("PutObject", "denied", 1)
    with pytest.raises(OSError, match="ACCESS_DENIED"), storage["storage_filesystem"].open_output_stream("b/y") as file:
        file.write(b"content")


def test_a_bucket_that_takes_no_neighbour_lists_is_a_warning(bucket, no_waiting, caplog):
    features = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    bucket.fail("PutObject", "denied", 1)
    found = neighbour_lists(features, 2, bucket.address("b/kept"))
    np.testing.assert_array_equal(found, cache.neighbour_ids(features, 2))
    assert "cannot be written" in caplog.text and "are looked for again next time" in caplog.text
    assert not bucket.buckets["b"]


def test_a_new_folder_is_there_whole_or_not_at_all(folder):
    target = folder / "made"
    with pytest.raises(FileNotFoundError), new_folder(target, "last.json") as files:
        (files / "first").rename(files / "second")
    assert Location.of(folder).files() == {} and not is_there(target)
    with new_folder(target, "last.json") as files:
        (files / "deep").mkdir()
        for name in ("last.json", "deep/x", "y"):
            (files / name).write_text(name)
    assert set(Location.of(target).files()) == {"deep/x", "last.json", "y"}
    assert (target / "deep/x").read_text(encoding="utf-8") == "deep/x"


def test_a_new_folder_through_a_link_to_nothing_appears_where_the_link_leads(tmp_path):
    (tmp_path / "link").symlink_to("big/made")
    with new_folder(tmp_path / "link", "last.json") as files:
        (files / "last.json").write_text("{}")
    assert (tmp_path / "link").is_symlink() and [path.name for path in (tmp_path / "big").iterdir()] == ["made"]
