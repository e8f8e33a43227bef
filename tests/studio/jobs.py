"""Jobs for the computing process of the tests."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from deepdream.studio.computing import Task


def count(task: Task, to: int) -> str:
    for number in range(to):
        time.sleep(0.02)
        task.give_way()
        task.report(number)
    return "done"


def sleep(task: Task, seconds: float) -> str:
    """Deaf to a stop."""
    task.report("begun")
    time.sleep(seconds)
    return "awake"


def die(task: Task) -> None:
    os.kill(os.getpid(), 9)


def fail(task: Task, error: Exception) -> None:
    raise error


def process(task: Task) -> int:
    return os.getpid()


def about_itself(task: Task) -> dict[str, Any]:
    """Resident MB and open files of the process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {"mb": pages * os.sysconf("SC_PAGE_SIZE") / 2**20, "files": len(os.listdir("/proc/self/fd"))}
