"""An HTTP server at 127.0.0.1 for the page of a running study: few connections, each of them short.

It answers only requests from this machine: the socket is bound to 127.0.0.1, and requests must name
it, so that a foreign page whose name resolves to this address (DNS rebinding) learns nothing.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final, Protocol

from runner.errors import ResultsError

HOST: Final = "127.0.0.1"
MOST_CONNECTIONS: Final = 32
"""Each has a thread and a socket; a browser opens at most six."""
LONGEST_SECONDS: Final = 30.0
"""Limit of a whole connection; the slowest answer, a large figure to be drawn, takes a few seconds."""


class Live(Protocol):
    """The content that is served."""

    def html(self) -> bytes:
        """The page."""

    def state(self) -> dict[str, object]:
        """The state that an open page polls."""

    def file(self, folder: str, name: str) -> bytes | None:
        """A table or a figure of the page; None if there is none of that name."""


class _Handler(BaseHTTPRequestHandler):
    """Answers with the page, its state, its figures and its tables, and nothing else."""

    live: ClassVar[Live]
    server_version = "fivefold"
    sys_version = ""

    def do_GET(self) -> None:
        """See `http.server`."""
        host = self.headers.get("Host", "").rpartition(":")[0]
        if host not in (HOST, "localhost"):
            return self._answer(HTTPStatus.FORBIDDEN, b"This page is for this machine only.\n", "text/plain")
        path = self.path.partition("?")[0].strip("/")
        if not path:
            return self._answer(HTTPStatus.OK, self.live.html(), "text/html; charset=utf-8")
        if path == "state":
            return self._answer(HTTPStatus.OK, json.dumps(self.live.state()).encode(), "application/json")
        folder, _, name = path.partition("/")
        data = self.live.file(folder, name)
        if data is None:
            return self._answer(HTTPStatus.NOT_FOUND, b"No such figure or table.\n", "text/plain")
        return self._answer(HTTPStatus.OK, data, _KINDS[name.rpartition(".")[2]])

    def _answer(self, status: HTTPStatus, data: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


_KINDS: Final = {"csv": "text/csv; charset=utf-8", "png": "image/png", "svg": "image/svg+xml"}


class _PageServer(ThreadingHTTPServer):
    """A server whose connections are few and short, whatever clients do.

    Each has a thread. A connection that is not done after `LONGEST_SECONDS`, because it sends no request or
    does not read the answer, is cut; if there are too many, the oldest are cut at once, since a browser's
    request is answered within a moment.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, handler: type[_Handler]) -> None:
        super().__init__((HOST, port), handler)
        self._lock = threading.Lock()
        self._open: dict[socket.socket, float] = {}  # start times; the oldest first

    def process_request(self, request: Any, client_address: Any) -> None:
        """See `socketserver`."""
        with self._lock:
            self._open[request] = time.monotonic()
            self._cut(list(self._open)[: len(self._open) - MOST_CONNECTIONS])
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """See `socketserver`; called repeatedly."""
        limit = time.monotonic() - LONGEST_SECONDS
        with self._lock:
            self._cut([request for request, begun in self._open.items() if begun < limit])

    def _cut(self, requests: Sequence[socket.socket]) -> None:
        """Shut connections down; their threads read an end of file, or fail to write."""
        for request in requests:
            del self._open[request]
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        """See `socketserver`."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """See `socketserver`; a connection that was cut is not an error."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def listen(live: Live, port: int) -> ThreadingHTTPServer:
    """Open a server of the page at a port of 127.0.0.1; 0 takes a free one.

    Raises
    ------
    ResultsError
        If the port is taken or may not be used.
    """
    handler = type("Handler", (_Handler,), {"live": live})
    try:
        return _PageServer(port, handler)
    except (OSError, OverflowError) as error:
        what = getattr(error, "strerror", None) or str(error)
        raise ResultsError(
            f"cannot use port {port} of {HOST}: {what}.",
            where="port",
            hint="Choose another port, or omit it to take a free one.",
        ) from None
