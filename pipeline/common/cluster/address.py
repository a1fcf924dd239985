"""Whether a Ray head answers at an address, found out in seconds: Ray itself would try for a quarter of an hour."""

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import RunError

ANSWER_S = 10.0
"""Most seconds that a head has to answer."""
_NEAR_S = 1.0
_NOTED = "ray_current_cluster"
"""Where ``ray start`` notes the address of its head, in Ray's folder for temporary files."""
_CLIENT_PORT = 10001
_LOOKED_UP_BY_RAY = ("", "auto", "local")
# RFC 9113, section 3.4: how a client begins HTTP/2, with an empty SETTINGS frame; the server answers with its own.
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_SETTINGS = 4


def require_head(address: str, timeout_s: float = ANSWER_S) -> None:
    """Raise RunError unless something that speaks gRPC, as a Ray head does, answers at RAY_ADDRESS.

    Args:
        address: ``HOST:PORT``, ``ray://HOST:PORT``, or one of the words that Ray looks up by itself.
        timeout_s: most seconds to wait.

    Raises:
        RunError: saying what was found there and what to do.
    """
    if address in _LOOKED_UP_BY_RAY:
        return
    found = _found_at(address, timeout_s)
    if found is not None:
        raise RunError(
            f"RAY_ADDRESS={address}: {found}; start the cluster (ray start --head prints its address), correct "
            "RAY_ADDRESS, or unset it to use a Ray of this machine"
        )


def head_of_this_machine() -> str | None:
    """Return the address of the head that ``ray start --head`` noted on this machine, if something answers there."""
    temporary = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
    try:
        address = (Path(temporary) / "ray" / _NOTED).read_text().strip()
    except OSError:
        return None
    return address if address and _found_at(address, _NEAR_S) is None else None


def _found_at(address: str, timeout_s: float) -> str | None:
    """Return what is wrong with the address in words, None for a head."""
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        host, port = parts.hostname, parts.port or (_CLIENT_PORT if parts.scheme == "ray" else None)
    except ValueError as error:
        return f"no address ({error})"
    if not host or not port:
        return "expected HOST:PORT, ray://HOST:PORT, auto or local"
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            return None if os.environ.get("RAY_USE_TLS") == "1" else _refusal(connection)
    except TimeoutError:
        return f"no Ray head answers there within {timeout_s:g} s"
    except OSError as error:
        return f"no Ray head answers there ({error.strerror or error})"


def _refusal(connection: socket.socket) -> str | None:
    connection.sendall(_PREFACE)
    answer = connection.recv(9)
    if len(answer) > 3 and answer[3] == _SETTINGS:
        return None
    return "what answers there is no Ray head (is it the port of the dashboard?)"
