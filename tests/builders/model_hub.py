"""A model hub on this machine's own address, which speaks as the public one does and can fail."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REVISION = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """One repository, and how serving it goes wrong.

    Parameters
    ----------
    cut : file to the bytes after which its connection is cut, once
    changed : files that arrive with a byte changed, once each
    sizes : file to another size than it has, as the hub tells it
    ranges : False to send files whole whatever range is asked for
    hold : file to the bytes after which it waits, once, until ``go`` is set; ``held`` tells so
    status : answer everything with this
    asked : (file, first byte) of every request for a file
    """

    folder: Path
    repository: str = "maker/model"
    revision: str = REVISION
    cut: dict[str, int] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    sizes: dict[str, int] = field(default_factory=dict)
    ranges: bool = True
    hold: dict[str, int] = field(default_factory=dict)
    held: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    status: int = 200
    asked: list[tuple[str, int]] = field(default_factory=list)
    endpoint: str = ""

    def description(self) -> dict:
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return {
            "id": self.repository,
            "sha": self.revision,
            "siblings": [self._sibling(path) for path in files],
        }

    def _sibling(self, path: Path) -> dict:
        name, data = path.relative_to(self.folder).as_posix(), path.read_bytes()
        size = self.sizes.get(name, len(data))
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
        sibling = {"rfilename": name, "size": size, "blobId": blob}
        if path.suffix in {".safetensors", ".pth", ".bin"}:
            digest = hashlib.sha256(data).hexdigest()
            sibling["lfs"] = {"sha256": digest, "size": size, "pointerSize": 130}
        return sibling


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if hub.status != 200:
                self.send_error(hub.status)
            elif path == f"/api/models/{hub.repository}":
                self._send(json.dumps(hub.description()).encode())
            elif path.startswith(f"/{hub.repository}/resolve/{hub.revision}/"):
                self._file(path.split(f"/resolve/{hub.revision}/")[1])
            else:
                self.send_error(404)

        def _file(self, name: str) -> None:
            data = (hub.folder / name).read_bytes()
            if name in hub.changed:
                hub.changed.remove(name)
                data = data[:-1] + bytes([data[-1] ^ 1])
            wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            start = int(wanted[1]) if wanted else 0
            hub.asked.append((name, start))
            if not hub.ranges:
                start = 0
            status = 206 if start else 200
            self._send(data[start:], status, hub.cut.pop(name, None), hub.hold.pop(name, 0))

        def _send(
            self, data: bytes, status: int = 200, cut: int | None = None, hold: int = 0
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if hold:
                self.wfile.write(data[:hold])
                hub.held.set()
                hub.go.wait()
            with suppress(ConnectionError):
                self.wfile.write(data[hold:cut])
            if cut is not None:
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        hub.endpoint = f"http://127.0.0.1:{server.server_port}"
        try:
            yield hub
        finally:
            hub.go.set()
            server.shutdown()
            thread.join()


def closed_port() -> str:
    """Return an address where nobody answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"
