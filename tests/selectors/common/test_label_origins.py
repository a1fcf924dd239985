"""Labels with the origin of every entry, dense and as a matrix."""

import numpy as np

from d2ace.selectors.common.label_matrix import Origin
from d2ace.selectors.common.label_origins import of_dense, origin_codes


def test_a_matrix_of_dense_labels_lists_what_is_known_with_its_origin():
    values = np.array([[1, 0, np.nan], [0.4, np.nan, 0]], np.float32)
    origins = np.array([[0, 2, 9], [3, 9, 0]], np.uint8)
    labels = of_dense(values, origins)
    assert np.array_equal(labels.dense(), values, equal_nan=True)
    assert [[labels.origin(row, label) for label in range(3)] for row in range(2)] == [
        [Origin.GIVEN, Origin.PAST_MODEL, None],
        [Origin.CURRENT_MODEL, None, Origin.GIVEN],
    ]
    assert origin_codes(labels).tolist() == [[0, 2, 0], [3, 0, 0]]
