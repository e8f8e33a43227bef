"""Start from weights that others, or an earlier run, have trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from deepdream.models.loading import first_difference, load_network
from deepdream.models.named import PUBLISHED
from deepdream.models.resnet import ResNet

HEAD = ("spatial", "fc")  # the modules that belong to the classes and to the size of the pictures


def start_from(model: ResNet, source: str, classes: Sequence[str]) -> str:
    """Give `model` the weights of `source`, in place. Returns one line that says what became of the head.

    source: "imagenet" or "places365" for the published network of the model's depth, one by name
        ("places365/resnet50"), or a checkpoint's path.
    classes: the names of the model's outputs. Where those of `source` are others, or its head is of another kind or
        size, the model keeps the head that it has: a fresh one.

    Raises ValueError where any other part does not fit, and what `load_network` raises.
    """
    name = f"{source}/resnet{model.depth}" if source in PUBLISHED else source
    network = load_network(name)
    theirs, ours = network.model.state_dict(), model.state_dict()
    difference = first_difference(_body(theirs), _body(ours))
    if difference:
        raise ValueError(
            f"model.pretrained={source} does not fit: {difference}; "
            "model.depth, blocks, block, stem and width must be those of the weights"
        )
    head_fits = first_difference(theirs, ours) is None
    kept = head_fits and list(classes) == network.classes
    model.load_state_dict({**ours, **(theirs if kept else _body(theirs))})
    if kept:
        return f"started from {name}, head and all: it has the same {len(classes)} classes"
    if not head_fits and list(classes) == network.classes:
        return f"started from {name}; its head was replaced: it is of another kind or size"
    return (
        f"started from {name}; its head of {len(network.classes)} classes was replaced by one for these {len(classes)}"
    )


def _body(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: value for key, value in weights.items() if key.partition(".")[0] not in HEAD}
