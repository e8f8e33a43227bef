"""A copy of a network that computes faster in one dtype: batch norm folded into convolutions, channels-last memory,
in-place ReLU, and on a CPU fused residual blocks (`fused`).

Everything here changes how the network computes, and nothing of its output, up to rounding.
"""

from __future__ import annotations

import copy
import operator
from collections import Counter
from collections.abc import Collection
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.autograd.function import once_differentiable
from torch.nn.grad import conv2d_input
from torch.nn.utils.fusion import fuse_conv_bn_eval

from deepdream.acceleration.fused import can_fuse, fuse_residual_blocks
from deepdream.acceleration.switch import is_enabled


def accelerated_copy(
    model: nn.Module,
    dtype: torch.dtype,
    device: torch.device,
    keep: Collection[str] = (),
    *,
    for_compiler: bool = False,
) -> nn.Module:
    """A copy of `model` in eval mode, without gradients of its weights, that computes in `dtype` on `device`.

    keep: names of modules whose outputs are read and must stay those of `model`, up to rounding.
    for_compiler: leave residual blocks unfused, so that torch.compile can trace and fuse them itself.

    `model` is not changed. Low precision comes from weights of that precision, not from autocast, which would cast the
    frozen weights again at each step. With acceleration switched off it is a plain copy in channels-last memory.
    """
    if not is_enabled():
        plain = copy.deepcopy(model).eval().to(device=device, dtype=dtype)
        return plain.to(memory_format=torch.channels_last).requires_grad_(False)
    fold_in = torch.float64 if dtype == torch.float64 else torch.float32
    frozen = copy.deepcopy(model).eval().to(device=device, dtype=fold_in)
    graph = trace(frozen)
    fold_batch_norm(frozen, keep, graph)
    relu_in_place(frozen, graph)  # before block_strided, whose convolutions it does not know
    relu_after_pool(frozen, keep, graph)
    if dtype in (torch.bfloat16, torch.float32) and device.type == "cpu":
        block_strided(frozen)
    frozen = frozen.to(dtype).to(memory_format=torch.channels_last).requires_grad_(False)
    if can_fuse(dtype, device) and not for_compiler:
        fuse_residual_blocks(frozen, keep)
    return frozen


def trace(model: nn.Module) -> fx.Graph:
    """The calls of `model` in their order, by the names of its modules; an empty graph where torch.fx cannot trace it.

    It takes a tenth of a second for a ResNet-50, and stays true where a step below puts other modules under the names.
    """
    try:
        return fx.Tracer().trace(model)
    except Exception:  # tracing runs the network's own code on symbols, which may fail in any way
        return fx.Graph()


def fold_batch_norm(model: nn.Module, keep: Collection[str] = (), graph: fx.Graph | None = None) -> None:
    """Fold each batch norm of `model` into the convolution before it, in place, where that feeds only the batch norm.

    Exact up to rounding. `model` must be in eval mode. Not folded: a convolution whose own output is read, because
    `keep` names it or a module that ends with it; and a model that torch.fx cannot trace. graph: of `trace`.
    """
    for conv, norm in _pairs(model, graph or trace(model), nn.Conv2d, nn.BatchNorm2d):
        convolution, batch_norm = model.get_submodule(conv), model.get_submodule(norm)
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(batch_norm, nn.BatchNorm2d)
        if _is_between(keep, conv, norm) or batch_norm.running_mean is None:
            continue
        model.set_submodule(conv, fuse_conv_bn_eval(convolution, batch_norm))
        model.set_submodule(norm, nn.Identity())


def relu_in_place(model: nn.Module, graph: fx.Graph | None = None) -> None:
    """Set `inplace` on each ReLU of `model` that is the only reader of its input: 25 % fewer maps are written.

    Unchanged: a ReLU whose input has another reader, and a model that torch.fx cannot trace. graph: of `trace`.
    """
    safe: dict[str, bool] = {}
    for node in (graph or trace(model)).nodes:
        if node.op == "call_module" and type(model.get_submodule(str(node.target))) is nn.ReLU:
            name = str(node.target)
            safe[name] = safe.get(name, True) and _reads_alone(model, node)
    for name, is_safe in safe.items():
        relu = model.get_submodule(name)
        assert isinstance(relu, nn.ReLU)
        relu.inplace = relu.inplace or is_safe


def relu_after_pool(model: nn.Module, keep: Collection[str] = (), graph: fx.Graph | None = None) -> None:
    """Swap a ReLU and the max pooling that is its only reader, in place: the pooled map is a quarter of the size.

    Bit-equal, because max and ReLU commute. Unchanged: a ReLU whose output is read, because `keep` names it or a
    module that ends with it, and a model that torch.fx cannot trace. graph: of `trace`.
    """
    for relu, pool in _pairs(model, graph or trace(model), nn.ReLU, nn.MaxPool2d):
        if not _is_between(keep, relu, pool) and not model.get_submodule(pool).return_indices:
            model.set_submodule(pool, nn.Sequential(model.get_submodule(pool), nn.ReLU(inplace=True)))
            model.set_submodule(relu, nn.Identity())


