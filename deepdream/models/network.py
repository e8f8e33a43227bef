"""Network: what the whole right half of the house works on.

A checkpoint of our own training, torchvision's and CSAIL's weights all become one (`load_network`); a user's own model
is wrapped by hand:

    Network(model, classes, mean, std, image_size, source="my model")
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True)
class Network:
    """A classifier and what is needed to feed it and to read its answer.

    model: maps normalised pictures (N, 3, H, W) to logits (N, len(classes)); in eval mode.
    classes: the name of each logit; `index_names` where nothing is known but their number.
    mean, std: of red, green and blue, for pictures in [0, 1].
    image_size: side in pixels of the centre crop that the network was evaluated at.
    source: where it came from: a path or a name.
    digest: SHA-256 of the file it was read from; empty where there was none.
    hyper_parameters: what else the checkpoint says of its making (data, version), as plain values.
    """

    model: nn.Module
    classes: list[str]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    image_size: int
    source: str
    digest: str = ""
    hyper_parameters: Mapping[str, Any] | None = None

    @property
    def names_classes(self) -> bool:
        """Whether its classes have names, and do not go by their index."""
        return self.classes != index_names(len(self.classes))


def index_names(count: int) -> list[str]:
    """What classes without names are called: "class 0", "class 1" ..."""
    return [f"class {index}" for index in range(count)]
