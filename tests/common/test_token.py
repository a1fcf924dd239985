"""The token of a Ray cluster, without Ray."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from d2ace.pipeline.common.cluster.token import close_to_others, require_token, write_token
from d2ace.pipeline.common.errors import RunError


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    """Where the token lies, in a home of its own that any other user may read."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_USE_TLS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / ".ray" / "auth_token"


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


@pytest.mark.parametrize("asked", [None, "token"])
def test_a_new_token_is_for_its_owner_alone_and_stays(file, asked, monkeypatch, capsys):
    if asked:
        monkeypatch.setenv("RAY_AUTH_MODE", asked)
    write_token()
    token = file.read_text()
    assert mode(file) == 0o600 and len(token) == 64
    write_token()
    assert file.read_text() == token
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "value"), [("RAY_AUTH_MODE", "disabled"), ("RAY_AUTH_TOKEN", "x"), ("RAY_AUTH_TOKEN_PATH", "/nowhere")]
)
def test_no_token_is_written_that_nobody_needs(file, name, value, monkeypatch):
    monkeypatch.setenv(name, value)
    write_token()
    assert not file.exists()


@pytest.mark.parametrize(("before", "after", "words"), [(0o644, 0o600, 1), (0o640, 0o640, 0), (0o600, 0o600, 0)])
def test_a_token_that_everybody_may_read_is_closed_with_a_word(file, before, after, words, capsys):
    file.parent.mkdir()
    file.write_text("t")
    file.chmod(before)
    close_to_others()
    assert mode(file) == after
    assert capsys.readouterr().err.count("now only by you") == words


@pytest.fixture
def locked():
    """The address of a gRPC server that refuses every call for want of a token, and the calls it got."""

    calls: list[str] = []

    class Refusing(grpc.GenericRpcHandler):
        def service(self, details):
            calls.append(details.method)
            refuse = lambda _, context: context.abort(grpc.StatusCode.UNAUTHENTICATED, "InvalidAuthToken")  # noqa: E731
            return grpc.unary_unary_rpc_method_handler(refuse)

    server = grpc.server(ThreadPoolExecutor(1), handlers=[Refusing()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", calls
    server.stop(None).wait()


def test_a_head_that_asks_for_a_token_is_told_before_ray_joins_it(file, locked, monkeypatch):
    address, calls = locked
    with pytest.raises(RunError, match=f"RAY_ADDRESS={address} asks for a token and got none: set RAY_AUTH_MODE=token"):
        require_token(address)
    assert len(calls) == 1
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    require_token(address)  # Ray sends one, and judges it
    assert len(calls) == 1


@pytest.mark.parametrize("address", ["auto", "ray://127.0.0.1:1", "127.0.0.1:1"])
def test_other_addresses_are_left_to_ray(file, address):
    require_token(address)
