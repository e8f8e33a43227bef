"""python -m deepdream download: download a public data set, check it, and print its size."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.filesize import decimal

from deepdream import scenes
from deepdream.console import print_error
from deepdream.scenes.config import DataConfig
from deepdream.schema import choices

NO_ADDRESS = ("custom", "folder")  # the user's own: they need more keys


def main(arguments: Sequence[str] | None = None) -> int:
    """Download unless it is there. Returns the exit status: 1 after a one-line error, 130 after Ctrl-C."""
    names = [name for name in choices("data") if name not in NO_ADDRESS and DataConfig.preset(name).url]
    parser = argparse.ArgumentParser(
        prog="python -m deepdream download",
        description="Download a public data set: MIT Indoor Scenes takes 2.4 GB, and twice that until it is unpacked. "
        "The same command resumes a download that was stopped.",
    )
    parser.add_argument(
        "name", nargs="?", default="mit_indoor", choices=names, help="a file of conf/data (%(default)s)"
    )
    parser.add_argument("--root", required=True, type=Path, metavar="DIR", help="the folder for it, new or empty")
    parser.add_argument("--archive", nargs="+", metavar="URL", help="other addresses of the archive, tried in order")
    options = parser.parse_args(arguments)
    try:
        config = DataConfig.preset(options.name, root=str(options.root))
        if options.archive and config.url is not None:
            config.url.archive = options.archive
        scenes.ensure_downloaded(config)
        print(_summary(config))
    except KeyboardInterrupt:
        print("interrupted; the same command resumes the download", file=sys.stderr)
        return 130
    except (OSError, ValueError) as error:
        print_error(str(error))
        return 1
    return 0


def _summary(config: DataConfig) -> str:
    lists = scenes.read_data(config)
    size = sum((lists.images / entry).stat().st_size for entry in lists.entries)
    return (
        f"{config.root}: {len(lists.classes)} classes, {decimal(size)}; "
        f"{len(lists.train):,} training images, {len(lists.test):,} test images"
    )
