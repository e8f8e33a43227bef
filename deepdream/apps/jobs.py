"""A job of a sweep, as a process of its own.

What the processes of several devices start again is then the command of this one job, in its own folder: never the
sweep. A job that fails, or is killed for its memory, leaves the others alone, and nothing of one job reaches the next.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig

import deepdream
from deepdream.apps.arguments import flags_of, quoted

FORWARDED = (signal.SIGTERM, signal.SIGUSR1)


class JobFailed(Exception):
    """A job of a sweep ended with another status than 0; it has said why itself."""


def run_alone(module: str, folder: Path) -> None:
    """`python -m module` with the configuration of the job that Hydra has just begun, in `folder`.

    Raises JobFailed. SIGTERM and SIGUSR1 reach the job, and end the sweep when it has ended.
    """
    hydra = HydraConfig.get()
    job = [f"hydra.run.dir={quoted(folder)}", f"hydra.job.num={hydra.job.num}", "hydra.mode=RUN"]
    here = str(Path(deepdream.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])}
    process = subprocess.Popen(
        [sys.executable, "-m", module, *flags_of(hydra), *hydra.overrides.task, *job], env=environment
    )
    with _forwarded_to(process) as received:
        try:
            status = process.wait()
        except KeyboardInterrupt:  # the job got it too
            process.wait()
            raise
    if received:
        sys.exit(128 + received[0])
    if status != 0:
        raise JobFailed(f"job {hydra.job.num} of the sweep ended with status {status}; its log is in {folder}")


@contextmanager
def _forwarded_to(process: subprocess.Popen[Any]) -> Iterator[list[int]]:
    received: list[int] = []

    def forward(number: int, frame: Any) -> None:
        received.append(number)
        process.send_signal(number)

    before = {number: signal.signal(number, forward) for number in FORWARDED}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
