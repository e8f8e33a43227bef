"""Weight gradients of wide convolutions of small maps on a CPU, as one matrix product.

oneDNN's own kernels for AVX2 take 1.1 to 16 times as long there, most with 512 channels: a tenth to a quarter of a
training step of a ResNet-18 with images of 112 to 64 pixels (`benchmarks/train.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from deepdream.acceleration.switch import is_enabled

WIDE = 256  # output channels; oneDNN is no slower with fewer
SMALL = 2048  # positions of a batch; the matrix of their inputs would leave the cache with more

Pair = tuple[int, int]


def fast_weight_gradients() -> AbstractContextManager[Any]:
    """Inside the block, wide convolutions of small maps in float32 on a CPU get their weight gradients so.

    It concerns forward passes: their backward pass may be outside. All other convolutions, and those under autocast or
    a compiler, are PyTorch's. The results are the same up to rounding.
    """
    return _Convolutions() if is_enabled() else nullcontext()


class _Convolutions(TorchFunctionMode):
    """Replaces calls of torch.conv2d where it pays."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        replacement = _conv2d if func is torch.conv2d else func
        return replacement(*args, **(kwargs or {}))


def _conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Pair = 1,
    padding: int | Pair | str = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
) -> Tensor:
    """torch.conv2d, with its arguments."""
    stride, dilation = _pair(stride), _pair(dilation)
    is_plain = bias is None and groups == 1 and dilation == (1, 1) and not isinstance(padding, str)
    if not (is_plain and _is_concerned(input, weight, stride)):
        return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)
    assert not isinstance(padding, str)
    output: Tensor = _Convolution.apply(input, weight, stride, _pair(padding))
    return output


def _is_concerned(images: Tensor, weight: Tensor, stride: Pair) -> bool:
    positions = len(images) * (images.shape[-2] // stride[0]) * (images.shape[-1] // stride[1])
    return (
        weight.shape[0] >= WIDE
        and positions <= SMALL
        and images.dim() == 4
        and images.device.type == "cpu"
        and images.dtype == weight.dtype == torch.float32
        and weight.requires_grad
        and torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
    )


class _Convolution(torch.autograd.Function):
    """A convolution without bias; images (N, C, H, W), weight (O, C, K, L)."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.stride, ctx.padding = stride, padding
        return torch.conv2d(images, weight, stride=stride, padding=padding)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        images, weight = ctx.saved_tensors
        of_images = of_weight = None
        if ctx.needs_input_grad[0]:
            geometry = (list(ctx.stride), list(ctx.padding), [1, 1], False, [0, 0], 1)
            of_images = torch.ops.aten.convolution_backward(
                gradient, images, weight, None, *geometry, [True, False, False]
            )[0]
        if ctx.needs_input_grad[1]:
            of_weight = _weight_gradient(images, gradient, (weight.shape[2], weight.shape[3]), ctx.stride, ctx.padding)
        return of_images, of_weight, None, None


def _weight_gradient(images: Tensor, gradient: Tensor, kernel: Pair, stride: Pair, padding: Pair) -> Tensor:
    """The gradients (N, O, H, W) of all positions times what each position saw: (O, C, K, L), channels last."""
    channels, (height, width) = images.shape[1], gradient.shape[2:]
    padded = F.pad(images.permute(0, 2, 3, 1), (0, 0, padding[1], padding[1], padding[0], padding[0])).contiguous()
    image, row, column, channel = padded.stride()
    seen = padded.as_strided(
        (len(images), height, width, *kernel, channels),
        (image, row * stride[0], column * stride[1], row, column, channel),
    )
    rows = gradient.permute(0, 2, 3, 1).reshape(-1, gradient.shape[1])
    product = rows.T @ seen.reshape(len(rows), -1)
    return product.view(-1, *kernel, channels).permute(0, 3, 1, 2)


def _pair(value: int | Pair) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
