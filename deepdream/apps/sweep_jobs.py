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
from typing import Any, ClassVar

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

import deepdream
from deepdream.apps.overrides import flags_of, quoted

FORWARDED = (signal.SIGTERM, signal.SIGUSR1)
FAILED = "failed.txt"  # in the folder of a sweep: a line for each job that failed, whichever process it ran in
NAMED = 5  # folders of failed jobs that one line has room for


class JobFailed(Exception):
    """A job of a sweep ended with another status than 0, or several did; they have said why themselves."""


class Sweep(Callback):
    """Tells this process the folder of the sweep that it begins; Hydra builds it, by conf/train.yaml."""

    folder: ClassVar[Path | None] = None

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Nothing has failed yet."""
        Sweep.folder = Path(config.hydra.sweep.dir)
        (Sweep.folder / FAILED).unlink(missing_ok=True)


def failed_jobs() -> JobFailed | None:
    """How many jobs of the sweep that this process ran have failed, and where their logs are; None without any."""
    if Sweep.folder is None or not (Sweep.folder / FAILED).is_file():
        return None
    folders = (Sweep.folder / FAILED).read_text(encoding="utf-8").splitlines()
    if len(folders) == 1:
        return JobFailed(f"1 job of the sweep failed; its log is in {folders[0]}")
    places = ", ".join(folders[:NAMED]) + (f" and so on: {Sweep.folder / FAILED}" if len(folders) > NAMED else "")
    return JobFailed(f"{len(folders)} jobs of the sweep failed; their logs are in {places}")


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
        with (Path(hydra.sweep.dir) / FAILED).open("a", encoding="utf-8") as file:
            file.write(f"{Path(hydra.sweep.dir) / hydra.sweep.subdir}\n")
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
