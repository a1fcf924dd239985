"""A bucket service for the tests of a module, with keys in the environment that nothing may show."""

from collections.abc import Iterator

import pytest
from object_server import ObjectServer, object_server

from d2ace.pipeline.common.storage import retries

KEY_ID, SECRET = "PLANTED-KEY-ID-5b1f", "PLANTED-SECRET-9c27"


@pytest.fixture
def no_waiting(monkeypatch) -> list[float]:
    """Let nothing wait between tries; gives the seconds that it would have waited."""
    waits: list[float] = []
    monkeypatch.setattr(retries, "sleep", waits.append)
    return waits


@pytest.fixture
def bucket(monkeypatch, no_waiting) -> Iterator[ObjectServer]:
    """Serve an empty bucket called ``b``."""
    for name in (
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
        "HTTP_PROXY",
        "http_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with object_server("b") as server:
        yield server
