import gzip
import re

import pytest

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.common.storage.locations import Location
from d2ace.pipeline.data.from_tables.csv_table import csv_table


@pytest.fixture
def folder(tmp_path):
    for name in ("a.txt", "b.txt", "sub/a.txt", "sub/c.bin"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize("as_uri", [False, True])
def test_a_folder_by_path_and_by_uri(folder, as_uri):
    place = Location.of(folder.as_uri() if as_uri else folder)
    assert place.is_folder() and not place.is_file()
    assert place.files() == {"a.txt": 5, "b.txt": 5, "sub/a.txt": 9, "sub/c.bin": 9}
    assert place.files(recursive=False) == {"a.txt": 5, "b.txt": 5}
    assert place.glob("*.txt") == ["a.txt", "b.txt"]
    assert place.glob("s*/*.txt") == ["sub/a.txt"]
    assert place.glob("sub/?.bin") == ["sub/c.bin"]
    file = place.join("sub").join("../sub/c.bin")
    assert file.is_file() and file.read() == b"sub/c.bin"
    assert (file.name, file.suffix, file.parent.is_folder()) == ("c.bin", ".bin", True)
    assert str(place.join("x.txt")).startswith("file://" if as_uri else str(folder))


def test_absolute_names_and_uris_stand_for_themselves(folder):
    place = Location.of(folder / "sub")
    assert place.join(str(folder / "a.txt")).read() == b"a.txt"
    assert place.join((folder / "a.txt").as_uri()).read() == b"a.txt"
    assert place.join(".") == place


def test_what_is_not_there(folder):
    place = Location.of(folder / "no")
    assert (place.is_file(), place.is_folder(), place.files(), place.glob("*")) == (False, False, {}, [])
    with pytest.raises(DataError, match="no: cannot be read: No such file"):
        place.read()
    with pytest.raises(DataError, match=r"gopher://x: .*; expected a local path"):
        Location.of("gopher://x")


def test_text_is_read_from_any_file_system(folder):
    (folder / "t.csv.gz").write_bytes(gzip.compress("x,ü\n1,2\n1\n".encode()))
    (folder / "t.csv").write_text("x,ü\n1,2\n1\n", encoding="utf-8")
    for name in ("t.csv", "t.csv.gz"):
        table = csv_table(Location.of(folder.as_uri()).join(name), delimiter=",")
        assert table.names == ("x", "ü")
        with pytest.raises(DataError, match=rf"^{re.escape(str(folder / name))}:3: 1 fields, expected 2"):
            list(table.chunks())


def test_hidden_files_are_no_data(folder):
    for name in ("._a.txt", ".DS_Store", "__MACOSX/sub/._a.txt", ".git/x.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    place = Location.of(folder)
    assert list(place.files()) == ["a.txt", "b.txt", "sub/a.txt", "sub/c.bin"]
    assert place.glob("*.txt") == ["a.txt", "b.txt"]
    assert place.join("._a.txt").is_file()  # who names one gets it
    hidden = folder / ".cache"
    (folder / "sub").rename(hidden)
    assert list(Location.of(hidden).files()) == ["a.txt", "c.bin"]


@pytest.mark.parametrize("name", ["../b.txt", "sub/../../b.txt", "/etc/hosts", "http://127.0.0.1:1/x", "s3://b/x", "."])
def test_a_name_from_data_stays_in_its_folder(folder, name):
    place = Location.of(folder / "sub")
    with pytest.raises(DataError, match="names a place outside this folder"):
        place.below(name)
    assert place.below("../sub/c.bin").read() == b"sub/c.bin"
