"""A bucket service of this process that speaks S3 as pyarrow's client asks, and fails on demand."""

import io
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Event, Lock, Thread
from typing import BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

DATE = "2026-01-01T00:00:00.000Z"
_CALLS = {
    ("HEAD", False): "HeadBucket",
    ("GET", False): "ListObjectsV2",
    ("POST", False): "DeleteObjects",
    ("HEAD", True): "HeadObject",
    ("GET", True): "GetObject",
    ("PUT", True): "PutObject",
    ("DELETE", True): "DeleteObject",
}


@dataclass
class Fault:
    """What happens instead of the next calls of a kind.

    ``busy``: 503 SlowDown. ``denied``: 403 AccessDenied. ``reset``: the connection closes without an answer.
    ``cut``: it closes in the middle of the body. ``slow``: the body comes byte by byte. ``silent``: nothing comes
    until the server ends.
    """

    call: str
    kind: str
    times: int


@dataclass
class ObjectServer:
    """What the service holds and saw.

    Attributes:
        port: where it listens.
        buckets: objects by key, of each bucket.
        calls: names of S3's calls in the order in which they came, those that failed among them.
        ranges: of each GetObject first and last byte, None for the whole.
        faults: what fails next.
        wait_for: GetObject answers when so many of them wait together, or after a while.
        together: the most that waited together.
        written: keys of what was put there, in order.
        changed: when each was put there, in seconds since 1970; as a single object says it.
        unlisted: keys that a listing does not show yet.
        page: most keys of one answer to a listing.
    """

    port: int = 0
    buckets: dict[str, dict[str, bytes]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    ranges: list[tuple[int, int] | None] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    wait_for: int = 0
    together: int = 0
    waiting: int = 0
    arrived: Condition = field(default_factory=Condition)
    written: list[str] = field(default_factory=list)
    changed: dict[str, float] = field(default_factory=dict)
    unlisted: set[str] = field(default_factory=set)
    page: int = 1000
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    ended: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)

    def address(self, path: str) -> str:
        """Return the address of a bucket, or of something in it."""
        return f"s3://{path}?scheme=http&endpoint_override=127.0.0.1:{self.port}"

    def fail(self, call: str, kind: str, times: int = 1) -> None:
        """Let the next calls of a kind fail."""
        self.faults.append(Fault(call, kind, times))

    def meet(self) -> None:
        """Wait until ``wait_for`` calls are here."""
        with self.arrived:
            self.waiting += 1
            self.together = max(self.together, self.waiting)
            self.arrived.notify_all()
            self.arrived.wait_for(lambda: self.together >= self.wait_for, timeout=10)
            self.waiting -= 1

    def fault_of(self, call: str) -> str | None:
        """Return what happens to a call, None when it succeeds, and count it."""
        with self.lock:
            self.calls.append(call)
            for fault in self.faults:
                if fault.call == call and fault.times > 0:
                    fault.times -= 1
                    return fault.kind
        return None


