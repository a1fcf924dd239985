"""Files that are written and read the same way on a disk and in a bucket."""

from pathlib import Path

import pytest

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.common.storage import locations, object_store
from d2ace.pipeline.common.storage.any_path import address_of, any_path, fetched, remove, replacing
from d2ace.pipeline.common.storage.begun import begun
from d2ace.pipeline.common.storage.json_files import read_json_lines, write_json_lines
from d2ace.pipeline.common.storage.locations import NotThereError
from d2ace.pipeline.common.storage.retries import RetryPolicy


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
    for module in (locations, object_store):
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
