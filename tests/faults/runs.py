"""What a command has left behind, in a form in which two such can be compared."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

# Files that hold a time or a process: never the same twice.
CLOCKED = ("tfevents", ".log", ".running", "hydra", ".lock", "environment.json")


def content(folder: Path) -> dict[str, str]:
    """The files below `folder`, but those that hold a time, by a hash of what is in them."""
    return {
        str(path.relative_to(folder)): _hash(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(mark in str(path.relative_to(folder)) for mark in CLOCKED)
    }


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def training(run: Path) -> dict[str, object]:
    """Metrics of a run and, of both checkpoints, where it stands and a hash of each weight."""
    found: dict[str, object] = {"metrics": (run / "metrics.csv").read_text()}
    for path in sorted((run / "checkpoints").iterdir()):
        checkpoint = torch.load(path, weights_only=True)
        weights = {
            key: hashlib.sha256(value.numpy().tobytes()).hexdigest() for key, value in checkpoint["state_dict"].items()
        }
        found[path.name] = (checkpoint["epoch"], checkpoint["global_step"], weights)
    return found
