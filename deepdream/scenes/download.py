"""A file from the first of several web addresses that gives it whole; a transfer that broke off goes on where it was.

Nothing here knows what is in the file. Sources: RFC 9110, sections 13.1.5 (If-Range), 14 (ranges), 15.5.17 (416).
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

BLOCK = 1 << 18  # bytes asked for at once

# A server that says one of these may give the file later; any other status from 400 on is final.
_TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504}


class DownloadError(OSError):
    """No address gave the file; the message lists, in one line, what each of them said."""


class _Refused(Exception):
    """This address does not give the file: the next one's turn."""


class _Broken(Exception):
    """The transfer broke off: worth another try."""


@dataclass(frozen=True)
class Patience:
    """How long a download waits.

    timeout: seconds without a byte after which a connection counts as dead.
    attempts: tries in a row that get no further, after which the next address is tried.
    pause, longest_pause: seconds before the next try, doubled for each that gets no further, up to the longest.
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
    on_trouble: Callable[[str], None] | None = None,
    patience: Patience | None = None,
) -> None:
    """Write `path` from the first of `urls` that gives the file whole.

    Until then it grows in PATH.part; a later call, also after a kill, goes on there if the server still has the same
    file. At no moment is there an incomplete file at `path`.

    check(part) raises ValueError for content that is not what it should be: it is removed, and the next address tried.
    copies: how many times its size has to be free on the disk before anything is written (2 to unpack it in place).
    on_bytes(done, total) is called as bytes arrive; total is None where the server does not say.
    on_trouble(line) is called before each further try.

    Raises DownloadError where no address gave the file, and OSError where it cannot be written.
    """
    part = _Part(path)
    said = []
    # What an earlier run has left is worth most where it came from.
    for url in sorted(urls, key=lambda url: url != part.url):
        try:
            _fetch(url, part, copies, on_bytes or _ignore, on_trouble or _ignore, patience or Patience())
            if check is not None:
                _check(part, check)
        except _Refused as error:
            said.append(f"{url}: {error}")
        else:
            part.finish()
            return
    kept = f"; {decimal(part.size)} are kept, and the next run goes on from there" if part.size else ""
    raise DownloadError(f"{path.name} could not be downloaded: {'; '.join(said)}{kept}")


class _Part:
    """What has arrived of a file: PATH.part, and beside it PATH.part.json, which says of which file."""

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
        """Bytes that have arrived."""
        return self.path.stat().st_size if self.path.exists() else 0

    def size_from(self, url: str) -> int:
        """Bytes that have arrived from `url`."""
        return self.size if url == self.url else 0

    def begin(self, url: str, validator: str | None, total: int | None) -> None:
        """Start over. The bytes go before the notes change: notes never describe bytes of another file."""
        self.path.write_bytes(b"")
        self.url, self.validator, self.total = url, validator, total
        notes = {"url": url, "validator": validator, "total": total}
        self._notes.write_text(json.dumps(notes), encoding="utf-8")

    def discard(self) -> None:
        """Remove what has arrived."""
        self.path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)
        self.url = self.validator = self.total = None

    def finish(self) -> None:
        """Give the file its name."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        self.path.replace(self._whole)
        self._notes.unlink(missing_ok=True)


def _fetch(
    url: str,
    part: _Part,
    copies: int,
    on_bytes: Callable[[int, int | None], None],
    on_trouble: Callable[[str], None],
    patience: Patience,
) -> None:
    """All of the file into `part`, in as many transfers as that takes while they get further."""
    if not url.startswith(("http://", "https://")):
        raise _Refused("not an http:// or https:// address")
    furthest, failures = part.size_from(url), 0
    while True:
        try:
            _transfer(url, part, copies, on_bytes, patience.timeout)
            return
        except _Broken as error:
            got_further = part.size_from(url) > furthest
            furthest = max(furthest, part.size_from(url))
            failures = 0 if got_further else failures + 1
            if failures >= patience.attempts:
                raise _Refused(f"{error} ({failures} tries in a row got no further)") from error
            pause = min(patience.pause * 2 ** max(failures - 1, 0), patience.longest_pause)
            on_trouble(f"{url}: {error}; trying again in {pause:g} s")
            time.sleep(pause)


