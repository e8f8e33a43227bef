"""What a command prints on the terminal: progress bars, tables, paths, commands to try, errors."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from deepdream.markup import escaped

WIDTH = 120  # characters of a table where the output is no terminal
LONGEST_LINE = 1_000  # characters of an error
PACKAGE = Path(__file__).parent
SHARE = (TaskProgressColumn(), TimeRemainingColumn())
COUNTS = (MofNCompleteColumn(), TimeRemainingColumn())
BYTES = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())


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
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *columns,
        transient=True,
        disable=not Console().is_terminal,
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
    """Print a table, as wide as the terminal; `width` characters where the output is none. Its texts are no markup."""
    Console(width=None if Console().is_terminal else width, markup=False, emoji=False).print(table)


def print_error(message: str) -> None:
    """Print "error: ..." on stderr as one line, in which a terminal finds nothing to execute."""
    print(f"error: {printable(message)}", file=sys.stderr)


def printable(text: str) -> str:
    """`text` as one line for a terminal: control characters are escaped, and a long line loses its middle."""
    text = " ".join(text.split())
    text = escaped(text)
    return text if len(text) <= LONGEST_LINE else f"{text[: LONGEST_LINE * 2 // 3]} ... {text[-LONGEST_LINE // 3 :]}"


def command_line(app: str, *arguments: str) -> str:
    """A command to copy: `app` with these arguments, quoted for a shell where that is needed.

    >>> command_line("dream", "image=my photo.jpg")
    "python -m deepdream dream 'image=my photo.jpg'"
    """
    return " ".join([invocation(app), *map(shlex.quote, arguments)])


def invocation(app: str) -> str:
    """The command line that starts `app`, in the way in which the command at work was started.

    "python train.py", "deepdream-train", "deepdream train", or "python -m deepdream train".
    """
    started = Path(sys.argv[0])
    if started.name.startswith("deepdream-"):
        return f"deepdream-{app}"
    if started.name == "deepdream":
        return f"deepdream {app}"
    script = started.with_name(f"{app}.py")
    if started.suffix == ".py" and script.is_file() and not script.absolute().is_relative_to(PACKAGE):
        return f"python {shlex.quote(relative(script))}"
    return f"python -m deepdream {app}"


def relative(path: str | Path) -> str:
    """A path as a user would type it here: relative where it lies below the current folder."""
    path = Path(path).absolute()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
