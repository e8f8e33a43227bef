"""Download of a file from the first of several addresses that serves it completely, resumed after any interruption.

Our own and not pooch's, which starts over after a broken transfer: a download of 2.4 GB resumes with If-Range, also
after a kill, and never joins two versions of a file. Sources: RFC 9110, sections 13.1.5 (If-Range), 14 (ranges),
15.5.17 (416).
"""

from __future__ import annotations

import json
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse, InvalidURL
from pathlib import Path

from rich.filesize import decimal

from deepdream import __version__
from deepdream.files import require_space

BLOCK = 1 << 18  # bytes read at once

# Statuses after which a retry may succeed; any other one from 400 on is final.
_TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504}


class DownloadError(OSError):
    """No address served the file; the message lists, in one line, the error of each."""


class _Refused(Exception):
    """This address does not serve the file: try the next one."""


class _Broken(Exception):
    """The transfer was interrupted: worth a retry."""


@dataclass(frozen=True)
class RetryPolicy:
    """Timeouts and retries of a download.

    timeout: seconds without a byte after which a connection counts as dead.
    attempts: consecutive attempts without progress after which the next address is tried.
    pause, longest_pause: seconds before the next attempt, doubled after each without progress, up to the longest.
    """

    timeout: float = 60.0
    attempts: int = 5
    pause: float = 1.0
    longest_pause: float = 60.0


def download(
    urls: Sequence[str],
    path: Path,
    *,
    check: Callable[[Path], object] | None = None,
    copies: int = 1,
    on_bytes: Callable[[int, int | None], None] | None = None,
    on_retry: Callable[[str], None] | None = None,
    retry: RetryPolicy | None = None,
) -> None:
    """Write `path` from the first of `urls` that serves the file completely.

    Until then it grows in PATH.part; a later call, also after a kill, resumes there if the server still has the same
    file. There is never an incomplete file at `path`.

    check(part) raises ValueError for wrong content: it is removed, and the next address is tried.
    copies: free disk space to require, in multiples of the file's size (2 to unpack it in place).
    on_bytes(done, total) is called as bytes arrive; total is None where the server does not announce it.
    on_retry(line) is called before each retry.

    Raises DownloadError where no address served the file, and OSError where it cannot be written.
    """
    part = _Part(path)
    errors = []
    # The address of an earlier run goes first: only there can its download be resumed.
    for url in sorted(urls, key=lambda url: url != part.url):
        try:
            _fetch(url, part, copies, on_bytes or _ignore, on_retry or _ignore, retry or RetryPolicy())
            if check is not None:
                _check(part, check)
        except _Refused as error:
            errors.append(f"{url}: {error}")
        else:
            part.finish()
            return
    kept = f"; {decimal(part.size)} are kept, and the next run resumes from there" if part.size else ""
    raise DownloadError(f"{path.name} could not be downloaded: {'; '.join(errors)}{kept}")


