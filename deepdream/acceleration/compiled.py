"""Taps of a compiled network: the same feature maps from one fused program, after a minute of compiling."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torchvision.models.feature_extraction import create_feature_extractor

from deepdream.acceleration.frozen import BlockedConv2d


class CompiledTaps:
    """As `Taps`, with torch.compile in place of hooks. Raises ValueError for a network that cannot be traced.

    Each size of picture is compiled for itself; the sizes of the octaves come again in every dream.
    """

    def __init__(self, model: nn.Module, names: list[str], *, backend: str = "inductor") -> None:
        try:
            extractor = create_feature_extractor(model, names, tracer_kwargs={"leaf_modules": [BlockedConv2d]})
        except Exception as error:  # tracing runs the network's own code on symbols, which may fail in any way
            raise ValueError("this network cannot be compiled; leave dream.compile=false") from error
        torch._dynamo.config.cache_size_limit = max(64, torch._dynamo.config.cache_size_limit)
        self._run: Any = torch.compile(extractor.requires_grad_(False), dynamic=False, backend=backend)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def run(self, x: Tensor) -> Mapping[str, Tensor]:
        """The tapped feature maps for the network's input `x`."""
        features: Mapping[str, Tensor] = self._run(x)
        return features
