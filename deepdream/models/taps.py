"""Taps: read chosen layers of any network as feature maps, and stop its forward pass after the deepest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from deepdream.models.layers import Layer, Size

LOGITS = "logits"  # the name under which the network's logits (N, classes) are tapped


class _AllTapped(BaseException):
    """Ends a forward pass. Not an Exception, so that no `except Exception` inside a network catches it."""


class Taps:
    """Reads `layers` of `model` as feature maps, whatever their layout; while it is open, the model carries hooks.

    with Taps(model, layers) as taps:
        features = taps.run(x)  # {"layer2": (N, C, H, W), "layer3": ...}

    logits: run the whole network, and return its logits (N, classes) too, under "logits". `gradients` then gives those
        of a score made of the logits.
    """

    def __init__(self, model: nn.Module, layers: Sequence[Layer], *, logits: bool = False) -> None:
        self._model = model
        self._logits = logits
        self._layers = layers
        self._handles: list[RemovableHandle] = []
        self._remaining: dict[str, int] = {}
        self._features: dict[str, Tensor] = {}
        self._outputs: dict[str, Tensor] = {}
        self._input_size: Size = (0, 0)

    def __enter__(self) -> Self:
        self._handles.append(self._model.register_forward_pre_hook(self._note_size))
        for layer in self._layers:
            module = self._model.get_submodule(layer.name)
            self._handles.append(module.register_forward_hook(self._reader(layer)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._outputs.clear()

    def run(self, x: Tensor) -> Mapping[str, Tensor]:
        """The tapped feature maps for the network's input `x`. Modules behind the deepest tap are not run."""
        self._remaining = {layer.name: layer.calls for layer in self._layers}
        self._features = {}
        logits = None
        if self._layers or self._logits:
            with suppress(_AllTapped):
                logits = self._model(x)
        features, self._features = self._features, {}
        if self._logits and logits is not None:
            features[LOGITS] = logits
        missing = [layer.name for layer in self._layers if layer.name not in features]
        if missing:
            raise RuntimeError(f"the forward pass did not reach {', '.join(missing)}; it did in the probing pass")
        return features

    def gradients(self, score: Tensor) -> Mapping[str, Tensor]:
        """The gradient of a scalar made of the last logits at each layer, as a feature map; zeros where it has none."""
        outputs = list(self._outputs.values())  # a map may be a view, which the logits do not depend on
        found = torch.autograd.grad(score, outputs, allow_unused=True, materialize_grads=True)
        gradients = dict(zip(self._outputs, found, strict=True))
        return {layer.name: layer.as_map(gradients[layer.name], self._input_size) for layer in self._layers}

    def _note_size(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._input_size = (inputs[0].shape[2], inputs[0].shape[3])

    def _reader(self, layer: Layer) -> Any:
        def read(module: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
            self._remaining[layer.name] -= 1
            if self._remaining[layer.name] > 0:
                return None
            self._features[layer.name] = layer.as_map(output, self._input_size)
            if self._logits:
                self._outputs[layer.name] = output
            if not self._logits and not any(count > 0 for count in self._remaining.values()):
                raise _AllTapped
            return output.clone()  # what follows may change its input in place, and must not change what was read

        return read
