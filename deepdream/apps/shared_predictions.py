"""Predictions of many images that several processes share, in parts in the run folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdream import __version__
from deepdream.provenance import content
from deepdream.shared_arrays import SharedArrays

if TYPE_CHECKING:
    from deepdream.models import Network

FOLDER = "predictions"  # in the run folder


def shared_predictions(
    folder: Path, network: Network, photos: Sequence[str], settings: Sequence[Any], *, batch_size: int
) -> SharedArrays:
    """The predictions of `network` for `photos`, kept in the run folder with the files and `settings` they are of."""

    def source(part: range) -> str:
        contents = {photo: content(photo) for photo in photos[part.start : part.stop]}
        return json.dumps([__version__, network.digest or network.source, list(settings), contents])

    return SharedArrays(folder / FOLDER, len(photos), batch_size=batch_size, source=source)


def print_kept(shared: SharedArrays) -> None:
    """Say what an earlier run has left, if anything."""
    if shared.kept:
        count = sum(map(len, shared.parts))
        print(f"{shared.kept:,} of {count:,} images are predicted already, from the same files and settings")
