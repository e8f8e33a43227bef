"""The network in the box: trained by our own train.py and shipped in the package, so that a first dream needs nothing.

What it is and how it was made: deepdream/weights/README.md.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

BOX = "box"
SHA256 = "e7f89129f25f1c48cc0aaae33a4f028108be4be5784849c5e44f6485abb1cdcc"


def box_path() -> Path:
    """Where its packed checkpoint lies."""
    return Path(str(files("deepdream.weights") / "box.ckpt"))
