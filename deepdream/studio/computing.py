"""The computing process: it works on the jobs of all tabs in turns, one at a time, and stops one when asked.

A job is a function `job(task, *arguments)` at the top of a module. It calls `task.report(value)` for what the page
shows meanwhile, and returns its result. `task.give_way()` lets the jobs of other tabs have their turn.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from deepdream.apps.checkpoints import chosen_network
from deepdream.apps.command import describe, is_expected

if TYPE_CHECKING:
    from deepdream.models import Network

SLICE = 0.2  # seconds after which a job gives way to one that waits
KEPT_NETWORKS = 2


class Stopped(BaseException):
    """Ends a job that nobody waits for. Not an Exception, so that no `except Exception` on its way catches it."""


class Turns:
    """One job computes, the others wait in line."""

    def __init__(self) -> None:
        self._line: deque[object] = deque()
        self._changed = threading.Condition()
        self._since = 0.0

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Inside the block it is the turn of this thread."""
        me = threading.get_ident()
        self._wait(me)
        try:
            yield
        finally:
            self._leave()

    def pass_on(self) -> None:
        """Go to the end of the line, if others wait and the turn was long enough."""
        if len(self._line) > 1 and time.monotonic() - self._since > SLICE:
            with _settings_kept():
                self._leave()
                self._wait(threading.get_ident())

    def _wait(self, me: int) -> None:
        with self._changed:
            self._line.append(me)
            self._changed.wait_for(lambda: self._line[0] == me)
            self._since = time.monotonic()

    def _leave(self) -> None:
        with self._changed:
            self._line.popleft()
            self._changed.notify_all()


@contextmanager
def _settings_kept() -> Iterator[None]:
    """What another job sets meanwhile is as before after the block: cuDNN's flags, see `repeatable_convolutions`, and
    the state of torch's generator, which attribution methods that sample seed."""
    if "torch" not in sys.modules:  # no job has computed yet
        yield
        return
    torch = sys.modules["torch"]
    cudnn = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.deterministic
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            yield
    finally:
        cudnn.benchmark, cudnn.deterministic = before


class Networks:
    """The networks that were used last, by name."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, float], Network] = OrderedDict()

    def __call__(self, name: str) -> Network:
        """The network called `name`, read again where its file has changed."""
        key = (name, os.stat(name).st_mtime if os.path.isfile(name) else 0.0)
        if key not in self._kept:
            self._kept[key] = chosen_network(name)
            while len(self._kept) > KEPT_NETWORKS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


class Task:
    """What a job has of the studio. network: a function from a name to the network, which is loaded once."""

    def __init__(self, send: Callable[[str, Any], None], turns: Turns, network: Networks) -> None:
        self.network = network
        self.is_stopped = False
        self._send = send
        self._turns = turns

    def report(self, value: Any) -> None:
        """Send `value` to the page. Raises Stopped where it waits no longer."""
        self.check()
        self._send("report", value)

    def give_way(self) -> None:
        """Let jobs of other tabs compute, where they wait. Raises Stopped where the page waits no longer.

        Call it only while nothing is attached to a network that jobs share (no `Taps` is open): a Dreamer has its own.
        """
        self.check()
        self._turns.pass_on()
        self.check()

    def check(self) -> None:
        """Raises Stopped where the page waits no longer."""
        if self.is_stopped:
            raise Stopped


def compute(connection: Connection) -> None:
    """Work on what comes through `connection` until it is closed; the main function of the computing process.

    ("run", number, job, arguments) begins a job, ("stop", number, None, None) ends it. What is sent back is (number,
    kind, value), of kind report, done, failed or stopped.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that serves the pages
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # what commands print; the pages show it otherwise
    turns, networks, sending = Turns(), Networks(), threading.Lock()
    tasks: dict[int, Task] = {}

    def work(number: int, job: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        kind, value = _outcome(tasks[number], turns, job, arguments)
        del tasks[number]
        send(number, kind, value)

    def send(number: int, kind: str, value: Any) -> None:
        with sending:
            connection.send((number, kind, value))

    while True:
        try:
            what, number, job, arguments = connection.recv()
        except (EOFError, OSError):
            os._exit(0)  # nobody is there who could want the results of the threads
        except Exception as error:  # a job whose module cannot be imported here
            print(f"studio: {error}", file=sys.stderr)
            continue
        if what == "run":
            tasks[number] = Task(partial(send, number), turns, networks)
            threading.Thread(target=work, args=(number, job, arguments), daemon=True).start()
        elif number in tasks:
            tasks[number].is_stopped = True


def _outcome(task: Task, turns: Turns, job: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[str, Any]:
    try:
        with turns.taken():
            task.check()
            return "done", job(task, *arguments)
    except Stopped:
        return "stopped", None
    except Exception as error:
        if not is_expected(error):
            traceback.print_exc()
        return "failed", describe(error)


def warm_up(task: Task, ckpt: str) -> None:
    """Import what a dream needs and load the first network, so that the first preview does not wait for it."""
    import torch

    from deepdream import dreaming

    network = task.network(ckpt)
    config = dreaming.DreamConfig.preset("vivid", octaves=1, steps=1, width=None)
    dreaming.Dreamer(network, config)(torch.full((3, 128, 128), 0.5))
