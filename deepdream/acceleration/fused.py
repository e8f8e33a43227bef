"""Residual blocks on a CPU in fused kernels: oneDNN computes the sum and the ReLU within the convolutions.

Why: unfused, each convolution, sum and ReLU reads a map from memory and writes another, forward and backward, which is
half of a dream's time in bfloat16. PyTorch's fused operators are private (made for torch.compile): they are looked up
by name, and where one is missing nothing is fused. constraints.txt pins the PyTorch version of the measurements.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, prod
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.autograd.function import once_differentiable

from deepdream.hardware import cpu_features

INSTRUCTIONS = {torch.float32: "avx2", torch.bfloat16: "avx512_f"}  # with which fused convolutions were measured
OPERATORS = ("_convolution_pointwise", "_convolution_pointwise_", "_reorder_convolution_weight")
CHANNELS_LAST = torch.channels_last
FEW = 18_000_000  # numbers in the maps of a stage, as in layer1 of a ResNet-50 at 600x400: see `_passing`


def can_fuse(dtype: torch.dtype, device: torch.device) -> bool:
    """Whether `device` has fused convolutions for `dtype` that are faster."""
    if device.type != "cpu" or not cpu_features().get(INSTRUCTIONS.get(dtype, "none")):
        return False
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return all(hasattr(torch.ops.mkldnn, name) for name in OPERATORS)


def fuse_residual_blocks(model: nn.Module, keep: Collection[str] = ()) -> None:
    """Replace the forward pass of each residual block of `model` (eval mode, frozen weights) by a fused one, in place.

    A block is a module that returns relu(convolutions(x) + x), or relu(convolutions(x) + convolution(x)). Its parts
    stay in their places but do not run any more. Not fused: a block with a part that `keep` names or that has a hook,
    and one that torch.fx cannot trace. A stage (blocks in a row) is fused as one by the same rules.
    """
    whole: dict[nn.Module, FusedBlocks] = {}
    for name, module in reversed(list(model.named_modules())):  # parts before what they are parts of
        parts = list(module.children())
        inside = f"{name}." if name else ""
        is_read = any(kept != name and kept.startswith(inside) for kept in keep)
        if is_read or not parts or any(_is_hooked(part) for part in module.modules() if part is not module):
            continue
        if type(module) is nn.Sequential:  # adds nothing itself
            if all(part in whole for part in parts):
                whole[module] = FusedBlocks([block for part in parts for block in whole[part].blocks])
        elif not any(part in whole for part in module.modules()) and (block := _residual(module)) is not None:
            whole[module] = FusedBlocks([block])
    for module, fused in whole.items():
        module.forward = fused


def _is_hooked(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


class FusedConv2d:
    """A convolution, or a convolution and ReLU, that keeps the size or divides it by its stride, rounded up."""

    def __init__(self, conv: nn.Conv2d, *, relu: bool) -> None:
        self.relu, self.stride, self.inputs, self.outputs = relu, conv.stride[0], conv.in_channels, conv.out_channels
        self._weight, self._bias, self._kernel, self._groups = conv.weight, conv.bias, conv.kernel_size[0], conv.groups
        self._geometry = (list(conv.padding), list(conv.stride), [1, 1], conv.groups)
        self._back_geometry = (list(conv.padding), [1, 1], [1, 1], 1)
        self._packed: dict[bool, tuple[torch.Size, Tensor | None]] = {}  # weights, by `back`

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_packed": {}}  # oneDNN's tensors cannot be copied

    def forward(self, x: Tensor) -> Tensor:
        """The convolution of `x`, then ReLU where there is one."""
        how: Any = (self._pack(x), self._bias, *self._geometry, "relu" if self.relu else "none", [], "")
        return torch.ops.mkldnn._convolution_pointwise(x, *how)  # type: ignore[no-any-return]

    def forward_sum(self, x: Tensor, other: Tensor, *, over: bool) -> Tensor:
        """relu(convolution(x) + other); over: written into `other`."""
        how: Any = (self._pack(x), self._bias, *self._geometry, "add", 1.0, "relu", [], None)
        if over:
            return torch.ops.mkldnn._convolution_pointwise_.binary(other, x, *how)  # type: ignore[no-any-return]
        return torch.ops.mkldnn._convolution_pointwise.binary(x, other, *how)  # type: ignore[no-any-return]

    def backward(self, gradient: Tensor, size: torch.Size, onto: Tensor | None = None) -> Tensor:
        """The gradient at the input, of `size`, given that at the convolution's output; added to `onto`, in place."""
        if self._groups == 1 and self.stride == 1:
            return self._back(gradient, onto)
        if self._groups == 1 and self._kernel == 1:
            onto = torch.zeros(size, dtype=gradient.dtype).to(memory_format=CHANNELS_LAST) if onto is None else onto
            onto[:, :, :: self.stride, :: self.stride] += self._back(gradient)
            return onto
        padding, stride, dilation, groups = self._geometry
        unread = gradient.new_empty(1).expand(size)  # stands for the input: only its size counts
        how = (self._weight, None, stride, padding, dilation, False, [0, 0], groups, [True, False, False])
        found: Tensor = torch.ops.aten.convolution_backward(gradient, unread, *how)[0]
        return found if onto is None else onto.add_(found)

    def _back(self, gradient: Tensor, onto: Tensor | None = None) -> Tensor:
        """The gradient at stride 1: a convolution with the kernel rotated by 180 degrees, from outputs to inputs."""
        how: Any = (self._pack(gradient, back=True), None, *self._back_geometry)
        if onto is None:
            return torch.ops.mkldnn._convolution_pointwise(gradient, *how, "none", [], "")  # type: ignore[no-any-return]
        sum_to = torch.ops.mkldnn._convolution_pointwise_.binary
        return sum_to(onto, gradient, *how, "add", 1.0, None, [], None)  # type: ignore[no-any-return]

    def _pack(self, x: Tensor, *, back: bool = False) -> Tensor:
        """The weights in oneDNN's own memory order from the second map of one size on, so that it reorders them once.

        The order of another size can be eight times slower. An octave has many steps of one size.
        """
        size, known = self._packed.get(back, (None, None))
        if known is not None and size == x.shape:
            return known
        weight, geometry = (self._turned, self._back_geometry) if back else (self._weight, self._geometry)
        if size != x.shape:
            self._packed[back] = (x.shape, None)
            return weight
        packed: Tensor = torch.ops.mkldnn._reorder_convolution_weight(weight, *geometry, list(x.shape))
        self._packed[back] = (x.shape, packed)
        if back:
            vars(self).pop("_turned", None)  # no longer needed at this size, and as large as the network
        return packed

    @cached_property
    def _turned(self) -> Tensor:
        return _channels_last(self._weight.transpose(0, 1).flip(2, 3))


