"""Taps: read chosen layers of any network, and stop its forward pass after the deepest of them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from deepdream.config import closest
from deepdream.dreaming.receptive import receptive_fields
from deepdream.models import Network

PROBE_SIZE = (128, 192)  # two different sides show how a layer's size follows the picture's


@dataclass(frozen=True)
class Layer:
    """A layer that can be tapped: a module that yields a feature map (N, channels, H, W).

    name: the module's dotted name, for example "layer3.1.conv2".
    kind: the module's class.
    channels: of the feature map.
    stride: pixels of the picture per position of the map; 0 where the map's size does not follow the picture's.
    calls: how often one forward pass runs the module; a tap reads the last.
    receptive_field: pixels a side that can reach one position; 0 where that is not known.
    """

    name: str
    kind: str
    channels: int
    stride: int
    calls: int
    receptive_field: int = field(default=0, compare=False)


def list_layers(network: Network) -> list[Layer]:
    """Every layer of `network` that can be tapped, in the order in which a forward pass ends with them.

    >>> from torch import nn
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU())
    >>> network = Network(model, ["bar", "pantry"], (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), 32, source="mine")
    >>> [(layer.name, layer.channels, layer.stride) for layer in list_layers(network)]
    [('0', 8, 2), ('1', 8, 2)]
    """
    model = evaluation_copy(network.model)
    fields = receptive_fields(model)
    return [replace(layer, receptive_field=fields.get(layer.name, 0)) for layer in probe(model, network.image_size)]


def choose_layers(names: list[str], layers: list[Layer]) -> list[Layer]:
    """The layers called `names`, without repeats. Raises ValueError, with the close names, where one is missing."""
    known = {layer.name: layer for layer in layers}
    for name in names:
        if name not in known:
            as_deep = [other for other in known if other.count(".") <= name.count(".")]
            close = ", ".join(closest(name, as_deep or known))
            raise ValueError(
                f"the network has no layer {name!r} to dream of; close ones are {close} "
                "(dream.list_layers=true shows all)"
            )
    return [known[name] for name in dict.fromkeys(names)]


def evaluation_copy(model: nn.Module) -> nn.Module:
    """A copy of `model` in eval mode whose parameters ask for no gradient; `model` stays as it is."""
    return copy.deepcopy(model).eval().requires_grad_(False)


@torch.no_grad()
def probe(model: nn.Module, image_size: int) -> list[Layer]:
    """The layers of `model`, measured in one forward pass of an empty picture.

    A network that takes pictures of `image_size` only is probed at that size; strides are then exact where they
    divide it.
    """
    try:
        return _measure(model, *PROBE_SIZE)
    except RuntimeError:  # a linear layer behind a fixed number of positions, for instance
        return _measure(model, image_size, image_size)


def _measure(model: nn.Module, height: int, width: int) -> list[Layer]:
    names = {module: name for name, module in model.named_modules() if name}
    layers: dict[str, Layer] = {}

    def record(module: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.dim() == 4:
            name = names[module]
            earlier = layers.pop(name, None)  # popped, so that the order is that of the last calls
            calls = 1 if earlier is None else earlier.calls + 1
            stride = _stride((height, width), (output.shape[2], output.shape[3]))
            layers[name] = Layer(name, type(module).__name__, output.shape[1], stride, calls)

    handles = [module.register_forward_hook(record) for module in names]
    try:
        weight = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
        model(torch.zeros(1, 3, height, width, dtype=weight.dtype, device=weight.device))
    finally:
        for handle in handles:
            handle.remove()
    return list(layers.values())


def _stride(picture: tuple[int, int], feature_map: tuple[int, int]) -> int:
    """Pixels per position. The difference of two sides is free of what padding adds or takes away."""
    if picture[0] == picture[1]:
        return round(picture[0] / feature_map[0])
    grown = feature_map[1] - feature_map[0]
    return round((picture[1] - picture[0]) / grown) if grown > 0 else 0


class _AllTapped(BaseException):
    """Ends a forward pass. Not an Exception, so that no `except Exception` inside a network takes it."""


class Taps:
    """Reads the outputs of `layers` of `model`; while the context is open, the model carries hooks.

    with Taps(model, layers) as taps:
        features = taps.run(x)  # {"layer2": (N, C, H, W), "layer3": ...}

    logits: run the whole network, and give its answer (N, classes) too, under "logits".
    """

    def __init__(self, model: nn.Module, layers: list[Layer], *, logits: bool = False) -> None:
        self._model = model
        self._logits = logits
        self._layers = layers
        self._handles: list[RemovableHandle] = []
        self._remaining: dict[str, int] = {}
        self._features: dict[str, Tensor] = {}

    def __enter__(self) -> Self:
        for layer in self._layers:
            module = self._model.get_submodule(layer.name)
            self._handles.append(module.register_forward_hook(self._reader(layer.name)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def run(self, x: Tensor) -> Mapping[str, Tensor]:
        """The tapped feature maps for the network's input `x`. Modules behind the deepest tap are not run."""
        self._remaining = {layer.name: layer.calls for layer in self._layers}
        self._features = {}
        answer = None
        if self._layers or self._logits:
            with suppress(_AllTapped):
                answer = self._model(x)
        features, self._features = self._features, {}
        if self._logits and answer is not None:
            features["logits"] = answer
        missing = [layer.name for layer in self._layers if layer.name not in features]
        if missing:
            raise RuntimeError(f"the forward pass did not reach {', '.join(missing)}; it did in the probing pass")
        return features

    def _reader(self, name: str) -> Any:
        def read(module: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
            self._remaining[name] -= 1
            if self._remaining[name] > 0:
                return None
            self._features[name] = output
            if not self._logits and not any(count > 0 for count in self._remaining.values()):
                raise _AllTapped
            return output.clone()  # what follows may change its input in place, and must not change what was read

        return read