def _transfer(url: str, part: _Part, copies: int, on_bytes: Callable[[int, int | None], None], timeout: float) -> None:
    """One request: from where `part` ends to the end of the file."""
    done = part.size_from(url)
    if done and done == part.total:
        return
    with _open(url, part, done, timeout) as response:
        done, total = _place(response, url, part, done)
        if total is not None:
            require_space(part.path.parent, copies * total - done, part.path.stem)
        with part.path.open("ab") as file:
            while done != total and (block := _read(response, done, total, timeout)):
                file.write(block)
                done += len(block)
                on_bytes(done, total)
    if total is not None and done < total:
        raise _Broken(f"broke off after {decimal(done)} of {decimal(total)}")


def _open(url: str, part: _Part, done: int, timeout: float) -> HTTPResponse:
    headers = {"User-Agent": f"deepdream/{__version__}"}
    if done:
        headers["Range"] = f"bytes={done}-"
        if part.validator is not None:
            headers["If-Range"] = part.validator  # a file that has changed comes whole
    try:
        response: HTTPResponse = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        answer = f"{error.code} {error.reason}".strip()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and done:
            part.discard()
            raise _Broken(f"{answer}: the file there is not what had begun to arrive") from error
        raise (_Broken if error.code in _TRY_AGAIN else _Refused)(answer) from error
    except (InvalidURL, ValueError) as error:
        raise _Refused(f"not an address ({error})") from error
    except (OSError, HTTPException) as error:
        raise _no_answer(error, timeout) from error
    return response


def _no_answer(error: Exception, timeout: float) -> _Broken | _Refused:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError):
        return _Broken(f"nothing came for {timeout:g} s")
    said = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return (_Refused if isinstance(reason, ssl.SSLCertVerificationError) else _Broken)(said)


def _place(response: HTTPResponse, url: str, part: _Part, done: int) -> tuple[int, int | None]:
    """Where in the file the answer begins, and how long the file is (None: the server does not say)."""
    validator = _validator(response.headers)
    if response.status == HTTPStatus.PARTIAL_CONTENT and done:
        start, total = _content_range(response.headers)
        changed = None not in (total, part.total) and total != part.total
        changed |= None not in (validator, part.validator) and validator != part.validator
        if start != done or changed:
            part.discard()
            raise _Broken("the file there is not what had begun to arrive")
        return done, part.total if total is None else total
    if response.status != HTTPStatus.OK:
        raise _Refused(f"answered {response.status} {response.reason}, which was not asked for")
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    part.begin(url, validator, total)
    return 0, total


def _validator(headers: Message) -> str | None:
    """What tells one version of the file from another: its ETag unless that is a weak one, or its date."""
    tag = headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")


def _content_range(headers: Message) -> tuple[int | None, int | None]:
    """Start and total of `bytes start-end/total`; None for what is not said."""
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", "").strip())
    if match is None:
        return None, None
    return int(match[1]), None if match[2] == "*" else int(match[2])


def _read(response: HTTPResponse, done: int, total: int | None, timeout: float) -> bytes:
    """What has come, at least a byte; nothing at the end. Not `read`, which loses what came before a stall."""
    try:
        return response.read1(BLOCK if total is None else min(BLOCK, total - done))
    except (OSError, HTTPException) as error:
        raise _no_answer(error, timeout) from error


def _check(part: _Part, check: Callable[[Path], object]) -> None:
    try:
        check(part.path)
    except ValueError as error:
        part.discard()
        raise _Refused(f"{error}; what had arrived was removed") from error


def _ignore(*_: object) -> None:
    pass