@dataclass(frozen=True)
class FusedBlock:
    """relu(main(x) + shortcut(x)), with two or more convolutions in `main` and one or none in `shortcut`."""

    main: Sequence[FusedConv2d]
    shortcut: FusedConv2d | None

    def forward(self, x: Tensor) -> list[Tensor]:
        """The outputs of the main convolutions in order; the last is the output of the block."""
        *before, last = self.main
        maps = [x]
        for conv in before:
            maps.append(conv.forward(maps[-1]))
        other = x if self.shortcut is None else self.shortcut.forward(x)
        maps.append(last.forward_sum(maps[-1], other, over=other is not x))
        return maps[1:]

    def backward(self, gradient: Tensor, passing: list[Tensor], size: torch.Size, *, over: bool) -> Tensor:
        """The gradient at the input, of `size`, given that at the output; over: `gradient` may be overwritten.

        passing: of each output of `forward`, from `_passing`.
        """
        at_sum = g = _masked(gradient, passing[-1], over=over)
        sizes = [size, *(each.shape for each in passing)]
        for i, conv in reversed(list(enumerate(self.main))):
            if conv.relu:
                g = _masked(g, passing[i], over=True)
            g = conv.backward(g, sizes[i], onto=at_sum if i == 0 and self.shortcut is None else None)
        return g if self.shortcut is None else self.shortcut.backward(at_sum, size, onto=g)


@dataclass(frozen=True)
class FusedBlocks:
    """Residual blocks in a row."""

    blocks: Sequence[FusedBlock]

    def __call__(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, channels, H / stride, W / stride)."""
        y: Tensor = _Blocks.apply(_channels_last(x), self.blocks)
        return y


class _Blocks(torch.autograd.Function):
    """Blocks in a row and their gradient. What is saved are the outputs of ReLU, which tell where gradients pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, blocks: Sequence[FusedBlock]) -> Tensor:
        saved = []
        ctx.blocks, ctx.size = blocks, x.shape
        is_small = _count(x.shape, blocks) <= FEW
        for block in blocks:
            maps = block.forward(x)
            x = maps[-1]
            saved += [_passing(y, is_small=is_small) for y in maps]
        ctx.save_for_backward(*saved)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        passing, g = list(ctx.saved_tensors), _channels_last(gradient)
        for block in reversed(ctx.blocks):
            of_block = passing[-len(block.main) :]
            del passing[-len(block.main) :]
            size = passing[-1].shape if passing else ctx.size
            is_last = block is ctx.blocks[-1]  # its gradient comes from outside and may have other readers
            g = block.backward(g, of_block, size, over=not is_last)
        return g, None


def _count(size: torch.Size, blocks: Sequence[FusedBlock]) -> int:
    """The numbers in all maps of blocks in a row, for an input of `size`."""
    images, _, height, width = size
    count = 0
    for conv in (conv for block in blocks for conv in block.main):
        height, width = ceil(height / conv.stride), ceil(width / conv.stride)
        count += images * conv.outputs * height * width
    return count


