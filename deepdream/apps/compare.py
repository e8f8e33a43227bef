"""python -m deepdream compare: which settings of a sweep reach the best accuracy."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from deepdream import evaluating
from deepdream.console import print_error, print_table, relative


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare the runs of sweeps: a table on the console, CSV files and a plot in the first folder.

    Returns the exit status: 0, or 1 after one line on stderr that says why.
    """
    parser = argparse.ArgumentParser(
        prog="python -m deepdream compare",
        description="Compare the runs of sweeps by validation accuracy. Runs that differ only in their seed are one\n"
        "setting with a mean and a standard deviation. Prints a table of the settings, and writes comparison.csv\n"
        "(a row per run), settings.csv (a row per setting) and comparison.png into the first folder.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sweeps", type=Path, nargs="+", metavar="SWEEP", help="a folder multirun/<date>/<time>")
    folders: list[Path] = parser.parse_args(arguments).sweeps
    try:
        runs = evaluating.read_sweeps(*folders)
        title = f"{len(runs)} runs of {', '.join(map(relative, folders))}"
        written = evaluating.write_comparison(runs, folders[0], title=title)
    except (OSError, ValueError) as error:
        print_error(str(error))
        return 1
    header, *rows = evaluating.settings_table(evaluating.group_by_setting(runs))
    table = Table(title="settings by mean validation accuracy, in descending order", title_justify="left")
    for column in header:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    print_table(table)
    print(f"written: {', '.join(map(relative, written))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
