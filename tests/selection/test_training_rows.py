"""Row ids and positions: one is turned into the other, and strangers are named."""

import numpy as np
import pytest

from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.selection.training_rows import TrainingRows

ROWS = TrainingRows(np.array([3, 7, 8, 20]))


def test_there_and_back():
    positions = np.array([2, 0, 2, 3])
    assert ROWS.ids_at(positions).tolist() == [8, 3, 8, 20]
    assert ROWS.positions_of(ROWS.ids_at(positions)).tolist() == positions.tolist()
    assert ROWS.position_of(20) == 3 and len(ROWS) == 4
    assert ROWS.positions_of(np.zeros(0, np.int64)).tolist() == []


@pytest.mark.parametrize("stranger", [0, 5, 21])
def test_a_row_that_does_not_train_is_named(stranger):
    with pytest.raises(RunError, match=f"row {stranger} is no training row"):
        ROWS.positions_of(np.array([3, stranger]))
