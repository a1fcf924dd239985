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
    """The address of a gRPC server that lets in who sends the token "right", and what each call sent."""

    calls: list[str | None] = []

    class Guarded(grpc.GenericRpcHandler):
        def service(self, details):
            sent = dict(details.invocation_metadata).get("authorization")
            calls.append(sent)
            if sent == "Bearer right":
                return grpc.unary_unary_rpc_method_handler(lambda *_: b"")
            refuse = lambda _, context: context.abort(grpc.StatusCode.UNAUTHENTICATED, "InvalidAuthToken")  # noqa: E731
            return grpc.unary_unary_rpc_method_handler(refuse)

    server = grpc.server(ThreadPoolExecutor(1), handlers=[Guarded()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", calls
    server.stop(None).wait()


def test_a_head_that_asks_for_a_token_is_told_before_ray_joins_it(file, locked):
    address, calls = locked
    with pytest.raises(RunError, match=f"RAY_ADDRESS={address} asks for a token and got none: set RAY_AUTH_MODE=token"):
        require_token(address)
    assert calls == [None]


def test_a_wrong_token_is_told_with_the_place_it_came_from(file, locked, monkeypatch):
    address, calls = locked
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "wrong")
    with pytest.raises(RunError, match=rf"{address} refuses the token that was sent \(from RAY_AUTH_TOKEN\): set "):
        require_token(address)
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    file.parent.mkdir()
    file.write_text("stale\n")
    with pytest.raises(RunError, match=rf"refuses the token that was sent \(from {file}\)"):
        require_token(address)
    assert calls == ["Bearer wrong", "Bearer stale"]


def test_the_right_token_lets_in(file, locked, monkeypatch):
    address, calls = locked
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    file.parent.mkdir()
    file.write_text("right\n")
    require_token(address)
    assert calls == ["Bearer right"]


def test_a_client_that_should_send_a_token_and_has_none_is_told_so(file, locked, monkeypatch):
    address, calls = locked
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with pytest.raises(RunError, match=f"there is no token in RAY_AUTH_TOKEN or {file}"):
        require_token(address)
    assert calls == []


@pytest.mark.parametrize("address", ["auto", "ray://127.0.0.1:1", "127.0.0.1:1"])
def test_other_addresses_are_left_to_ray(file, address):
    require_token(address)
