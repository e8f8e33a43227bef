"""Commands as forks of one process that has imported all that they need.

A start then costs milliseconds instead of seconds: many commands can be run, and killed, in little time.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
COMMANDS = {
    "train": "deepdream.apps.train",
    "dream": "deepdream.apps.dream",
    "evaluate": "deepdream.apps.evaluate",
    "predict": "deepdream.apps.predict",
    "export": "deepdream.apps.export",
    "explain": "deepdream.apps.explain",
    "microscope": "deepdream.apps.microscope",
    "download": "deepdream.apps.download",
    "data": "deepdream.apps.data",
}

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.preloaded"])


@cache
def _printed() -> tempfile.TemporaryDirectory[str]:
    """Where this process keeps what its commands print; gone with it."""
    return tempfile.TemporaryDirectory(prefix="printed-")


@dataclass
class Command:
    """A command under way in `folder`. begun: when, by time.monotonic."""

    folder: Path
    process: Any
    printed: Path
    begun: float = field(default_factory=time.monotonic)

    @property
    def stdout(self) -> str:
        """What it has printed so far."""
        return self.printed.joinpath("stdout").read_text(errors="replace")

    @property
    def stderr(self) -> str:
        """Its warnings and errors so far."""
        return self.printed.joinpath("stderr").read_text(errors="replace")

    @property
    def said(self) -> str:
        """Both."""
        return self.stdout + self.stderr

    def wait(self, seconds: float = 240) -> int:
        """Its exit status; minus the signal's number where one has ended it."""
        self.process.join(seconds)
        if self.process.is_alive():
            self.process.kill()
            raise TimeoutError(f"the command has not ended after {seconds:g} s; it said:\n{self.said}")
        return int(self.process.exitcode)

    def kill_after(self, seconds: float) -> int:
        """SIGKILL at that time after its start. Its exit status: 0 where it was quicker."""
        self.process.join(max(0.0, self.begun + seconds - time.monotonic()))
        if self.process.is_alive():
            os.kill(self.process.pid, signal.SIGKILL)
        return self.wait()


def begin(
    app: str, *arguments: str, folder: Path, before: Callable[[], None] | None = None, env: dict[str, str] | None = None
) -> Command:
    """Start a command in `folder`. before: what its process does first; a function of a module."""
    folder.mkdir(parents=True, exist_ok=True)
    printed = Path(tempfile.mkdtemp(dir=_printed().name))
    for name in ("stdout", "stderr"):
        (printed / name).touch()
    process = _FORKS.Process(target=_run, args=(app, arguments, folder, printed, before, env or {}))
    with contextlib.chdir(ROOT):  # else the forkserver does not find tests.preloaded, and says nothing
        forkserver.ensure_running()
    process.start()
    return Command(folder, process, printed)


def run(app: str, *arguments: str, folder: Path, before: Callable[[], None] | None = None) -> Command:
    """A command that has ended well."""
    command = begin(app, *arguments, folder=folder, before=before)
    assert command.wait() == 0, command.said
    return command


def _run(
    app: str,
    arguments: tuple[str, ...],
    folder: Path,
    printed: Path,
    before: Callable[[], None] | None,
    env: dict[str, str],
) -> None:
    import torch

    # As in a command of its own: else the workers of a loader would come from one more forkserver, which imports again.
    multiprocessing.set_start_method(multiprocessing.get_all_start_methods()[0], force=True)
    os.chdir(folder)
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(printed / name, os.O_WRONLY | os.O_APPEND), number)
    os.environ.update({"CUDA_VISIBLE_DEVICES": "", **env})
    if "OMP_NUM_THREADS" in os.environ:  # torch was imported before
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    sys.argv = [str(ROOT / f"{app}.py"), *arguments]
    if before is not None:
        before()
    try:
        sys.exit(importlib.import_module(COMMANDS[app]).main())
    finally:
        threading._shutdown()  # as at the end of an interpreter: the processes of joblib would idle for 5 minutes