class _Part:
    """The downloaded part of a file: PATH.part, and PATH.part.json, which identifies the file on the server."""

    def __init__(self, path: Path) -> None:
        self._whole = path
        self.path = path.with_name(f"{path.name}.part")
        self._notes = path.with_name(f"{path.name}.part.json")
        self.url: str | None = None
        self.validator: str | None = None
        self.total: int | None = None
        try:
            notes = json.loads(self._notes.read_text(encoding="utf-8"))
            self.url, self.validator, self.total = notes["url"], notes["validator"], notes["total"]
        except (OSError, ValueError, KeyError, TypeError):
            self.discard()

    @property
    def size(self) -> int:
        """Bytes downloaded."""
        return self.path.stat().st_size if self.path.exists() else 0

    def size_from(self, url: str) -> int:
        """Bytes downloaded from `url`."""
        return self.size if url == self.url else 0

    def begin(self, url: str, validator: str | None, total: int | None) -> None:
        """Start over. The bytes are removed before the notes change: notes never describe bytes of another file."""
        self.path.write_bytes(b"")
        self.url, self.validator, self.total = url, validator, total
        notes = {"url": url, "validator": validator, "total": total}
        self._notes.write_text(json.dumps(notes), encoding="utf-8")

    def discard(self) -> None:
        """Remove the downloaded part."""
        self.path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)
        self.url = self.validator = self.total = None

    def finish(self) -> None:
        """Rename the part to the complete file."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        self.path.replace(self._whole)
        self._notes.unlink(missing_ok=True)


def _fetch(
    url: str,
    part: _Part,
    copies: int,
    on_bytes: Callable[[int, int | None], None],
    on_retry: Callable[[str], None],
    retry: RetryPolicy,
) -> None:
    """Download the whole file into `part`, in as many transfers as needed while they make progress."""
    if not url.startswith(("http://", "https://")):
        raise _Refused("not an http:// or https:// address")
    furthest, failures = part.size_from(url), 0
    while True:
        try:
            _transfer(url, part, copies, on_bytes, retry.timeout)
            return
        except _Broken as error:
            progressed = part.size_from(url) > furthest
            furthest = max(furthest, part.size_from(url))
            failures = 0 if progressed else failures + 1
            if failures >= retry.attempts:
                raise _Refused(f"{error} (no progress in {failures} attempts)") from error
            pause = min(retry.pause * 2 ** max(failures - 1, 0), retry.longest_pause)
            on_retry(f"{url}: {error}; retrying in {pause:g} s")
            time.sleep(pause)


def _transfer(url: str, part: _Part, copies: int, on_bytes: Callable[[int, int | None], None], timeout: float) -> None:
    """One request: from the end of `part` to the end of the file."""
    done = part.size_from(url)
    if done and done == part.total:
        return
    with _open(url, part, done, timeout) as response:
        done, total = _position(response, url, part, done)
        if total is not None:
            require_space(part.path.parent, copies * total - done, part.path.stem)
        with part.path.open("ab") as file:
            while done != total and (block := _read(response, done, total, timeout)):
                file.write(block)
                done += len(block)
                on_bytes(done, total)
    if total is not None and done < total:
        raise _Broken(f"interrupted after {decimal(done)} of {decimal(total)}")


def _open(url: str, part: _Part, done: int, timeout: float) -> HTTPResponse:
    headers = {"User-Agent": f"deepdream/{__version__}"}
    if done:
        headers["Range"] = f"bytes={done}-"
        if part.validator is not None:
            headers["If-Range"] = part.validator  # if the file has changed, the server sends all of it
    try:
        response: HTTPResponse = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        status = f"{error.code} {error.reason}".strip()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and done:
            part.discard()
            raise _Broken(f"{status}: the file on the server has changed") from error
        raise (_Broken if error.code in _TRY_AGAIN else _Refused)(status) from error
    except (InvalidURL, ValueError) as error:
        raise _Refused(f"not a valid address ({error})") from error
    except (OSError, HTTPException) as error:
        raise _connection_error(error, timeout) from error
    return response


def _connection_error(error: Exception, timeout: float) -> _Broken | _Refused:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError):
        return _Broken(f"no data for {timeout:g} s")
    cause = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return (_Refused if isinstance(reason, ssl.SSLCertVerificationError) else _Broken)(cause)


def _position(response: HTTPResponse, url: str, part: _Part, done: int) -> tuple[int, int | None]:
    """The offset at which the response begins, and the size of the file (None: not announced)."""
    validator = _validator(response.headers)
    if response.status == HTTPStatus.PARTIAL_CONTENT and done:
        start, total = _content_range(response.headers)
        changed = None not in (total, part.total) and total != part.total
        changed |= None not in (validator, part.validator) and validator != part.validator
        if start != done or changed:
            part.discard()
            raise _Broken("the file on the server has changed")
        return done, part.total if total is None else total
    if response.status != HTTPStatus.OK:
        raise _Refused(f"unexpected status {response.status} {response.reason}")
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    part.begin(url, validator, total)
    return 0, total


def _validator(headers: Message) -> str | None:
    """The identifier of a version of the file: its ETag unless that is a weak one, else its date."""
    tag = headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")


def _content_range(headers: Message) -> tuple[int | None, int | None]:
    """Start and total of `bytes start-end/total`; None for what is missing."""
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", "").strip())
    if match is None:
        return None, None
    return int(match[1]), None if match[2] == "*" else int(match[2])


def _read(response: HTTPResponse, done: int, total: int | None, timeout: float) -> bytes:
    """The available bytes, at least one; none at the end. Not `read`, which loses the bytes before a stall."""
    try:
        return response.read1(BLOCK if total is None else min(BLOCK, total - done))
    except (OSError, HTTPException) as error:
        raise _connection_error(error, timeout) from error


def _check(part: _Part, check: Callable[[Path], object]) -> None:
    try:
        check(part.path)
    except ValueError as error:
        part.discard()
        raise _Refused(f"{error}; the download was removed") from error


def _ignore(*_: object) -> None:
    pass
