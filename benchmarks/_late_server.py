"""A server of a bucket's files whose every answer comes late: nginx with its Lua module.

It answers what reading asks (HEAD and GET of whole objects and of ranges) from a folder, at a small part of the cost of
a server written in Python, and does not look at signatures. Objects are put there as files.
"""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from _common import free_port

LUA = Path("/usr/lib/nginx/modules/ngx_http_lua_module.so")
PACKAGES = "apt install nginx-light libnginx-mod-http-lua"
LIMIT_S = 20

SETTINGS = """
load_module {modules}/ndk_http_module.so;
load_module {modules}/ngx_http_lua_module.so;
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/errors;
events {{ worker_connections 1024; }}
http {{
    log_format sent "$body_bytes_sent";
    access_log {folder}/sent sent;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    sendfile on;
    server {{
        listen 127.0.0.1:{port};
        root {root};
        location / {{ access_by_lua_block {{ ngx.sleep({delay_s}) }} }}
    }}
}}
"""


@dataclass
class LateServer:
    """Where it listens, the folder of its buckets, and its own."""

    port: int
    root: Path
    folder: Path

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def sent(self) -> int:
        """Return the bytes of all bodies so far."""
        return sum(map(int, (self.folder / "sent").read_text().split()))


def installed() -> bool:
    """Say whether nginx and its Lua module are there."""
    return shutil.which("nginx") is not None and LUA.exists()


@contextmanager
def late_server(folder: Path, delay_s: float) -> Iterator[LateServer]:
    """Serve ``folder/root``, which is made, ``delay_s`` seconds late, until the block ends."""
    server = LateServer(free_port(), folder / "root", folder / "nginx")
    server.root.mkdir()
    server.folder.mkdir()
    settings = server.folder / "settings"
    values = {"modules": LUA.parent, "folder": server.folder, "port": server.port, "root": server.root}
    settings.write_text(SETTINGS.format(**values, delay_s=delay_s))
    folder.chmod(0o755)  # its worker is another user when root starts it
    with subprocess.Popen(["nginx", "-c", str(settings), "-e", str(server.folder / "errors")]) as process:
        try:
            _wait_for(server, process)
            yield server
        finally:
            process.terminate()


def _wait_for(server: LateServer, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", server.port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nginx does not listen: {(server.folder / 'errors').read_text()}")
