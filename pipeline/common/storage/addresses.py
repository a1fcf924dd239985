"""Addresses of storage (``s3://bucket/x``): what may be shown of one, and what must not be in it."""

import re

from ..errors import DataError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}://")  # without a bound, time is square in a long text
_ADDRESS = re.compile(rf"{_SCHEME.pattern}[^\s'\"]+")
_NOBODY = "anonymous@"
"""What pyarrow takes for "without credentials": no secret."""


def redacted(text: str) -> str:
    """Return a text in which no address shows a key: what stands before ``@``, and the query, which may hold a token.

    A secret key may contain ``/``, so where the host's part holds ``:`` all up to the last ``@`` goes.
    """
    found = _SCHEME.search(text)
    if found is None:
        return text
    start, rest = text[: found.end()], text[found.end() :].partition("?")[0]
    host = rest.partition("/")[0]
    if rest.startswith(_NOBODY) or "@" not in rest or not ("@" in host or ":" in host):
        return start + rest
    return f"{start}***@{rest.rpartition('@')[2]}"


def refuse_keys(address: str) -> None:
    """Refuse an address that holds keys.

    It would stand in process lists, shell histories, logs and the metadata of jobs.

    Raises:
        DataError: with what to do; it does not show the keys.
    """
    shown = redacted(address)
    if "://***@" in shown:
        hint = "leave them out and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE"
        hint += " or GOOGLE_APPLICATION_CREDENTIALS in the environment"
        raise DataError(f"{shown}: an address must not hold keys, which logs and files would keep: {hint}")


def refuse_keys_in(text: str, name: object) -> None:
    """Refuse a text, such as a YAML file's with its comments, in which an address holds keys.

    Args:
        text: its lines.
        name: what the message calls it.

    Raises:
        DataError: with the line; it does not show the keys.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        for address in _ADDRESS.findall(line):
            try:
                refuse_keys(address)
            except DataError as error:
                raise DataError.at(name, number, str(error)) from None
