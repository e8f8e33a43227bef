"""The networks that a page offers: the bundled one, those trained here, and any other by a name, never by a path."""

from __future__ import annotations

import re
from pathlib import Path

from deepdream.apps.checkpoints import BEST

# What load_network finds by a name; a path on this machine must not be asked for by a browser.
NAMED = re.compile(r"(torchvision|timm|imagenet|places365)/[\w.-]+|hf://[\w.-]+/[\w.-]+", re.ASCII)


def checkpoints() -> list[str]:
    """The best checkpoint of each run below the current folder, newest first."""
    found = [path for pattern in BEST for path in Path().glob(pattern)]
    return [str(path) for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)]
