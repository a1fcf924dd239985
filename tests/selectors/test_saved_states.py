"""State files that earlier versions saved still load, and go on with the very batches of their run.

``fixtures/make_states.py`` wrote them: METHOD-schema-NUMBER.npz.
"""

from pathlib import Path

import numpy as np
import pytest
from contract_inputs import make

from d2ace.selectors import api
from d2ace.selectors.common.state import load_state
from d2ace.selectors.contract.inputs import make_labels, require_plan, train

FILES = sorted((Path(__file__).parent / "fixtures").glob("*.npz"))
EPOCH = 3


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_of_an_earlier_version_loads(file):
    name, _, schema = file.stem.rpartition("-schema-")
    saved = load_state(file)
    assert saved["selector"]["schema"] == int(schema)
    selector = make(name, make_labels(13, 3), batch_size=4)
    selector.load_state_dict(saved["selector"])
    plan = selector.plan(EPOCH)
    np.testing.assert_array_equal(plan.ids, saved["plan"]["ids"])
    np.testing.assert_array_equal(plan.offsets, saved["plan"]["offsets"])
    for later in train(selector, 2, EPOCH):
        require_plan(later, selector)


@pytest.mark.parametrize("name", api.names())
def test_every_method_has_a_file_of_its_present_schema(name):
    schema = make(name).state_dict()["schema"]
    assert f"{name}-schema-{schema}" in {file.stem for file in FILES}, "run fixtures/make_states.py"
