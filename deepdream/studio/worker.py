"""The other end of the computing process: begins it, gives it jobs, and begins it again when it dies."""

from __future__ import annotations

import itertools
import multiprocessing
import queue
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from deepdream.studio.computing import compute, warm_up

PATIENCE = 0.35  # seconds in which a job that is asked to stop has to end
MOST_DEATHS = 3  # of processes, one after the other, that have computed nothing


class JobFailed(Exception):
    """A job ended with an error. Its text is one line for the page."""


@dataclass
class _Job:
    seat: Hashable
    messages: queue.SimpleQueue[tuple[str, Any]] = field(default_factory=queue.SimpleQueue)
    ended: threading.Event = field(default_factory=threading.Event)


class Worker:
    """One computing process for all tabs; see `deepdream.studio.computing` for what a job is.

    ckpt: the network to load at the start; None loads none.
    """

    def __init__(self, ckpt: str | None) -> None:
        self._ckpt = ckpt
        self._jobs: dict[int, _Job] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._is_closed = False
        self._deaths = 0  # since a process last answered
        self._begin()

    def run(self, seat: Hashable, job: Callable[..., Any], *arguments: Any) -> Iterator[Any]:
        """What `job(task, *arguments)` reports, as it comes, and at last what it returns, if that is not None.

        seat: who waits for it, for example (tab, page): its earlier job is stopped. The iterator ends early where the
        job is stopped. Raises JobFailed where it fails, and where the process dies.
        """
        self.stop(seat)
        number, mine = next(self._numbers), _Job(seat)
        with self._lock:
            if self._deaths >= MOST_DEATHS:
                raise JobFailed("there is no computing process any more; begin the studio again")
            self._jobs[number] = mine
            self._send(("run", number, job, arguments))
        try:
            while True:
                kind, value = mine.messages.get()
                if kind == "report":
                    yield value
                    continue
                if kind == "failed":
                    raise JobFailed(value)
                if value is not None:
                    yield value
                return
        finally:  # also where the page has gone
            if not mine.ended.is_set():
                self._ask_to_stop(number)

    def result(self, seat: Hashable, job: Callable[..., Any], *arguments: Any) -> Any:
        """What `job` returns; None where it was stopped. Its reports are dropped. Raises what `run` raises."""
        values = [None, *self.run(seat, job, *arguments)]
        return values[-1]

    def stop(self, seat: Hashable) -> None:
        """End the jobs of `seat` in less than half a second.

        A job ends at its next step. Where that lasts too long, and no one else is at work, the process is ended and
        begun again; beside the jobs of others, what remains of the step is computed and dropped.
        """
        with self._lock:
            mine = {number: job for number, job in self._jobs.items() if job.seat == seat}
        for number in mine:
            self._ask_to_stop(number)
        if not mine or all(job.ended.wait(PATIENCE) for job in mine.values()):
            return
        with self._lock:
            if set(self._jobs) <= set(mine):
                self._process.kill()
                self._begin()
            for number, job in mine.items():
                self._finish(number, job, "stopped", None)

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._is_closed = True
            self._process.kill()
        self._process.join()
        self._reader.join()

    @property
    def pid(self) -> int | None:
        """The number of the process."""
        return self._process.pid

    def _begin(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=compute, args=(theirs,), name="deepdream-studio", daemon=True)
        self._process.start()
        theirs.close()
        if self._ckpt is not None:
            self._send(("run", 0, warm_up, (self._ckpt,)))
        self._reader = threading.Thread(target=self._receive, args=(self._connection, self._process), daemon=True)
        self._reader.start()

    def _ask_to_stop(self, number: int) -> None:
        with self._lock:
            if number in self._jobs and not self._is_closed:
                self._send(("stop", number, None, None))

    def _send(self, message: Any) -> None:
        with suppress(OSError):  # the process has just died: `_receive`, which notices, says so
            self._connection.send(message)

    def _finish(self, number: int, job: _Job, kind: str, value: Any) -> None:
        self._jobs.pop(number, None)
        job.ended.set()
        job.messages.put((kind, value))

    def _receive(self, connection: Connection, process: Any) -> None:
        """Hand out what comes from the process; begin it again at its end."""
        while True:
            try:
                number, kind, value = connection.recv()
            except (EOFError, OSError):
                break
            with self._lock:
                self._deaths = 0
                job = self._jobs.get(number)
                if job is None and kind == "failed":  # of the warm-up
                    print(f"studio: {value}")
                if job is not None and kind == "report":
                    job.messages.put((kind, value))
                elif job is not None:
                    self._finish(number, job, kind, value)
        process.join()
        connection.close()
        with self._lock:
            if self._is_closed or process is not self._process:
                return
            self._deaths += 1
            cause = _cause(process.exitcode)
            if self._jobs:
                print(f"studio: {cause}; it is started again")
            for number, job in list(self._jobs.items()):
                self._finish(number, job, "failed", f"{cause} and was started again; try once more, or a smaller image")
            if self._deaths < MOST_DEATHS:
                self._begin()
            else:
                print(f"studio: {cause} {self._deaths} times at its start; begin the studio again")


def _cause(status: int | None) -> str:
    killed = status == -9  # what Linux does where memory is short
    return f"the computing process has ended ({'killed, perhaps for its memory' if killed else f'status {status}'})"
