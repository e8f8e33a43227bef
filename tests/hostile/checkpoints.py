"""A valid checkpoint, small, to be made hostile."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

from deepdream.models import ResNet
from tests.models.checkpoints import checkpoint as full_size

WIDTH = 0.125


@cache
def _valid() -> dict[str, Any]:
    content = full_size()
    content["hyper_parameters"]["model"]["width"] = WIDTH
    model = ResNet(10, len(content["hyper_parameters"]["classes"]), width=WIDTH)
    content["state_dict"] = {f"model.{key}": value for key, value in model.state_dict().items()}
    return content


def checkpoint(**changes: Any) -> dict[str, Any]:
    """A checkpoint that load_network opens, with `changes`."""
    return {**copy.deepcopy(_valid()), **changes}
