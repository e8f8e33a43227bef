"""What can be graded: our methods, those of Captum and grad-cam, anybody's function, and maps of known worth."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from deepdream.explaining.cam_methods import large_blocks
from deepdream.explaining.config import METHODS, ExplainConfig
from deepdream.explaining.context import attribution_context
from deepdream.explaining.explanation import explain
from deepdream.explaining.truth.effects import Effects
from deepdream.explaining.truth.measures import Map
from deepdream.models import Network
from deepdream.models.probing import probe
from deepdream.registry import locate

Heatmap = Callable[[nn.Module, Tensor, int], Tensor]

ORACLE, CONSTANT, RANDOM = "oracle", "constant", "random"
REFERENCES = (ORACLE, CONSTANT, RANDOM)


@dataclass(frozen=True)
class Graded:
    """A method to grade.

    title: its name in plots. cost: in passes or images, as far as it is known.
    attribute: (network, image (3, H, W) in [0, 1], class, settings, seed) -> attribution (H, W), and its seconds.
    """

    title: str
    cost: str
    attribute: Callable[[Network, Tensor, int, ExplainConfig, int], tuple[Map, float]]


def methods_to_grade(
    names: Sequence[str] | Mapping[str, Heatmap] | None, others: Sequence[str] = ()
) -> dict[str, Graded]:
    """The methods by name. names: of METHODS (None: all), or functions by a name of your choice.

    others: importable names: an attribution class of Captum, a class of grad-cam, or a function (model, image, target)
    -> heatmap. Raises ValueError for a name that is unknown.
    """
    if isinstance(names, Mapping):
        found = {name: Graded(name, "", _called(function)) for name, function in names.items()}
    else:
        found = {name: _ours(name) for name in (METHODS if names is None else names)}
    return found | {name: Graded(_short(name), "", _called(adapted(name))) for name in others}


def reference(name: str, effects: Effects, *, seed: int) -> Map:
    """A map of known worth: the true effects, nothing at all, or chance."""
    if name == CONSTANT:
        return np.ones(effects.owners.shape)
    if name == RANDOM:
        return np.random.default_rng([seed, 5]).random(effects.owners.shape)
    return (effects.true / np.maximum(effects.areas, 1e-12))[effects.owners]


def adapted(name: str) -> Heatmap:
    """What `name` names, as a function (model, image (1, 3, H, W) as the model takes it, target) -> heatmap (H, W)."""
    found = locate("ground_truth.others", name)
    if not inspect.isclass(found):
        return found  # type: ignore[no-any-return]
    if found.__module__.startswith("captum."):
        return _of_captum(found)
    if found.__module__.startswith("pytorch_grad_cam."):
        return _of_grad_cam(found)
    raise ValueError(
        f"ground_truth.others has {name}, a class of {found.__module__.partition('.')[0]}; name a class of Captum or "
        "grad-cam, or a function (model, image, target) -> heatmap"
    )


def _of_captum(kind: Any) -> Heatmap:
    """An attribution class of captum.attr: DeepLift, Occlusion, LayerGradCam on the last stage, ..."""

    def attribute(model: nn.Module, image: Tensor, target: int) -> Tensor:
        parameters = inspect.signature(kind).parameters
        method = kind(model, _last_stage(model, image)) if "layer" in parameters else kind(model)
        options = inspect.signature(method.attribute).parameters
        arguments = {"sliding_window_shapes": (3, 15, 15), "strides": (3, 5, 5)}
        found = method.attribute(image, target=target, **{key: arguments[key] for key in arguments if key in options})
        return found.sum(dim=1, keepdim=True)  # type: ignore[no-any-return]

    return attribute


def _of_grad_cam(kind: Any) -> Heatmap:
    """A class of pytorch_grad_cam, on the last stage."""

    def attribute(model: nn.Module, image: Tensor, target: int) -> Tensor:
        with kind(model=model, target_layers=[_last_stage(model, image)]) as method:
            return torch.from_numpy(method(input_tensor=image, targets=[lambda logits: logits[target]]))

    return attribute


def _last_stage(model: nn.Module, image: Tensor) -> nn.Module:
    """The layer that our own class activation maps read of a convolutional network."""
    side = min(image.shape[2:])
    return model.get_submodule(large_blocks(probe(model, side).layers, side)[-1].name)


def _short(name: str) -> str:
    """captum.attr.DeepLift -> captum DeepLift."""
    return f"{name.partition('.')[0]} {name.rpartition('.')[2]}"


def _ours(name: str) -> Graded:
    details = METHODS.details(name)

    def attribute(network: Network, image: Tensor, target: int, config: ExplainConfig, seed: int) -> tuple[Map, float]:
        (found,) = explain(network, image, [name], target, config=config, seed=seed)
        return found.attribution.double().numpy(), found.seconds

    return Graded(details.title, details.cost, attribute)


def _called(function: Heatmap) -> Callable[[Network, Tensor, int, ExplainConfig, int], tuple[Map, float]]:
    def attribute(network: Network, image: Tensor, target: int, config: ExplainConfig, seed: int) -> tuple[Map, float]:
        with attribution_context(network, image, target, config=config, seed=seed) as context, context.seeded():
            start = time.perf_counter()
            found = function(context.model, context.leaf(), context.target).detach()
            seconds = time.perf_counter() - start
        heatmap = found.reshape(1, 1, *found.shape[-2:]).double().cpu()
        if heatmap.shape[2:] != image.shape[1:]:
            heatmap = torch.nn.functional.interpolate(heatmap, image.shape[1:], mode="bilinear")
        return heatmap[0, 0].numpy(), seconds

    return attribute
