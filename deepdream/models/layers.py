"""The layers of a network: every module whose output is a feature map, measured in one forward pass."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from deepdream.schema import did_you_mean

Reach = tuple[int, int]  # receptive field, stride; both in pixels

PROBE_SIZE = (128, 192)  # height, width: two different sides show how a layer's size follows the image's


@dataclass(frozen=True)
class Layer:
    """A module whose output is a feature map (N, channels, H, W).

    name: the module's dotted name, for example "layer3.1.conv2".
    kind: the module's class.
    channels: of the feature map.
    stride: pixels of the image per position of the map; 0 where the map's size does not follow the image's.
    calls: runs of the module in one forward pass; a tap reads the last.
    receptive_field: pixels a side of the image that can reach one position; 0 if unknown.
    """

    name: str
    kind: str
    channels: int
    stride: int
    calls: int
    receptive_field: int = field(default=0, compare=False)


def list_layers(model: nn.Module, image_size: int) -> list[Layer]:
    """All layers of `model` with their receptive fields, in the order of their last run in a forward pass."""
    model = evaluation_copy(model)
    fields = receptive_fields(model)
    return [replace(layer, receptive_field=fields.get(layer.name, 0)) for layer in probe(model, image_size)]


def choose_layers(names: Iterable[str], layers: list[Layer]) -> list[Layer]:
    """The layers called `names`, without repeats. Raises ValueError with similar names for one that is missing."""
    known = {layer.name: layer for layer in layers}
    for name in names:
        if name not in known:
            as_deep = [other for other in known if other.count(".") <= name.count(".")]
            near = did_you_mean(name, as_deep or known)
            raise ValueError(f"the network has no layer {name!r}{near} (mode=layers lists all layers)")
    return [known[name] for name in dict.fromkeys(names)]


def evaluation_copy(model: nn.Module) -> nn.Module:
    """A copy of `model` in eval mode whose parameters require no gradient; `model` is not changed."""
    return copy.deepcopy(model).eval().requires_grad_(False)


@torch.no_grad()
def probe(model: nn.Module, image_size: int) -> list[Layer]:
    """The layers of `model` in eval mode, measured in one forward pass of an empty image.

    A network for images of `image_size` only is probed at that size; strides are then exact where they divide it.
    """
    try:
        return _measure(model, *PROBE_SIZE)
    except RuntimeError:  # a linear layer behind a fixed number of positions, for instance
        return _measure(model, image_size, image_size)


def _measure(model: nn.Module, height: int, width: int) -> list[Layer]:
    weight = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    image = torch.zeros(1, 3, height, width, dtype=weight.dtype, device=weight.device)
    layers: dict[str, Layer] = {}
    for name, module, size in feature_maps(model, image):
        earlier = layers.pop(name, None)  # popped, so that the order is that of the last calls
        calls = 1 if earlier is None else earlier.calls + 1
        stride = _stride((height, width), (size[2], size[3]))
        layers[name] = Layer(name, type(module).__name__, size[1], stride, calls)
    return list(layers.values())


def feature_maps(model: nn.Module, network_input: Tensor) -> list[tuple[str, nn.Module, torch.Size]]:
    """Name, module and size (N, C, H, W) of each feature map of a forward pass, in its order. All hooks are removed."""
    names = {module: name for name, module in model.named_modules() if name}
    found: list[tuple[str, nn.Module, torch.Size]] = []

    def record(module: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.dim() == 4:
            found.append((names[module], module, output.shape))

    handles = [module.register_forward_hook(record) for module in names]
    try:
        with torch.no_grad():
            model(network_input)
    finally:
        for handle in handles:
            handle.remove()
    return found


def _stride(image: tuple[int, int], feature_map: tuple[int, int]) -> int:
    """Pixels per position, from the difference of two sides, in which padding cancels; 0 for a map of fixed size."""
    if image[0] == image[1]:
        return round(image[0] / feature_map[0])
    grown = feature_map[1] - feature_map[0]
    return round((image[1] - image[0]) / grown) if grown > 0 else 0


def receptive_fields(model: nn.Module) -> Mapping[str, int]:
    """Pixels a side of the image that can reach one position of each module's output, by the module's name.

    Where branches meet the largest counts. Empty for a model that torch.fx cannot trace.
    Source: Araujo, Norris, Sim, "Computing Receptive Fields of Convolutional Neural Networks" (2019).
    """
    try:
        graph = fx.Tracer().trace(model)
    except Exception:  # tracing runs the network's own code on symbols, which may fail in any way
        return {}
    reaches: dict[fx.Node, Reach] = {}
    fields: dict[str, int] = {}
    for node in graph.nodes:
        before = [reaches[source] for source in node.all_input_nodes if source in reaches]
        reach = (max((r for r, _ in before), default=1), max((s for _, s in before), default=1))
        if node.op == "call_module":
            reach = _through(model.get_submodule(str(node.target)), *reach)
            for name in _ending_with(str(node.target)):
                fields[name] = reach[0]
        reaches[node] = reach
    return fields


def _through(module: nn.Module, field: int, stride: int) -> Reach:
    kernel, step, dilation = (_side(getattr(module, key, 1)) for key in ("kernel_size", "stride", "dilation"))
    return field + (kernel - 1) * dilation * stride, stride * step


def _side(value: Any) -> int:
    first = value[0] if isinstance(value, tuple) else value
    return first if isinstance(first, int) else 1


def _ending_with(name: str) -> list[str]:
    """`name` and the modules that end with it and so have its output: layer1.0.relu2, layer1.0, layer1."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
