"""A guard against hostile files: no process, connection, file written elsewhere, and bounded memory and time."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deepdream.apps.command import describe, is_expected
from deepdream.console import LONGEST_LINE

SECONDS = 20  # on a slow and busy machine; a sound file takes a hundredth of one
MEGABYTES = 600  # more than before
FORBIDDEN = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "socket.connect")


class StillAtWork(BaseException):
    """Not an Exception, which the code under test may catch."""


_seen: list[str] | None = None  # what happens while a guard is up


def _notice(event: str, arguments: tuple[Any, ...]) -> None:
    if _seen is None:
        return
    if event in FORBIDDEN and arguments[0] != "git":  # a run notes the commit of our code (deepdream.environment)
        _seen.append(f"{event} {arguments!r}"[:300])
    elif event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if os.path.basename(os.path.dirname(path)) != "__pycache__":  # Python keeps what it has compiled
            _seen.append(f"wrote {path}")


sys.addaudithook(_notice)  # Python's own record of what is done; a hook stays for good, so it is idle without a guard


@contextmanager
def guard(folder: Path) -> Iterator[None]:
    """Fails where what runs inside starts a process, connects, writes elsewhere, or takes too much or too long."""
    global _seen
    before = _restart_peak()
    previous = signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(SECONDS)
    _seen = []
    try:
        yield
    finally:
        seen, _seen = _seen, None
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    inside = f"wrote {folder.resolve()}{os.sep}"
    wrong = [each for each in seen if not each.startswith(inside)]
    assert not wrong, wrong
    more = _peak() - before
    assert more < MEGABYTES, f"{more:.0f} MB more than before"


def outcome(use: Callable[..., Any], *arguments: Any) -> Any:
    """What `use` returns, or the line that a command would print; fails where that is no single clear line."""
    try:
        return use(*arguments)
    except Exception as error:
        if not is_expected(error):  # a command would show a traceback
            raise
        line = describe(error)
    assert line.isprintable(), repr(line)
    assert len(line) <= LONGEST_LINE + 10, line
    return line


def _too_long(*_: object) -> None:
    raise StillAtWork(f"no answer after {SECONDS} s")


def _restart_peak() -> float:
    """Let the peak of memory begin anew, where the system can (Linux), and return it, in MB."""
    if os.access("/proc/self/clear_refs", os.W_OK):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> float:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
