"""Checkpoint files that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io import TorchCheckpointIO
from lightning_fabric.utilities.types import _PATH

from deepdream.files import PARTIAL, atomic_path


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint to a file beside its path and renames it: a kill leaves the old checkpoint or the new one.

    The partial file has one name in a folder: the next checkpoint, of whatever name, overwrites what a kill has left.

    Lightning writes to the system's temporary folder and moves the file; between two disks, that copies it.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any = None) -> None:
        """Save to a local file. Raises OSError where the disk is full or the folder is not writable."""
        try:
            with atomic_path(Path(path), sync=True, partial_stem=f".checkpoint{PARTIAL}") as partial:
                torch.save(checkpoint, partial)
        except (OSError, RuntimeError) as error:  # torch reports a full disk by an error of its own
            reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
            raise OSError(f"{path} could not be written: {reason}") from error
