"""The token of a Ray cluster: no file of it that others can read, and a word before Ray is asked without one."""

import os
import secrets
import sys
from contextlib import suppress
from pathlib import Path

from ..errors import RunError

HINT = "set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or the file ~/.ray/auth_token to the cluster's token"
NONE_SENT = "asks for a token and got none"
_ANSWER_S = 5.0
_LOOKED_UP_BY_RAY = ("auto", "local")


def token_file() -> Path:
    """Return where Ray keeps the token of this user; RAY_AUTH_TOKEN_PATH names another place."""
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    return Path(named) if named else Path.home() / ".ray" / "auth_token"


def sends_token() -> bool:
    """Return whether Ray's clients in this process send a token: they do when asked to by the environment."""
    return os.environ.get("RAY_AUTH_MODE", "").lower() == "token"


def write_token() -> None:
    """Write the token that a Ray of this machine is about to need, for this user alone.

    Ray writes it as it writes any file, which others can read where homes are open to them. A token that is there
    stays the same, and is closed to others.
    """
    wanted = os.environ.get("RAY_AUTH_MODE", "token").lower() == "token"
    if not wanted or {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & set(os.environ):
        return
    path = token_file()
    with suppress(OSError):  # Ray has its own words for a home in which nothing can be written
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, secrets.token_hex(32).encode())  # 256 bits, as Ray takes
        os.close(descriptor)
    close_to_others()


def close_to_others() -> None:
    """Take the right to read the token file from everybody but its owner, with a word, where everybody has it."""
    path = token_file()
    with suppress(OSError):  # not there, or not ours
        if path.stat().st_mode & 0o004:
            path.chmod(0o600)
            print(f"d2ace: {path} could be read by every user of this machine; now only by you", file=sys.stderr)


def require_token(address: str) -> None:
    """Ask the Ray head at RAY_ADDRESS whether it lets this client in, with the token that it sends or without one.

    Ray itself tries for half a minute and ends with a traceback. Any other trouble is left to Ray's words.

    Args:
        address: ``HOST:PORT``, or one of the words and schemes that Ray looks up by itself, which are not asked.

    Raises:
        RunError: when it asks for a token and got none or another, or when there is none to send.
    """
    if address in _LOOKED_UP_BY_RAY or "://" in address or os.environ.get("RAY_USE_TLS") == "1":
        return
    sent = _token() if sends_token() else None
    if sends_token() and sent is None:
        raise RunError(f"RAY_AUTH_MODE=token, but there is no token in RAY_AUTH_TOKEN or {token_file()}: {HINT}")
    import grpc

    metadata = [("authorization", f"Bearer {sent}")] if sent else []
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            channel.unary_unary("/ray.rpc.NodeInfoGcsService/CheckAlive")(b"", timeout=_ANSWER_S, metadata=metadata)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                met = f"refuses the token that was sent (from {_source()})" if sent else NONE_SENT
                raise RunError(f"RAY_ADDRESS={address} {met}: {HINT}") from None


def _token() -> str | None:
    """Return the token that Ray's clients send, None where there is none."""
    if given := os.environ.get("RAY_AUTH_TOKEN", "").strip():
        return given
    try:
        return token_file().read_text(encoding="utf-8").strip() or None
    except (OSError, ValueError):
        return None


def _source() -> str:
    """Return where ``_token`` found it."""
    return "RAY_AUTH_TOKEN" if os.environ.get("RAY_AUTH_TOKEN", "").strip() else str(token_file())