class _Handler(BaseHTTPRequestHandler):
    service: ObjectServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms for the client's acknowledgement

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        url = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        self.bucket, _, self.key = unquote(url.path).lstrip("/").partition("/")
        self.body = self._content()
        call = self._call()
        self.fault = self.service.fault_of(call)
        if self.fault == "reset":
            self.close_connection = True
        elif self.fault == "silent":
            self.service.ended.wait()
            self.close_connection = True
        elif self.fault == "busy":
            self._refuse(503, "SlowDown", "Please reduce your request rate.")
        elif self.fault == "denied":
            self._refuse(403, "AccessDenied", "Access Denied")
        elif self.bucket not in self.service.buckets:
            self._refuse(404, "NoSuchBucket", "The specified bucket does not exist")
        else:
            if call == "GetObject":
                self.service.meet()
            with self.service.lock:
                send = getattr(self, f"_{call}")()
            send()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815 - names of the base class

    def _call(self) -> str:
        if self.key and "uploads" in self.query:
            return "CreateMultipartUpload"
        if self.key and "uploadId" in self.query:
            multipart = {"PUT": "UploadPart", "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload"}
            return multipart[self.command]
        return _CALLS[self.command, bool(self.key)]

    def _content(self) -> bytes:
        """Return the request's body; the client may send it in chunks that carry checksums."""
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            raw = b"".join(self._chunks(self.rfile))
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            raw = b"".join(self._chunks(io.BytesIO(raw)))
        return raw

    @staticmethod
    def _chunks(file: BinaryIO) -> Iterator[bytes]:
        """Yield the chunks of a body, and read what follows the last one up to an empty line: the trailer."""
        while size := int(file.readline().partition(b";")[0], 16):
            yield file.read(size)
            file.readline()
        while file.readline().strip():
            pass

    @property
    def objects(self) -> dict[str, bytes]:
        return self.service.buckets[self.bucket]

    def _HeadBucket(self):  # noqa: N802 - names of S3's calls
        return lambda: self._send(b"")

    def _HeadObject(self):  # noqa: N802
        content = self.objects.get(self.key)
        return (lambda: self._send(b"", 404)) if content is None else (lambda: self._send(content))

    def _GetObject(self):  # noqa: N802
        content = self.objects.get(self.key)
        if content is None:
            return lambda: self._refuse(404, "NoSuchKey", "The specified key does not exist.")
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not wanted:
            self.service.ranges.append(None)
            return lambda: self._send(content)
        first, last = int(wanted[1]), min(int(wanted[2] or len(content) - 1), len(content) - 1)
        self.service.ranges.append((first, last))
        where = f"bytes {first}-{last}/{len(content)}"
        return lambda: self._send(content[first : last + 1], 206, {"Content-Range": where})

    def _PutObject(self):  # noqa: N802
        self.objects[self.key] = self.body
        self.service.written.append(self.key)
        self.service.changed[self.key] = time.time()
        return lambda: self._send(b"", headers={"ETag": '"1"'})

    def _DeleteObject(self):  # noqa: N802
        self.objects.pop(self.key, None)
        return lambda: self._send(b"", 204)

    def _DeleteObjects(self):  # noqa: N802
        for key in re.findall(r"<Key>(.*?)</Key>", self.body.decode()):
            self.objects.pop(key, None)
        return lambda: self._send(b"<DeleteResult></DeleteResult>")

    def _CreateMultipartUpload(self):  # noqa: N802
        number = f"upload{len(self.service.uploads)}"
        self.service.uploads[number] = {}
        said = f"<Bucket>{self.bucket}</Bucket><Key>{escape(self.key)}</Key><UploadId>{number}</UploadId>"
        said = f"<InitiateMultipartUploadResult>{said}</InitiateMultipartUploadResult>"
        return lambda: self._send(said.encode())

    def _UploadPart(self):  # noqa: N802
        number = int(self.query["partNumber"])
        self.service.uploads[self.query["uploadId"]][number] = self.body
        return lambda: self._send(b"", headers={"ETag": f'"{number}"'})

    def _CompleteMultipartUpload(self):  # noqa: N802
        parts = self.service.uploads[self.query["uploadId"]]
        self.objects[self.key] = b"".join(parts[number] for number in sorted(parts))
        said = f"<Key>{escape(self.key)}</Key><ETag>1</ETag>"
        said = f"<CompleteMultipartUploadResult>{said}</CompleteMultipartUploadResult>"
        return lambda: self._send(said.encode())

    def _AbortMultipartUpload(self):  # noqa: N802
        return lambda: self._send(b"", 204)

    def _ListObjectsV2(self):  # noqa: N802
        prefix, delimiter = self.query.get("prefix", ""), self.query.get("delimiter", "")
        after = self.query.get("continuation-token", "")
        entries: dict[str, int | None] = {}
        for key in sorted(set(self.objects) - self.service.unlisted):
            if key.startswith(prefix):
                rest = key[len(prefix) :]
                deeper = delimiter and delimiter in rest
                entries[prefix + rest[: rest.index(delimiter) + 1] if deeper else key] = (
                    None if deeper else len(self.objects[key])
                )
        names = [name for name in entries if name > after]
        most = min(self.service.page, int(self.query.get("max-keys", 1000)))
        said = f"<Name>{self.bucket}</Name><KeyCount>{len(names[:most])}</KeyCount>"
        said += f"<IsTruncated>{'true' if len(names) > most else 'false'}</IsTruncated>"
        if len(names) > most:
            said += f"<NextContinuationToken>{escape(names[most - 1])}</NextContinuationToken>"
        for name in names[:most]:
            if entries[name] is None:
                said += f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
            else:
                about = f"<Size>{entries[name]}</Size><LastModified>{DATE}</LastModified>"
                said += f"<Contents><Key>{escape(name)}</Key>{about}</Contents>"
        return lambda: self._send(f"<ListBucketResult>{said}</ListBucketResult>".encode())

    def _refuse(self, code: int, word: str, why: str) -> None:
        self._send(f"<Error><Code>{word}</Code><Message>{why}</Message></Error>".encode(), code)

    def _send(self, content: bytes, code: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Last-Modified", formatdate(self.service.changed.get(self.key, 0), usegmt=True))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.fault == "cut":
            content, self.close_connection = content[: len(content) // 2], True
        if self.fault == "slow":
            for place in range(len(content)):
                self.wfile.write(content[place : place + 1])
                self.wfile.flush()
            return
        self.wfile.write(content)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away."""


@contextmanager
def object_server(*buckets: str) -> Iterator[ObjectServer]:
    """Serve empty buckets from a thread of this process; pyarrow's client for S3 lets other threads run meanwhile."""
    service = ObjectServer(buckets={bucket: {} for bucket in buckets})
    with _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"service": service})) as server:
        service.port = server.server_port
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield service
        finally:
            service.ended.set()
            server.shutdown()
            thread.join()
