"""The networks that a page offers: the bundled ones, those trained here, and any other by a name, never by a path."""

from __future__ import annotations

import re
from pathlib import Path

from deepdream.apps.checkpoints import BEST
from deepdream.models.config import BUNDLED

# What load_network finds by a name; a path on this machine must not be asked for by a browser.
NAMED = re.compile(r"(torchvision|timm|imagenet|places365)/[\w.-]+|hf://[\w.-]+/[\w.-]+", re.ASCII)


def checkpoints() -> list[str]:
    """The best checkpoint of each run below the current folder, newest first."""
    found = [path for pattern in BEST for path in Path().glob(pattern)]
    return [str(path) for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)]


def offered(first: str) -> list[tuple[str, str]]:
    """Labels and names of the networks to choose from; `first` is the one of the command line."""
    trained = [(f"trained here: {Path(path).parents[1]}", path) for path in checkpoints()]
    named = [("bundled: a hundred places", BUNDLED), ("bundled: six kinds of rooms, faster", "box")]
    known = {name for _, name in (*trained, *named)}
    return [*([] if first in known else [(first, first)]), *named, *trained]


def checked(name: str | None, first: str) -> str:
    """`name`, if a page may ask for it. Raises ValueError for a path that is not offered."""
    name = (name or "").strip()
    if name in {each for _, each in offered(first)} or NAMED.fullmatch(name):
        return name
    raise ValueError(
        f"there is no network {name!r} here; choose one of the list, or a name like torchvision/googlenet or "
        "timm/resnet50d. For a file, begin the studio with ckpt=PATH"
    )
