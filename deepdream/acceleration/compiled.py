"""Taps of a compiled network: the same feature maps from one compiled program, after a minute of compiling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn

from deepdream.acceleration.frozen import BlockedConv2d
from deepdream.acceleration.switch import is_enabled

Reader = Callable[[Tensor, tuple[int, int]], Tensor]


class CompiledTaps:
    """Feature maps by name, as `Taps` gives them, from torch.compile in place of hooks.

    readers: the modules to tap, each with what makes a feature map of its output and the size of the input.

    Each image size is compiled once; the sizes of the octaves are the same in every dream. With acceleration switched
    off the traced network runs uncompiled. Raises ValueError for a network that cannot be traced.
    """

    def __init__(self, model: nn.Module, readers: Mapping[str, Reader], *, backend: str = "inductor") -> None:
        from torchvision.models.feature_extraction import create_feature_extractor  # takes as long as torch

        self._readers = readers
        try:
            extractor = create_feature_extractor(model, list(readers), tracer_kwargs={"leaf_modules": [BlockedConv2d]})
        except Exception as error:  # tracing runs the network's own code on symbols, which may fail in any way
            raise ValueError("torch.fx cannot trace this network to compile it; use compile=false") from error
        self._run: Any = extractor.requires_grad_(False)
        if is_enabled():
            torch._dynamo.config.cache_size_limit = max(64, torch._dynamo.config.cache_size_limit)
            self._run = torch.compile(self._run, dynamic=False, backend=backend)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def run(self, x: Tensor) -> Mapping[str, Tensor]:
        """The tapped feature maps of the network input `x`, (N, 3, H, W)."""
        outputs: Mapping[str, Tensor] = self._run(x)
        return {name: self._readers[name](output, (x.shape[2], x.shape[3])) for name, output in outputs.items()}
