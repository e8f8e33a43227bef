"""The network in the box: trained by our own train.py and shipped in the package, so that a first dream needs nothing.

What it is and how it was made: deepdream/weights/README.md.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

BOX = "box"
SHA256 = "20d4daec33a3877f32904827443727b1b48bc61896e3bf1c3b9a0cc4d4f53a48"


def box_path() -> Path:
    """Where its packed checkpoint lies."""
    return Path(str(files("deepdream.weights") / "box.ckpt"))
