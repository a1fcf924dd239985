"""What tests of images share."""

import pytest


@pytest.fixture(params=["RGB", "L"])
def mode(request) -> str:
    return request.param
