"""python -m deepdream download: download MIT Indoor Scenes, check it, and print its size."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.filesize import decimal

from deepdream import scenes
from deepdream.console import print_error


def main(arguments: Sequence[str] | None = None) -> int:
    """Download unless it is there. Returns the exit status: 1 after a one-line error, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m deepdream download",
        description="Download MIT Indoor Scenes: 2.4 GB, and twice that until it is unpacked. "
        "The same command resumes a download that was stopped.",
    )
    parser.add_argument("--root", required=True, type=Path, metavar="DIR", help="the folder for it, new or empty")
    parser.add_argument("--archive", nargs="+", metavar="URL", help="other addresses of the archive, tried in order")
    options = parser.parse_args(arguments)
    try:
        url = scenes.official_url()
        scenes.ensure_mit_indoor(options.root, replace(url, archive=options.archive) if options.archive else url)
        print(_summary(options.root))
    except KeyboardInterrupt:
        print("interrupted; the same command resumes the download", file=sys.stderr)
        return 130
    except (OSError, ValueError) as error:
        print_error(str(error))
        return 1
    return 0


def _summary(root: Path) -> str:
    lists = scenes.read_lists(root)
    sizes = [path.stat().st_size for path in lists.images.glob("*/*") if path.is_file()]
    return (
        f"{root}: {len(lists.classes)} classes, {len(sizes):,} images, {decimal(sum(sizes))}; "
        f"{len(lists.train):,} training images, {len(lists.test):,} test images"
    )
