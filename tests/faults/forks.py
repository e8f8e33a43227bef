"""Commands as forks of one process that has imported all that they need.

A start then costs milliseconds instead of seconds, so that many commands can be run, and killed, in little time.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

COMMANDS = {
    "train": "deepdream.apps.train",
    "dream": "deepdream.apps.dream",
    "evaluate": "deepdream.apps.evaluate",
    "explain": "deepdream.apps.explain",
    "mit_indoor": "deepdream.scenes.mit_indoor",
    "scenes": "deepdream.scenes.__main__",
}

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        *COMMANDS.values(),
        "captum.attr",
        "deepdream.dreaming.films",
        "deepdream.evaluating",
        "deepdream.explaining",
        "deepdream.models",
        "deepdream.scenes",
        "deepdream.training",
        "deepdream.watching",
        "hydra._internal.utils",
        "hydra.core.plugins",
        "matplotlib.pyplot",
        "sklearn.manifold",
        "torch.utils.tensorboard",
    ]
)


@dataclass
class Command:
    """A command under way in `folder`. begun: when, by time.monotonic."""

    folder: Path
    process: Any
    begun: float = field(default_factory=time.monotonic)

    @property
    def said(self) -> str:
        """What it has printed so far, stdout and stderr."""
        path = self.folder / f"said-{self.process.name}.txt"
        return path.read_text(errors="replace") if path.exists() else ""

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


def begin(app: str, *arguments: str, folder: Path, before: Callable[[], None] | None = None) -> Command:
    """Start a command in `folder`. before: what its process does first; a function of a module."""
    folder.mkdir(parents=True, exist_ok=True)
    process = _FORKS.Process(target=_run, args=(app, arguments, folder, before))
    process.start()
    return Command(folder, process)


def run(app: str, *arguments: str, folder: Path, before: Callable[[], None] | None = None) -> Command:
    """A command that has ended well."""
    command = begin(app, *arguments, folder=folder, before=before)
    assert command.wait() == 0, command.said
    return command


def _run(app: str, arguments: tuple[str, ...], folder: Path, before: Callable[[], None] | None) -> None:
    import torch

    os.chdir(folder)
    said = os.open(f"said-{multiprocessing.current_process().name}.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    sys.argv = [str(ROOT / f"{app}.py"), *arguments]
    torch.set_num_threads(1)
    if before is not None:
        before()
    with contextlib.suppress(BrokenPipeError):
        sys.exit(importlib.import_module(COMMANDS[app]).main())