def _passing(y: Tensor, *, is_small: bool) -> Tensor:
    """What tells where `y`, an output of ReLU, is positive: itself, or in float32 a mask, a quarter of its memory.

    Where maps are small `y` is kept: a dream takes 5 to 8 % less time, and one of layer3 at 600x400 85 MB more memory.
    A mask is of 0 and 1 as uint8: a gradient is multiplied by it in 0.4 of the time that one of bool takes. Masks of
    bfloat16 would take half of the memory, and longer than the rest of a step.
    """
    return y if is_small or y.dtype == torch.bfloat16 else y.bool().view(torch.uint8)


def _masked(gradient: Tensor, passing: Tensor, *, over: bool) -> Tensor:
    """`gradient` where an output of ReLU is positive, else 0; passing: from `_passing`; over: written into `gradient`.

    bfloat16 is read as int16, which has the same sign: PyTorch would convert it to float32, which takes twice as long.
    """
    if passing.dtype == torch.uint8:
        return gradient.mul_(passing) if over else gradient * passing
    kind = torch.int16 if passing.dtype == torch.bfloat16 else passing.dtype
    g, y = gradient.view(kind), passing.view(kind)
    threshold = torch.ops.aten.threshold_backward
    found: Tensor = threshold.grad_input(g, y, 0, grad_input=g) if over else threshold(g, y, 0)
    return found.view(passing.dtype)


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=CHANNELS_LAST)


def _pass_on() -> tuple[type[nn.Module], ...]:
    """The modules that give their input in eval mode."""
    torchvision = sys.modules.get("torchvision")  # takes as long as torch, and no network has its modules without it
    return (nn.Identity, nn.Dropout, *([] if torchvision is None else [torchvision.ops.StochasticDepth]))


class _Tracer(fx.Tracer):
    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return type(module) in _pass_on() or super().is_leaf_module(module, name)


def _residual(block: nn.Module) -> FusedBlock | None:
    """The fused form of a residual block; None where `block` is anything else."""
    try:
        graph = _Tracer().trace(block)
    except Exception:  # tracing runs the network's own code on symbols, which may fail in any way
        return None
    relu: Any = graph.output_node().args[0]
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    if len(inputs) != 1 or len(inputs[0].users) != 2 or not _calls(block, relu, (nn.ReLU,)):
        return None
    total = relu.args[0]
    while _calls(block, total, _pass_on()):
        total = total.args[0]
    if total.target not in (operator.add, torch.add) or len(total.args) != 2 or total.kwargs or len(total.users) != 1:
        return None
    one, other = (_convolutions(block, node) for node in total.args)
    if one is None or other is None:
        return None
    shortcut, main = sorted((one, other), key=len)
    if len(shortcut) > 1 or len(main) < 2 or main[-1].relu or any(conv.relu for conv in shortcut):
        return None
    outputs = shortcut[0].outputs if shortcut else main[0].inputs
    strides = [prod([conv.stride for conv in way]) for way in (main, shortcut)]
    if main[-1].outputs != outputs or strides[0] != strides[1]:  # the sum broadcasts one map to the other
        return None
    return FusedBlock(main, shortcut[0] if shortcut else None)


def _convolutions(block: nn.Module, node: Any) -> list[FusedConv2d] | None:
    """The convolutions between the input of `block` and `node`; None where another kind of module is among them."""
    way: list[FusedConv2d] = []
    relu = False
    while isinstance(node, fx.Node) and node.op == "call_module" and len(node.users) == 1:
        module = block.get_submodule(str(node.target))
        if type(module) is nn.Conv2d and _keeps_size(module):
            way.insert(0, FusedConv2d(module, relu=relu))
            relu = False
        elif type(module) is nn.ReLU:
            relu = True
        elif type(module) not in _pass_on():
            return None
        node = node.args[0]
    return way if isinstance(node, fx.Node) and node.op == "placeholder" and not relu else None


def _calls(block: nn.Module, node: Any, kinds: tuple[type[nn.Module], ...]) -> bool:
    """Whether `node` runs a module of one of `kinds` whose output has one reader."""
    if not isinstance(node, fx.Node) or node.op != "call_module" or len(node.users) != 1:
        return False
    return type(block.get_submodule(str(node.target))) in kinds


def _keeps_size(conv: nn.Conv2d) -> bool:
    """Whether the output has the size of the input, divided by the stride and rounded up."""
    square = len(set(conv.stride)) == len(set(conv.kernel_size)) == 1 and conv.dilation == (1, 1)
    centred = conv.kernel_size[0] % 2 == 1 and conv.padding == (conv.kernel_size[0] // 2,) * 2
    return square and centred and conv.padding_mode == "zeros"
