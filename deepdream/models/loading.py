"""From a path or a name to a network, and weights to start a training from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from deepdream.models.building import TARGET, head_names
from deepdream.models.checkpoint_file import first_difference, network_from_checkpoint
from deepdream.models.named import FAMILIES, is_named, named_network
from deepdream.models.network import Network
from deepdream.models.resnet import ResNet

# Modules that begin anew for other classes or another image size: the head of a ResNet, auxiliary classifiers.
HEAD = ("spatial", "fc", "aux1", "aux2", "AuxLogits")


def load_network(source: str | Path, *, model: str | None = None) -> Network:
    """The network in a checkpoint, or one by name; on the CPU, in float32, in eval mode.

    source: the path of a checkpoint; "box", the bundled model; "imagenet/resnet18", 34, 50, 101, 152 (torchvision's
        weights); "places365/resnet18", 50 (CSAIL's). A file with such a name goes first.
    model: the class of a checkpoint of your own network ("my.module.Class"), whose code is run; see `build_model`.

    A checkpoint of a run with an EMA of the weights has the averaged ones. Classes without names go by their index (see
    `Network.has_class_names`). A file is opened as data only: one that would run code is refused. Raises
    FileNotFoundError or ValueError, in one line.
    """
    name = str(source)
    if is_named(name) and not Path(name).is_file():
        return named_network(name)
    return network_from_checkpoint(Path(source), model=model)


def start_from(
    model: nn.Module, source: str, classes: Sequence[str], *, record: Mapping[str, Any] | None = None
) -> str:
    """Load the weights of `source` into `model`, in place. Returns one line that says whether the head was kept.

    source: "imagenet" or "places365" for the network of the model's depth, a name ("places365/resnet50"), or the path
        of a checkpoint.
    record: describes a model that is not our ResNet, as for `build_model`.
    classes: the names of the model's outputs. If those of `source` differ, or its head is of another kind or size, the
        model keeps its own, fresh head. So do auxiliary classifiers that `source` lacks.

    Raises ValueError if any other part does not fit, and what `load_network` raises.
    """
    record = record or {}
    name = f"{source}/resnet{model.depth}" if source in FAMILIES and isinstance(model, ResNet) else source
    network = load_network(name, model=record.get(TARGET))
    theirs, ours = network.model.state_dict(), model.state_dict()
    head = (head_names(record, len(classes)) if record else set()) | {
        key for key in ours if key.partition(".")[0] in HEAD
    }
    difference = first_difference(_without(head, theirs), _without(head, ours))
    if difference:
        remedy = "choose the network that the weights are of"
        if isinstance(model, ResNet):
            remedy = "set model.depth, blocks, block, stem and width to those of the weights"
        raise ValueError(f"model.pretrained={source} does not fit: {difference}; {remedy}")
    head_fits = first_difference(theirs, ours) is None
    kept = head_fits and list(classes) == network.classes
    model.load_state_dict({**ours, **(theirs if kept else _without(head, theirs))})
    if kept:
        return f"started from {name}, with its head: it has the same {len(classes)} classes"
    if not head_fits and list(classes) == network.classes:
        return f"started from {name}; its head was replaced: it is of another kind or size"
    return (
        f"started from {name}; its head of {len(network.classes)} classes was replaced by one for these {len(classes)}"
    )


def _without(head: set[str], weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: value for key, value in weights.items() if key not in head}
