"""A list of less than one entry is refused by whatever lists, before a run is opened."""

import pytest

from d2ace.pipeline import predict
from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.results.audit import audit
from d2ace.pipeline.results.errors import diff, errors


@pytest.mark.parametrize("top", [0, -1])
@pytest.mark.parametrize(("verb", "arguments"), [(audit, 1), (errors, 1), (diff, 2), (predict, 3)])
def test_a_list_has_an_entry(tmp_path, verb, arguments, top):
    with pytest.raises(ConfigError, match=rf"--top must be at least 1, got {top}"):
        verb(*[tmp_path / "none"] * arguments, top=top)
