"""The network in the box: trained by our own train.py and shipped in the package, so that a first dream needs nothing.

What it is and how it was made: deepdream/weights/README.md.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

BOX = "box"
SHA256 = "0fae598b00bbd6b8993b47077a9575137e0040dca5305ed30e5a92acbcc03312"


def box_path() -> Path:
    """Where its packed checkpoint lies."""
    return Path(str(files("deepdream.weights") / "box.ckpt"))
