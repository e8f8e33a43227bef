"""python -m deepdream pack: write a checkpoint with 8-bit weights."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from deepdream import models
from deepdream.console import print_error


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the packed checkpoint and print its size. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m deepdream pack",
        description="Write a checkpoint of train.py with 8-bit weights only: a tenth of its size, for sharing.",
    )
    parser.add_argument("checkpoint", type=Path, help="for example outputs/.../checkpoints/best.ckpt")
    parser.add_argument("packed", type=Path, help="the file to write; load_network and ckpt= read it like any other")
    options = parser.parse_args(arguments)
    try:
        models.pack(options.checkpoint, options.packed)
    except (OSError, ValueError) as error:
        print_error(str(error))
        return 1
    before, after = (path.stat().st_size / 1e6 for path in (options.checkpoint, options.packed))
    print(f"{options.packed}: {after:.1f} MB, from {before:.1f}")
    return 0
