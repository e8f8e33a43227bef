"""Room on the disk, asked for before it is needed."""

from __future__ import annotations

import shutil
from pathlib import Path

from rich.filesize import decimal


def require_space(folder: Path, needed: int, what: str) -> None:
    """Raises OSError, in one line, where the disk of `folder` has fewer than `needed` bytes free for `what`."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"{what} needs {decimal(needed)} in {folder}, where {decimal(free)} are free; "
            "make room, or choose a folder on another disk"
        )
