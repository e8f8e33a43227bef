"""python -m deepdream folders: photos sorted into one folder per class become a data set."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from deepdream import scenes
from deepdream.console import print_error


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the data set and print its size. Returns the exit status: 1 after a one-line error."""
    options = _parser().parse_args(arguments)
    try:
        train, test = scenes.write_layout(
            options.photos,
            options.root,
            test=options.test,
            test_share=options.test_share,
            seed=options.seed,
            copy=options.copy,
        )
    except (OSError, ValueError) as error:
        print_error(str(error))
        return 1
    classes = {entry.partition("/")[0] for entry in train}
    print(f"{options.root}: {len(classes)} classes, {len(train):,} training photos, {len(test):,} test photos")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deepdream folders",
        description="Make a data set in MIT Indoor's layout from photos that are sorted into one folder per class.",
        epilog="then:\n  python -m deepdream data data.root=DIR plots=true\n  python train.py data.root=DIR",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("photos", type=Path, help="a folder that holds <class>/<file>")
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help="the data set to write, a new folder")
    parser.add_argument("--test", type=Path, metavar="PHOTOS", help="test photos, in a folder of the same form")
    parser.add_argument(
        "--test-share", type=float, default=0.2, help="without --test: fraction of each class to test on (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of that draw (%(default)s)")
    parser.add_argument("--copy", action="store_true", help="copy the photos instead of linking to them")
    return parser
