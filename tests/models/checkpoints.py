"""Checkpoints as our training writes them, small and with random weights; and one that would run code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deepdream.models import ResNet


class RunsCode:
    """Unpickling an object of this class would run a command."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


def checkpoint(**changes: Any) -> dict[str, Any]:
    model = ResNet(10, 3, blocks=[1, 1, 1, 1])
    content = {
        "state_dict": {f"model.{key}": value for key, value in model.state_dict().items()},
        "hyper_parameters": {
            "model": {"depth": 10, "blocks": None, "block": None, "zero_init_residual": False},
            "classes": ["bar", "library", "pantry"],
            "mean": [0.5, 0.4, 0.3],
            "std": [0.2, 0.2, 0.2],
            "image_size": 64,
        },
    }
    return {**content, **changes}
