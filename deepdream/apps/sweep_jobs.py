"""A job of a sweep as a process of its own.

Lightning starts the command again for each further device: here that is the command of the one job, never the whole
sweep. A job that fails, or is killed for its memory, does not end the others, and no state of one reaches the next.
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
from deepdream.apps.overrides import flags_of, quoted, recorded
from deepdream.apps.resume import NO_RECORD
from deepdream.apps.run_folder import RUNNING, RunFolders
from deepdream.apps.sweep_record import BEGUN, BROKEN, DONE, FAILED, JobState, state_of
from deepdream.files import exclusive

FORWARDED = [getattr(signal, name) for name in ("SIGTERM", "SIGUSR1") if hasattr(signal, name)]  # Windows lacks one
GRID = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"  # its jobs do not depend on the results of others
LISTED = 5  # folders of failed jobs that an error names


class JobFailed(Exception):
    """A job of a sweep, or several, ended with another status than 0 after printing its own error."""


def failed_jobs() -> JobFailed | None:
    """How many jobs of the sweep that this process started have failed, and where their logs are; None without any."""
    record = RunFolders.sweep / FAILED if RunFolders.sweep is not None else None
    if record is None or not record.is_file():
        return None
    folders = record.read_text(encoding="utf-8").splitlines()
    if len(folders) == 1:
        return JobFailed(f"1 job of the sweep failed; its log is in {folders[0]}")
    places = ", ".join(folders[:LISTED]) + (f" and so on: {record}" if len(folders) > LISTED else "")
    return JobFailed(f"{len(folders)} jobs of the sweep failed; their logs are in {places}")


def run_alone(module: str, folder: Path) -> None:
    """Run `python -m module` in `folder`, with the configuration of the job that Hydra has just started.

    In a sweep that goes on, a finished job is left as it is, and one that was begun resumes. A failed one is tried
    again, but in a search, whose next values have come from its failure.

    Raises JobFailed, and ValueError where the job has other values than before. SIGTERM and SIGUSR1 are passed to the
    job, and end the sweep when the job has ended.
    """
    hydra = HydraConfig.get()
    overrides = recorded(hydra.overrides.task)
    before = state_of(folder)
    if before is not None and before.overrides != overrides:
        raise ValueError(
            f"{folder} was begun with {' '.join(before.overrides)}, and the sweep now asks for {' '.join(overrides)}; "
            "a search goes on where its sampler has a seed and hydra.sweeper.storage is null"
        )
    if before is not None and before.state == DONE:
        print(f"job {hydra.job.num} is finished: {folder}")
        return
    if before is not None and before.state == BROKEN and hydra.sweeper._target_ != GRID:
        raise _failed(folder, "failed before")
    job = [f"hydra.run.dir={quoted(folder)}", f"hydra.job.num={hydra.job.num}", "hydra.mode=RUN"]
    if before is not None:
        job += [f"resume={quoted(folder)}", NO_RECORD]
        with exclusive(folder / RUNNING, on_wait=lambda: print(f"waiting for the process at work in {folder}")):
            pass  # a job outlives its sweep, where only that was killed
    JobState(overrides, BEGUN).write(folder)
    here = str(Path(deepdream.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])}
    process = subprocess.Popen([sys.executable, "-m", module, *flags_of(hydra), *overrides, *job], env=environment)
    with _forwarded_to(process) as received:
        try:
            status = process.wait()
        except KeyboardInterrupt:  # the job got it too
            process.wait()
            raise
    if received:
        sys.exit(128 + received[0])
    JobState(overrides, BROKEN if status else DONE).write(folder)
    if status != 0:
        raise _failed(folder, f"ended with status {status}")


def _failed(folder: Path, how: str) -> JobFailed:
    """The error of the job at hand, which is also noted for the end of the sweep."""
    hydra = HydraConfig.get()
    note_failure(Path(hydra.sweep.dir), hydra.sweep.subdir)
    return JobFailed(f"job {hydra.job.num} of the sweep {how}; its log is in {folder}")


def note_failure(sweep: Path, job: str) -> None:
    """Note, for the end of the sweep, that the job in this folder of it has failed."""
    with (sweep / FAILED).open("a", encoding="utf-8") as file:
        file.write(f"{sweep / job}\n")


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
