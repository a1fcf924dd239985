"""Work that was begun: kept with the way to go on, or removed when it was in vain."""

import pytest

from d2ace.pipeline.common.storage.begun import begun


def test_work_in_vain_leaves_no_folder(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text("")
    with pytest.raises(KeyError) as caught, begun(folder, lambda: False, "again"):
        raise KeyError
    assert not folder.exists() and not hasattr(caught.value, "__notes__")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_work_that_can_go_on_says_how(tmp_path, error):
    with pytest.raises(error) as caught, begun(tmp_path, lambda: True, "d2ace train --resume x"):
        raise error
    assert tmp_path.exists() and caught.value.__notes__ == ["go on with: d2ace train --resume x"]


def test_work_that_ends_well_stays(tmp_path):
    with begun(tmp_path, lambda: False, "again"):
        pass
    assert tmp_path.exists()