def _reads_alone(model: nn.Module, node: fx.Node) -> bool:
    """Whether `node` is the only reader of its input, and that is the output of a convolution, batch norm or sum."""
    source = node.all_input_nodes[0]
    while len(source.users) == 1:
        if source.op == "call_function":
            return source.target in (operator.add, torch.add)
        if source.op != "call_module":
            return False
        module = model.get_submodule(str(source.target))
        if not isinstance(module, nn.Identity):
            return isinstance(module, nn.Conv2d | nn.BatchNorm2d | BlockedConv2d)
        source = source.all_input_nodes[0]
    return False


class BlockedConv2d(nn.Module):
    """A strided convolution whose backward pass is that of a dense convolution over blocks of stride x stride pixels.

    On a CPU the backward pass of a 7x7 convolution of stride 2 from 64 channels to 3 colours takes three times as long
    as this one; in float32 it was 10 % of a gradient step of a ResNet-50.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self._stride, self._kernel, self._padding = conv.stride[0], conv.kernel_size[0], int(conv.padding[0])
        # Zeros around the kernel make padding and kernel both begin and end at the border of a block.
        before = -self._padding % self._stride
        after = -(self._kernel + before) % self._stride
        padded = F.pad(conv.weight, (before, after, before, after))
        self._lead = self._padding + before
        self._reach = self._kernel + before + after
        self.weight, self.bias = conv.weight, conv.bias
        self.blocked_weight = nn.Parameter(F.pixel_unshuffle(padded, self._stride), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the output of the convolution."""
        y: Tensor = _Blocked.apply(x, self)
        return y

    def convolve(self, x: Tensor) -> Tensor:
        """The convolution itself."""
        return F.conv2d(x, self.weight, self.bias, self._stride, self._padding)

    def backward(self, gradient: Tensor, size: torch.Size) -> Tensor:
        """The gradient at the input, of `size`, from that at the output."""
        bottom, right = self._trail(size[2]), self._trail(size[3])
        height, width = (self._lead + size[2] + bottom, self._lead + size[3] + right)
        blocks = (size[0], self.blocked_weight.shape[1], height // self._stride, width // self._stride)
        found: Tensor = conv2d_input(blocks, self.blocked_weight, gradient)  # type: ignore[no-untyped-call]
        return F.pad(F.pixel_shuffle(found, self._stride), (-self._lead, -right, -self._lead, -bottom))

    def _trail(self, side: int) -> int:
        """Padding after a side, so that it holds one block for each output of the convolution."""
        outputs = (side + 2 * self._padding - self._kernel) // self._stride + 1
        return self._stride * (outputs - 1) + self._reach - self._lead - side


class _Blocked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, conv: BlockedConv2d) -> Tensor:
        ctx.conv, ctx.size = conv, x.shape
        return conv.convolve(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.conv.backward(gradient, ctx.size), None


def block_strided(model: nn.Module) -> None:
    """Replace the strided convolutions of `model` that read an image (up to 4 channels) by blocked ones, in place."""
    for name, module in list(model.named_modules()):
        if type(module) is nn.Conv2d and _is_blockable(module):
            model.set_submodule(name, BlockedConv2d(module))


def _is_blockable(conv: nn.Conv2d) -> bool:
    square = len(set(conv.stride)) == len(set(conv.kernel_size)) == len(set(conv.padding)) == 1
    simple = conv.groups == 1 and conv.dilation == (1, 1) and conv.padding_mode == "zeros"
    hooked = conv._forward_hooks or conv._forward_pre_hooks
    return square and simple and not hooked and conv.stride[0] > 1 and conv.in_channels <= 4


def _is_between(keep: Collection[str], first: str, second: str) -> bool:
    """Whether `keep` names a module that ends with `first` and does not hold `second`, which reads it."""
    return any(_holds(name, first) and not _holds(name, second) for name in keep)


def _holds(name: str, inner: str) -> bool:
    return inner == name or inner.startswith(f"{name}.")


def _pairs(model: nn.Module, graph: fx.Graph, first: type[nn.Module], second: type[nn.Module]) -> list[tuple[str, str]]:
    """The names of all pairs of a `first` and its only reader, a `second`, where each runs once in a forward pass."""
    called = Counter(str(node.target) for node in graph.nodes if node.op == "call_module")
    read = {str(node.target).rpartition(".")[0] for node in graph.nodes if node.op == "get_attr"}
    named = Counter(id(module) for _, module in model.named_modules(remove_duplicate=False))

    def is_plain(node: fx.Node, kind: type[nn.Module]) -> bool:
        """Whether `node` is exactly a `kind`: called once, one name, no hooks, weights with no other reader."""
        if node.op != "call_module" or called[str(node.target)] != 1 or str(node.target) in read:
            return False
        module = model.get_submodule(str(node.target))
        hooked = module._forward_hooks or module._forward_pre_hooks
        return type(module) is kind and named[id(module)] == 1 and not hooked

    pairs = []
    for node in graph.nodes:
        if is_plain(node, second) and len(node.all_input_nodes) == 1:
            source = node.all_input_nodes[0]
            if is_plain(source, first) and len(source.users) == 1:
                pairs.append((str(source.target), str(node.target)))
    return pairs
