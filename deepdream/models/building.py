"""Build the model that a configuration or a checkpoint describes: our ResNet, one of a library, or the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn

from deepdream.models import architectures
from deepdream.models.matching import shapes_of
from deepdream.models.resnet import ResNet
from deepdream.registry import build_target

ARCHITECTURE = "architecture"
TARGET = "_target_"


def build_model(record: Mapping[str, Any], classes: int) -> nn.Module:
    """The model that `record` describes, with fresh weights: it maps normalised images to logits (N, classes).

    record: plain values. With `architecture` ("timm/resnet50d") a network of a library, with `_target_`
        ("my.module.Class") what that class or function returns, otherwise a ResNet; the other keys are its arguments.
        A `_target_` runs code: pass one that the user has named, never one that only a file names.

    Raises ValueError, in one line, for a name or an argument that does not exist.
    """
    arguments = {str(key): value for key, value in record.items() if key not in (ARCHITECTURE, TARGET)}
    if TARGET in record:
        return _own_model(record[TARGET], {"num_classes": classes, **arguments})
    if ARCHITECTURE in record:
        return architectures.build(record[ARCHITECTURE], classes, **arguments)
    return ResNet(num_classes=classes, **arguments)


def shapes_and_head(record: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, int]]:
    """The weights of the model of `record`, and by name the axis that is as long as it has classes."""
    two, three = (shapes_of(partial(build_model, record, count)) for count in (2, 3))
    axes = {
        name: next((axis for axis, length in enumerate(value.shape) if length != three[name].shape[axis]), None)
        for name, value in two.items()
    }
    return two, {name: axis for name, axis in axes.items() if axis is not None}


def _own_model(target: str, arguments: dict[str, Any]) -> nn.Module:
    model = build_target("model", target, arguments)
    if not isinstance(model, nn.Module):
        raise ValueError(f"{target} returned a {type(model).__name__}; it must return a torch.nn.Module")
    return model
