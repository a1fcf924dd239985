"""A share of what ``make fuzz`` tries: damaged and hostile input is read, or refused in words that name the place."""

import pytest
from hostile.cases import Prepared
from hostile.everything import TARGETS

CASES = 5
QUICK = {
    *(
        "csv",
        "arff-sparse",
        "npz",
        "npz-csr",
        "label-mask",
        "coco",
        "cvat",
        "label-studio",
        "open-images",
        "webdataset",
    ),
    *("images", "prepared-table", "config", "study", "checkpoint", "arrays", "choice", "job-results"),
}
"""Those whose valid input is made in a moment; the others are read alike."""


@pytest.mark.parametrize(
    "target", [target for target in TARGETS if target.name in QUICK], ids=lambda target: target.name
)
def test_input_is_read_or_refused_in_words(target, tmp_path):
    prepared = Prepared(target, tmp_path / "hostile-input")
    prepared.read_valid()
    faults = {number: fault for number in range(CASES) if (fault := prepared.fault(number)) is not None}
    assert not faults, f"make fuzz ARGS='{target.name} --first {min(faults)} --cases 1 --raise'"


def test_a_reader_that_lets_an_error_through_is_found(tmp_path):
    def read(folder):
        assert (folder / "a.txt").read_text() == "valid"

    target = TARGETS[0]._replace(
        write=lambda folder: (folder / "a.txt").write_text("valid"), files=("a.txt",), read=read
    )
    faults = [Prepared(target, tmp_path / f"{number}").fault(number) for number in range(5)]
    assert any(fault is not None and fault.startswith(("AssertionError", "UnicodeDecodeError")) for fault in faults)
