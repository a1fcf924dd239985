"""Settings of runs whose selection state is split over several actors; ``test_resume`` has such a run."""

import pytest

from d2ace.pipeline import fit
from d2ace.pipeline.common.errors import ConfigError
from d2ace.selectors.common.errors import SelectionError


@pytest.mark.usefixtures("ray_session")
def test_ranges_that_cannot_be_are_refused(make_config):
    with pytest.raises(ConfigError, match="the state of method 'uniform' cannot be split into ranges"):
        make_config("selector.name=uniform", "selector.options={}", "selector.ranges=2")
    with pytest.raises(SelectionError, match="ranges must be from 1 to"):
        fit(make_config("run.name=small", "selector.ranges=9"), quiet=True)
