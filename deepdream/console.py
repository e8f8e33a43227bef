"""What a command shows on the terminal: progress bars, tables, paths, error lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

WIDTH = 120  # characters of a table where the output is no terminal
COUNTS = (MofNCompleteColumn(), TimeRemainingColumn())


class Update(Protocol):
    """Moves a progress bar. None leaves a value as it is."""

    def __call__(self, done: int, total: int | None = None, description: str | None = None) -> None:
        """`done` of `total` steps are complete."""


@contextmanager
def progress_bar(
    description: str, *, total: int | None = None, columns: tuple[ProgressColumn, ...] = COUNTS
) -> Iterator[Update]:
    """A bar that appears with the first step and goes with the last; nothing where the output is no terminal."""
    with Progress(
        TextColumn("{task.description}"), BarColumn(), *columns, transient=True, disable=not Console().is_terminal
    ) as progress:
        task = None

        def update(done: int, total: int | None = total, description: str | None = None) -> None:
            nonlocal task
            if task is None:  # what an earlier run has done is no part of the speed
                task = progress.add_task(first_description, completed=done, total=total)
            progress.update(task, completed=done, total=total, description=description)

        first_description = description
        yield update


def print_table(table: Table, *, width: int = WIDTH) -> None:
    """Print a table, as wide as the terminal; `width` characters where the output is none."""
    Console(width=None if Console().is_terminal else width).print(table)


def print_error(message: str) -> None:
    """One line on stderr: "error: ..."."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr)


def invocation(app: str) -> str:
    """How the user starts an app: "deepdream-train" where an installed script is at work, else "python train.py"."""
    return f"deepdream-{app}" if Path(sys.argv[0]).name.startswith("deepdream-") else f"python {app}.py"


def relative(path: str | Path) -> str:
    """A path as a user would type it here: relative where it lies below the current folder."""
    path = Path(path).absolute()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def invocation(app: str) -> str:
    """The start of a command line for `app`, in the way this command was typed: "python explain.py" or a script."""
    typed = Path(sys.argv[0])
    if typed.suffix != ".py":
        return typed.name if typed.name.startswith("deepdream-") else f"{typed.name} {app}"
    return f"python -m deepdream {app}" if typed.name == "__main__.py" else f"python {app}.py"
