"""A network of anybody's weights: the user names the architecture, and what differs from its published weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from deepdream.models.building import ARCHITECTURE, TARGET, build_model, shapes_and_head
from deepdream.models.class_names import default_classes
from deepdream.models.config import DEPTHS
from deepdream.models.matching import by_order, loaded, under_names_of
from deepdream.models.network import Network
from deepdream.models.plausibility import sees_nothing, statistics_agree
from deepdream.models.preprocessing import IMAGENET_MEAN, Color, network_with, published_preprocessing

OUR_RESNETS = {f"torchvision/resnet{depth}": depth for depth in DEPTHS if depth in (18, 34, 50, 101, 152)}
IN_255: Color = (1 / 255, 1 / 255, 1 / 255)  # the std of a network whose input is in [0, 255]


def model_record(name: str) -> dict[str, Any]:
    """What `build_model` makes the network called `name` of: a ResNet of ours where it has the same weights.

    name: "torchvision/resnet50", "timm/resnet50d", or the user's own class, "my.module.Class".
    """
    if name in OUR_RESNETS:
        return {"depth": OUR_RESNETS[name]}
    if "/" not in name and "." in name:
        return {TARGET: name}
    return {ARCHITECTURE: name}


def foreign_network(
    path: Path,
    weights: Mapping[str, Tensor],
    model: str,
    *,
    classes: Sequence[str] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    image_size: int | None = None,
    digest: str,
) -> Network:
    """The network `model` (see `model_record`) with the weights of the file `path`, whose names may be others'.

    classes: their names; None: ImageNet's for 1,000 outputs, else their index. mean, std, image_size: as for
    `load_network`; None: those of the architecture's published weights.

    Weights that share no name with the model are matched by order and shape, and must then agree with the running
    statistics of its batch norms. Raises ValueError, in one line, where the weights do not fit.
    """
    record = model_record(model)
    misfit = f"{path} does not fit {model}"
    ours, head = shapes_and_head(record)
    matched = under_names_of(ours, weights)
    ordered = None if matched.keys() & ours.keys() else by_order(ours, weights, head)
    matched = ordered or matched
    count = _outputs(head, matched) or len(classes or ())
    if classes is not None and count != len(classes):
        raise ValueError(f"ckpt_classes has {len(classes)} names, and {path} has {count} outputs")
    built = loaded(partial(build_model, record, max(1, count)), matched, misfit)
    names = default_classes(count) if classes is None else list(classes)
    usual = published_preprocessing(model)
    network = network_with(usual, built, names, source=str(path), digest=digest, record=record)
    network = with_input(network, mean=mean, std=std, image_size=image_size)
    if mean is None:
        network = _in_the_right_range(network)
    if ordered is None:
        return network
    if not statistics_agree(network):
        raise ValueError(
            f"{misfit}: they share no name. Matched by order and shape, the weights do not agree with the running "
            "statistics of its batch norms; name another architecture, or rename the weights"
        )
    note = f"{path} has other names than {model}; its weights were matched by order and shape, and their statistics fit"
    return replace(network, notes=(*network.notes, note))


def with_input(
    network: Network,
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    image_size: int | None = None,
) -> Network:
    """`network` with another preprocessing; what is None stays.

    mean, std: of red, green and blue, both or neither; for images in [0, 255] where a mean is more than 1.
    Raises ValueError for one without the other, and for numbers out of their range.
    """
    if (mean is None) != (std is None):
        raise ValueError("ckpt_mean and ckpt_std belong together; set both, or neither")
    if mean is not None and std is not None:
        scale = 255.0 if max(mean) > 1 else 1.0
        network = replace(network, mean=_color("mean", mean, scale), std=_color("std", std, scale))
        if min(network.std) <= 0:
            raise ValueError(f"ckpt_std is {list(std)}; each must be more than 0")
    if image_size is not None:
        if image_size < 1:
            raise ValueError(f"ckpt_size is {image_size}; it must be 1 or more")
        resize = None if network.resize is None else round(network.resize * image_size / network.image_size)
        network = replace(network, image_size=image_size, resize=resize)
    return network


def _color(key: str, values: Sequence[float], scale: float) -> Color:
    if len(values) != 3:
        raise ValueError(f"ckpt_{key} is {list(values)}; it must be three numbers, for red, green and blue")
    red, green, blue = (float(value) / scale for value in values)
    return red, green, blue


def _outputs(head: Mapping[str, int], weights: Mapping[str, Tensor]) -> int:
    """The number of classes, by the shape of what depends on it; 0 where `weights` do not have that."""
    return next((weights[name].shape[axis] for name, axis in head.items() if _has(weights, name, axis)), 0)


def _has(weights: Mapping[str, Tensor], name: str, axis: int) -> bool:
    return name in weights and weights[name].dim() > axis


def _in_the_right_range(network: Network) -> Network:
    """`network`, or with input in [0, 255] where it sees nothing in [0, 1], as networks of Caffe."""
    if len(network.classes) < 10 or not sees_nothing(network):  # few classes are uniform by chance
        return network
    caffe = replace(network, mean=IMAGENET_MEAN, std=IN_255)
    if sees_nothing(caffe):
        return network
    note = (
        f"{network.source} sees nothing in images of the usual range; it gets those of Caffe, "
        "ckpt_mean=[123.7,116.3,103.5] ckpt_std=[1,1,1]; set them to those of its training"
    )
    return replace(caffe, notes=(note,))
