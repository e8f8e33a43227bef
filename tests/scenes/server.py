"""A local web server for tests that misbehaves on demand."""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

BLOCK = 1 << 14


@dataclass(frozen=True)
class Answer:
    """How one request is answered.

    status: other than 200, nothing else is sent. cut: bytes after which the connection is dropped.
    stall: bytes after which nothing more comes until the server ends. ranges: whether Range is honoured.
    condition: whether If-Range is. extra: added to the length that is announced. announced: whether there is a length.
    tag: whether there is an ETag. pause: seconds before each block. location: a redirect.
    """

    status: int = 200
    cut: int | None = None
    stall: int | None = None
    ranges: bool = True
    condition: bool = True
    extra: int = 0
    announced: bool = True
    tag: bool = True
    pause: float = 0.0
    location: str | None = None


@dataclass
class Server:
    """Serves `files` (path without slash: content) until the `with` block ends.

    answers: for a path, how its next requests are answered, in order; later ones by `ordinary`.
    requests: (path, Range or None) of each request.
    """

    files: dict[str, bytes]
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    ordinary: Answer = field(default_factory=Answer)
    requests: list[tuple[str, str | None]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._http.block_on_close = False
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self._http.shutdown()
        self._http.server_close()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/{name}"

    def ranges(self, name: str) -> list[str | None]:
        """The Range headers of the requests for `name`."""
        return [asked for path, asked in self.requests if path == name]

    def next_answer(self, name: str, asked: str | None) -> Answer:
        with self._lock:
            self.requests.append((name, asked))
            return self.answers[name].pop(0) if self.answers.get(name) else self.ordinary


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            name, asked = self.path.lstrip("/"), self.headers.get("Range")
            answer = server.next_answer(name, asked)
            content = server.files.get(name)
            if answer.status != 200 or content is None:
                self._empty(404 if answer.status == 200 else answer.status, answer)
                return
            tag = f'"{hashlib.sha256(content).hexdigest()[:12]}"'
            current = self.headers.get("If-Range", tag) == tag or not answer.condition
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and answer.ranges and current else None
            if start is not None and start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self._end(0)
                return
            self.send_response(200 if start is None else 206)
            if start is not None:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            if answer.tag:
                self.send_header("ETag", tag)
            body = content[start or 0 :]
            self._end(len(body) + answer.extra if answer.announced else None)
            self._send(body, answer)

        def _empty(self, status: int, answer: Answer) -> None:
            self.send_response(status)
            if answer.location:
                self.send_header("Location", answer.location)
            self._end(0)

        def _end(self, length: int | None) -> None:
            if length is not None:
                self.send_header("Content-Length", str(length))
            self.send_header("Connection", "close")
            self.end_headers()

        def _send(self, body: bytes, answer: Answer) -> None:
            stop = next((at for at in (answer.cut, answer.stall) if at is not None), len(body))
            try:
                for begin in range(0, min(stop, len(body)), BLOCK):
                    time.sleep(answer.pause)
                    self.wfile.write(body[begin : min(begin + BLOCK, stop)])
            except OSError:  # the client was killed
                return
            if answer.stall is not None:
                self.wfile.flush()
                server.ended.wait()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    return Handler
