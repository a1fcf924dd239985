"""A read-only bucket over HTTP, in the dialects of S3 and of Google Cloud Storage: what pyarrow asks, no more."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

DATE = "2026-01-01T00:00:00.000Z"
GCS = re.compile(r"(?:/download)?/storage/v1/b/(?P<bucket>[^/]+)(?:/o(?:/(?P<key>.+))?)?")


class _Handler(BaseHTTPRequestHandler):
    root: Path
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def _answer(self, *, body: bool) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        if gcs := GCS.fullmatch(url.path):
            self._google(unquote(gcs["bucket"]), gcs["key"] and unquote(gcs["key"]), query)
        else:
            bucket, _, key = unquote(url.path).lstrip("/").partition("/")
            self._amazon(bucket, key, query, body=body)

    def _google(self, bucket: str, key: str | None, query: dict[str, str]) -> None:
        if key is None:
            names, folders = self._under(query.get("prefix", ""), query.get("delimiter", ""))
            items = [self._described(bucket, name) for name in names]
            self._send(json.dumps({"kind": "storage#objects", "items": items, "prefixes": folders}).encode())
        elif not (self.root / key).is_file():
            self._send(b'{"error": {"code": 404, "message": "not found"}}', 404)
        elif query.get("alt") == "media":
            self._send_file(self.root / key, body=True)
        else:
            self._send(json.dumps(self._described(bucket, key)).encode())

    def _described(self, bucket: str, key: str) -> dict[str, str]:
        size = str((self.root / key).stat().st_size)
        described = {"kind": "storage#object", "bucket": bucket, "name": key, "size": size, "generation": "1"}
        return described | {"updated": DATE, "timeCreated": DATE}

    def _amazon(self, bucket: str, key: str, query: dict[str, str], *, body: bool) -> None:
        if key:
            self._send_file(self.root / key, body=body)
            return
        names, folders = self._under(query.get("prefix", ""), query.get("delimiter", ""))
        contents = "".join(
            f"<Contents><Key>{escape(name)}</Key><Size>{(self.root / name).stat().st_size}</Size>"
            f"<LastModified>{DATE}</LastModified></Contents>"
            for name in names
        )
        common = "".join(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in folders)
        counts = f"<KeyCount>{len(names) + len(folders)}</KeyCount><IsTruncated>false</IsTruncated>"
        self._send(f"<ListBucketResult><Name>{bucket}</Name>{counts}{contents}{common}</ListBucketResult>".encode())

    def _under(self, prefix: str, delimiter: str) -> tuple[list[str], list[str]]:
        """Return the keys that start with a prefix, and with a delimiter what they have in common up to the next."""
        keys = sorted(path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file())
        keys = [key for key in keys if key.startswith(prefix)]
        if not delimiter:
            return keys, []
        folders = {key[: key.index(delimiter, len(prefix)) + 1] for key in keys if delimiter in key[len(prefix) :]}
        return [key for key in keys if delimiter not in key[len(prefix) :]], sorted(folders)

    def _send_file(self, path: Path, *, body: bool) -> None:
        if not path.is_file():
            self._send(b"", 404, body=body)
            return
        content, code = path.read_bytes(), 200
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(wanted[1]), int(wanted[2] or len(content) - 1)
            self.where = f"bytes {first}-{min(last, len(content) - 1)}/{len(content)}"
            content, code = content[first : last + 1], 206
        self._send(content, code, body=body)

    def _send(self, content: bytes, code: int = 200, *, body: bool = True) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        if code == 206:
            self.send_header("Content-Range", self.where)
        self.end_headers()
        if body:
            self.wfile.write(content)


@contextmanager
def bucket(root: Path) -> Iterator[int]:
    """Serve a folder as a bucket of any name and give the port.

    By a process of its own: pyarrow's client for Google holds the interpreter's lock while it waits for an answer.
    """
    with subprocess.Popen([sys.executable, __file__, str(root)], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield int(server.stdout.readline())
        finally:
            server.terminate()


if __name__ == "__main__":
    _Handler.root = Path(sys.argv[1])
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(http.server_port, flush=True)
    http.serve_forever()
