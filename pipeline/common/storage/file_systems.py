"""The store of an address, and the path there."""

import os
import posixpath
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import pyarrow as pa
from pyarrow import fs

from ..errors import DataError
from .addresses import redacted
from .local_store import LocalStore
from .object_store import ObjectStore
from .retries import FIRST_CONTACT, POLICY, first_line, retried
from .stores import Store

_AMAZON = ("region", "scheme", "endpoint_override", "tls_ca_file_path")
_GOOGLE = ("scheme", "endpoint_override", "retry_limit_seconds")
_OWN_ENDPOINT = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""Variables that name a service of one's own; AWS's clients look at them in this order, pyarrow's does not."""
_NOBODY = "anonymous@"


def store_of(address: str) -> tuple[Store, str]:
    """Return the store of an address without keys, and the path there.

    The query of ``s3://`` and ``gs://`` may hold options of pyarrow's clients, none of which is a secret. Their own
    retries are as few as can be: ``retries`` counts.

    Raises:
        DataError: when the file system is not known or cannot be reached.
    """
    try:
        parts = urlsplit(address, allow_fragments=False)
        anonymous = parts.netloc.startswith(_NOBODY)
        if parts.scheme == "s3":
            return _amazon(_amazon_options(parts), anonymous), _path(parts)
        if parts.scheme in ("gs", "gcs"):
            return ObjectStore(_google(parts), "gs", anonymous), _path(parts)
        filesystem, path = fs.FileSystem.from_uri(address)
    except DataError:  # it is worded already
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        shown = redacted(address).rstrip("/")
        reason = str(error).replace(address, shown)
        raise DataError(f"{shown}: {reason}; expected a local path, file://, s3:// or gs://") from None
    if isinstance(filesystem, fs.LocalFileSystem):
        return LocalStore(), path
    return ObjectStore(filesystem, parts.scheme), path


def _amazon_options(parts: SplitResult) -> dict[str, str]:
    options = _own_endpoint() | _options(parts, _AMAZON)
    bucket = _path(parts).partition("/")[0]
    if not {"region", "endpoint_override"} & set(options):
        options["region"] = _region(bucket)
    return options


def _region(bucket: str) -> str:
    """Ask Amazon where a bucket lies."""
    try:
        return retried(lambda: fs.resolve_s3_region(bucket), "looking", f"s3://{bucket}", FIRST_CONTACT)
    except OSError as error:
        raise DataError(
            f"s3://{bucket} cannot be reached: {first_line(error)}; is the name right, and the network there? "
            f"{_OWN_ENDPOINT[-1]} names a service of one's own"
        ) from None


def _amazon(options: dict[str, str], anonymous: bool) -> ObjectStore:
    # A client opens as many connections as pyarrow has such threads when it is made, or 25.
    pa.set_io_thread_count(max(pa.io_thread_count(), POLICY.requests_in_flight))
    client = fs.S3FileSystem(
        anonymous=anonymous,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1),
        connect_timeout=POLICY.connect_s,
        request_timeout=POLICY.silence_s,
        allow_delayed_open=True,  # a small object is one request, not three
        **options,
    )
    return ObjectStore(client, "s3", anonymous, partial(_amazon, options, anonymous))


def _own_endpoint() -> dict[str, str]:
    """Return the service of one's own that the environment names, as options."""
    named = next(filter(None, map(os.environ.get, _OWN_ENDPOINT)), None)
    if named is None:
        return {}
    scheme, _, host = named.rpartition("://")
    return {"scheme": scheme or "https", "endpoint_override": host.rstrip("/")}


def _google(parts: SplitResult) -> fs.GcsFileSystem:
    options = _options(parts, _GOOGLE)
    limit = timedelta(seconds=float(options.pop("retry_limit_seconds", "1")))
    return fs.GcsFileSystem(anonymous=parts.netloc.startswith(_NOBODY), retry_time_limit=limit, **options)


def _options(parts: SplitResult, known: Sequence[str]) -> dict[str, str]:
    """Return the options of an address; the message for an unknown one does not show it, for it may be a token."""
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if set(options) - set(known):
        raise ValueError(f"its query may hold {', '.join(known)}, and there is something else")
    return options


def _path(parts: SplitResult) -> str:
    """Return bucket and key."""
    bucket = parts.netloc.removeprefix(_NOBODY)
    if not bucket:
        raise ValueError("the address names no bucket")
    return posixpath.normpath(posixpath.join(bucket, unquote(parts.path).strip("/")))
