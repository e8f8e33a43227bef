"""What a sweep keeps of itself, so that it goes on after a kill: its arguments, and how far each job has come.

A sweep goes on by composing its jobs again, in the same order. Those that are finished return their result at once. A
search that draws from a seed, as Optuna's samplers do, then asks for the same values as before.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deepdream.files import write_atomically

SWEEP = "sweep.json"  # in the folder of a sweep
JOB = ".job.json"  # in the folder of a job
FAILED = "failed.txt"  # in the folder of a sweep: a line for each job that failed, whichever process it ran in
BEGUN, DONE, BROKEN = "begun", "done", "broken"  # broken: ended with another status than 0


@dataclass(frozen=True)
class JobState:
    """How far the job with these overrides has come: BEGUN, DONE or BROKEN."""

    overrides: list[str]
    state: str

    def write(self, folder: Path) -> None:
        """Keep it in the folder of the job."""
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / JOB, json.dumps({"overrides": self.overrides, "state": self.state}).encode())


def state_of(folder: Path) -> JobState | None:
    """How far the job in `folder` has come; None where it has not begun."""
    path = folder / JOB
    return JobState(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def write_sweep(folder: Path, arguments: Sequence[str], *, goes_on: bool) -> None:
    """Keep the arguments of the sweep in `folder`, and forget jobs of another one unless this one `goes_on`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FAILED).unlink(missing_ok=True)
    if not goes_on:
        for path in folder.rglob(JOB):
            path.unlink()
    write_atomically(folder / SWEEP, json.dumps(list(arguments), indent=1).encode())


def read_sweep(folder: Path) -> list[str] | None:
    """The arguments of the sweep in `folder`; None where there is none."""
    path = folder / SWEEP
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None
