"""No file of the product is longer than a reader takes in at once."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOUSES = ("pipeline", "selectors", "tune_spaces")
MOST_LINES = 250


def test_no_file_is_longer_than_the_house_rule_says():
    files = [path for house in HOUSES for path in (ROOT / house).rglob("*.py")]
    assert len(files) > 500
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in files}
    too_long = [f"{name}: {lines} lines" for name, lines in lengths.items() if lines > MOST_LINES]
    assert not too_long, f"{too_long}: move a part that stands by itself into a file with a name of its own"
