"""python -m deepdream compare: which settings of a sweep reach the best accuracy."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from deepdream import dreaming, evaluating, images, models
from deepdream.apps.inputs import DEFAULT_PHOTO, read_photo
from deepdream.console import print_error, print_table, progress_bar, relative

if TYPE_CHECKING:
    from PIL import Image

# A dream that shows what the network has learned, in about a second on a CPU.
WIDTH = 256
DREAM = {"layers": ["75%"], "width": WIDTH, "octaves": 2, "steps": 6}


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare the runs of sweeps: a table on the console, a page, CSV files and a plot in the first folder.

    Returns the exit status: 0, or 1 after one line on stderr that says why.
    """
    parser = argparse.ArgumentParser(
        prog="python -m deepdream compare",
        description="Compare the runs of sweeps by validation accuracy. Runs that differ only in their seed are one\n"
        "setting with a mean and a standard deviation. Prints a table of the settings, and writes comparison.html\n"
        "(curves, confusions, a dream per run), comparison.csv (a row per run), settings.csv (a row per setting) and\n"
        "comparison.png into the first folder.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sweeps", type=Path, nargs="+", metavar="SWEEP", help="a folder multirun/<date>/<time>")
    parser.add_argument("--photo", default=DEFAULT_PHOTO, help="what each network dreams of (default: %(default)s)")
    parser.add_argument("--no-dreams", action="store_true", help="leave the dreams out: a second less for each run")
    given = parser.parse_args(arguments)
    folders: list[Path] = given.sweeps
    try:
        runs = evaluating.read_sweeps(*folders)
        title = f"{len(runs)} runs of {', '.join(map(relative, folders))}"
        written = evaluating.write_comparison(runs, folders[0], title=title)
        dreams = {} if given.no_dreams else _dreams(runs, given.photo)
        page = folders[0] / "comparison.html"
        photo = Path(given.photo).name if dreams else ""
        written.append(evaluating.write_comparison_page(page, runs, title=title, dreams=dreams, photo=photo))
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


def _dreams(runs: Sequence[evaluating.Run], photo: str) -> dict[str, Image.Image]:
    """What the best checkpoint of each run dreams of `photo`, by the name of the run; a note where it cannot."""
    found = {}
    checkpoints = {run.name: path for run in runs if (path := run.folder / "checkpoints" / "best.ckpt").is_file()}
    if not checkpoints:
        return {}
    config = dreaming.DreamConfig.preset("gordic", **DREAM)
    image = images.to_tensor(images.resize_to_width(read_photo(photo), WIDTH))
    with progress_bar("dreaming", total=len(checkpoints)) as update:
        for number, (name, path) in enumerate(checkpoints.items(), 1):
            try:
                found[name] = images.to_image(dreaming.Dreamer(models.load_network(path), config)(image))
            except ValueError as error:
                print(f"note: no dream of run {name}: {error}")
            update(number)
    return found


if __name__ == "__main__":
    sys.exit(main())
