"""Runs whose predictions are looked at."""

import pytest
from digit_run import train_digit_run


@pytest.fixture(scope="session")
def digit_run(tmp_path_factory):
    return train_digit_run(tmp_path_factory.mktemp("digit-run"))
