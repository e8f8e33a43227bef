"""From a path or a name to a network, and weights to start a training from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from deepdream.models.building import TARGET, shapes_and_head
from deepdream.models.checkpoint_file import is_ours, network_from_checkpoint
from deepdream.models.class_names import read_classes
from deepdream.models.foreign import foreign_network, with_input
from deepdream.models.hub import CONFIG, is_exported, is_on_hub, network_from_folder, network_from_hub
from deepdream.models.matching import first_difference
from deepdream.models.named import FAMILIES, is_named, named_network
from deepdream.models.network import Network
from deepdream.models.resnet import ResNet
from deepdream.models.weights_file import read_weights_file, state_dict_in

# Modules that begin anew for other classes or another image size: the head of a ResNet, auxiliary classifiers.
HEAD = ("spatial", "fc", "aux1", "aux2", "AuxLogits")


def load_network(
    source: str | Path,
    *,
    model: str | None = None,
    classes: Sequence[str] | str | Path | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    image_size: int | None = None,
) -> Network:
    """A network from a checkpoint, from anybody's file of weights, or by name; on the CPU, in float32, in eval mode.

    source: the path of a checkpoint, of a file of weights or of a folder of `export`; "miniplaces", the bundled model,
        or "box", the smaller one; "torchvision/convnext_tiny", "timm/resnet50d" (any that has published weights);
        "imagenet/resnet18", 34, 50, 101, 152; "places365/resnet18", resnet50, alexnet, densenet161; "hf://user/name",
        a folder of Hugging Face's hub. A file or folder with such a name goes first.
    model: the architecture of a file that holds only weights, "torchvision/resnet50" or "timm/resnet50d"; or the class
        of a network of your own ("my.module.Class"), whose code is run, see `build_model`.
    classes: the names of the classes, or the file that lists them, see `read_classes`.
    mean, std: of red, green and blue, for images in [0, 1]; in [0, 255] where a mean is more than 1.
    image_size: side in pixels of the centre crop. What is None is what the source, or the architecture, says.

    A checkpoint of a run with an EMA of the weights has the averaged ones. Classes without names go by their index (see
    `Network.has_class_names`). A file is opened as data only: one that would run code is refused. Raises
    FileNotFoundError or ValueError, in one line.
    """
    name, path = str(source), Path(source)
    names = read_classes(classes) if isinstance(classes, str | Path) else classes
    if not path.exists() and (is_named(name) or is_on_hub(name)):
        if model is not None:
            raise ValueError(
                f"ckpt_model={model} is for a file of weights, and {name} has an architecture; leave it out"
            )
        network = network_from_hub(name) if is_on_hub(name) else named_network(name)
    elif is_exported(path):
        network = network_from_folder(path)
    elif path.is_dir():
        raise ValueError(
            f"{path} is a folder without {CONFIG}; name the checkpoint in it, for example {path}/checkpoints/best.ckpt"
        )
    else:
        content, digest = read_weights_file(path)
        if model is not None and not is_ours(content):
            weights = state_dict_in(content, path)
            return foreign_network(
                path, weights, model, classes=names, mean=mean, std=std, image_size=image_size, digest=digest
            )
        network = network_from_checkpoint(path, content, digest, model=model)
    if names is not None:
        network = _renamed(network, names)
    return with_input(network, mean=mean, std=std, image_size=image_size)


def _renamed(network: Network, names: Sequence[str]) -> Network:
    if len(names) != len(network.classes):
        raise ValueError(
            f"ckpt_classes has {len(names)} names, and {network.source} has {len(network.classes)} outputs"
        )
    return replace(network, classes=list(names))


def start_from(
    model: nn.Module,
    source: str,
    classes: Sequence[str],
    *,
    record: Mapping[str, Any] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> str:
    """Load the weights of `source` into `model`, in place. Returns a line that says whether the head was kept.

    source: "imagenet" or "places365" for the network of the model's depth, a name ("places365/resnet50"), or the path
        of a checkpoint.
    record: describes a model that is not our ResNet, as for `build_model`.
    classes: the names of the model's outputs. If those of `source` differ, or its head is of another kind or size, the
        model keeps its own, fresh head. So do auxiliary classifiers that `source` lacks.
    mean, std: of the images of the training; a second line is returned where the weights are used to others.

    Raises ValueError if any other part does not fit, and what `load_network` raises.
    """
    record = record or {}
    name = f"{source}/resnet{model.depth}" if source in FAMILIES and isinstance(model, ResNet) else source
    network = load_network(name, model=record.get(TARGET))
    theirs, ours = network.model.state_dict(), model.state_dict()
    head = (set(shapes_and_head(record)[1]) if record else set()) | {
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
        said = f"started from {name}, with its head: it has the same {len(classes)} classes"
    elif not head_fits and list(classes) == network.classes:
        said = f"started from {name}; its head was replaced: it is of another kind or size"
    else:
        count = len(network.classes)
        said = f"started from {name}; its head of {count} classes was replaced by one for these {len(classes)}"
    return said + _other_colors(network, mean, std)


def _other_colors(network: Network, mean: Sequence[float] | None, std: Sequence[float] | None) -> str:
    """A line that names the normalisation of `network`, where that of the training is another one."""
    if mean is None or std is None or np.allclose([network.mean, network.std], [mean, std], atol=1e-3):
        return ""
    theirs = [f"[{','.join(f'{value:.4g}' for value in values)}]" for values in (network.mean, network.std)]
    return f"\nnote: these weights expect data.mean={theirs[0]} data.std={theirs[1]}"


def _without(head: set[str], weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: value for key, value in weights.items() if key not in head}
