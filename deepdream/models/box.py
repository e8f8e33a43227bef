"""The network in the box: trained by our own train.py and shipped in the package, so that a first dream needs nothing.

What it is and how it was made: deepdream/weights/README.md.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

BOX = "box"
SHA256 = "f30ced3599b5cc9c5961006eb958edf9177b58cd11ae583c6b83d637e8ed5b12"


def box_path() -> Path:
    """Where its packed checkpoint lies."""
    return Path(str(files("deepdream.weights") / "box.ckpt"))
