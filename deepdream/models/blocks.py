"""The parts of a ResNet: residual blocks, basic and bottleneck, blur pooling and learned spatial weights.

    x ──► convolutions, each with a batch norm ──► (+) ──► relu
      └──────────────── shortcut ──────────────────┘

The shortcut lets gradients pass any number of blocks unchanged. He, Zhang, Ren, Sun, "Deep Residual Learning for Image
Recognition" (2015), with the stride of a bottleneck on its 3x3 convolution (ResNet v1.5). Parameter names are
torchvision's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A convolution without bias (a batch norm follows), padded so that stride 1 keeps the size."""
    return nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)


class Residual(nn.Module, ABC):
    """What both kinds of block share: the shortcut, and the sum.

    in_channels, channels: of the input, and of the 3x3 convolutions; the output has channels * expansion.
    stride: 2 halves the size.
    shortcut: how it halves the size: "stride" reads one pixel of four, "average" all four (ResNet-D), "blur" low-passes
        them. With "blur" the block's own 3x3 convolution is dense, and its activation is low-passed and halved.
    drop: probability that an image skips the convolutions in training (stochastic depth, Huang et al. 2016). Kept
        outputs are scaled up, so that eval mode needs no change. Departs from the paper: each image of a batch is
        sampled by itself, where the paper samples once a batch. The samples come from torch's global generator of the
        device.

    Each activation is a module of its own, so that a hook reads one place. An optional part that is not used is None.
    """

    expansion: int

    def __init__(
        self, in_channels: int, channels: int, stride: int = 1, *, shortcut: str = "stride", drop: float = 0.0
    ) -> None:
        super().__init__()
        blurred = stride > 1 and shortcut == "blur"
        self._build(in_channels, channels, 1 if blurred else stride)
        self.blur = BlurPool(channels) if blurred else None
        self.drop = _stochastic_depth(drop) if drop > 0 else None
        self.downsample = _downsample(in_channels, channels * self.expansion, stride, shortcut)

    @abstractmethod
    def _build(self, in_channels: int, channels: int, stride: int) -> None:
        """Make the convolutions, their batch norms and their activations."""

    def _blurred(self, x: Tensor) -> Tensor:
        return x if self.blur is None else self.blur(x)

    def _add_shortcut(self, out: Tensor, x: Tensor) -> Tensor:
        if self.drop is not None:
            out = self.drop(out)
        return out + (x if self.downsample is None else self.downsample(x))


class BasicBlock(Residual):
    """Two 3x3 convolutions and a shortcut."""

    expansion = 1

    def _build(self, in_channels: int, channels: int, stride: int) -> None:
        self.conv1 = conv(in_channels, channels, 3, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = conv(channels, channels, 3)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, channels, H / stride, W / stride)."""
        out = self._blurred(self.relu1(self.bn1(self.conv1(x))))
        out = self.bn2(self.conv2(out))
        return self.relu2(self._add_shortcut(out, x))  # type: ignore[no-any-return]


class Bottleneck(Residual):
    """1x1, 3x3 and 1x1 convolutions, the last four times as wide, and a shortcut."""

    expansion = 4

    def _build(self, in_channels: int, channels: int, stride: int) -> None:
        self.conv1 = conv(in_channels, channels, 1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = conv(channels, channels, 3, stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU()
        self.conv3 = conv(channels, channels * self.expansion, 1)
        self.bn3 = nn.BatchNorm2d(channels * self.expansion)
        self.relu3 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, 4 * channels, H / stride, W / stride)."""
        out = self.relu1(self.bn1(self.conv1(x)))
        out = self._blurred(self.relu2(self.bn2(self.conv2(out))))
        out = self.bn3(self.conv3(out))
        return self.relu3(self._add_shortcut(out, x))  # type: ignore[no-any-return]


def _stochastic_depth(drop: float) -> nn.Module:
    from torchvision.ops import StochasticDepth  # takes as long as torch: a network without it does without

    drops: nn.Module = StochasticDepth(drop, "row")
    return drops


def _downsample(in_channels: int, out_channels: int, stride: int, shortcut: str) -> nn.Sequential | None:
    """The shortcut of a block whose output differs in shape from its input; None for any other."""
    if stride == 1 and in_channels == out_channels:
        return None
    pool = _pool(in_channels, shortcut) if stride > 1 else None
    parts: list[tuple[str, nn.Module]] = [] if pool is None else [("pool", pool)]
    parts.append(("0", conv(in_channels, out_channels, 1, stride if pool is None else 1)))  # torchvision's names
    parts.append(("1", nn.BatchNorm2d(out_channels)))
    return nn.Sequential(OrderedDict(parts))


def _pool(channels: int, shortcut: str) -> nn.Module | None:
    if shortcut == "blur":
        return BlurPool(channels)
    if shortcut == "average":
        return nn.AvgPool2d(2, stride=2, ceil_mode=True, count_include_pad=False)
    return None


class BlurPool(nn.Module):
    """Halve the size without aliasing: low-pass by the binomial filter [1, 2, 1] / 4, with reflected borders.

    Plain strides alias fine detail into coarse, so that logits jump when the image shifts by one pixel. There are no
    weights, and the filter is not saved in checkpoints: the names stay torchvision's. A map with a side of one position
    cannot be reflected: RuntimeError (images need 32 pixels a side or more).

    Source: Zhang 2019, "Making Convolutional Networks Shift-Invariant Again".
    """

    kernel: Tensor
    kernel_size, stride = 3, 2  # as a pooling says it

    def __init__(self, channels: int) -> None:
        super().__init__()
        row = (0.25, 0.5, 0.25)
        # From numbers: arithmetic of tensors on the meta device, where shapes are compared, imports torch._dynamo.
        kernel = torch.tensor([[[[y * x for x in row] for y in row]]] * channels)
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, channels, H/2, W/2), rounded up."""
        return _low_pass_half(x, self.kernel)

    def extra_repr(self) -> str:
        """The number of channels, for print(model)."""
        return str(len(self.kernel))


@torch.fx.wrap  # one step for torch.fx, which cannot follow a branch on the device
def _low_pass_half(x: Tensor, kernel: Tensor) -> Tensor:
    # Autocast would pad in float32. On a CPU a depthwise convolution takes about 20 times as long in bfloat16.
    dtype = torch.promote_types(x.dtype, torch.float32) if x.device.type == "cpu" else x.dtype
    with torch.autocast(x.device.type, enabled=False):
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect").to(dtype)
        return F.conv2d(padded, kernel.to(dtype), stride=2, groups=len(kernel)).to(x.dtype)


class SpatialWeights(nn.Module):
    """One weighted sum for each channel of a size x size map: a depthwise convolution as wide as the map.

    Average pooling forgets the place of a feature; these weights learn, for each channel, how much each place counts.
    non_negative: `project` sets negative weights to zero; call it after each step of the optimizer.

    Source: Rahimzadeh et al. 2021, "Wise-SrNet" (arXiv 2104.12294). Departs from it: the weights start as the average
    (theirs as noise about zero, before a pretrained network), and there is no bias (the linear layer has one).
    """

    def __init__(self, channels: int, size: int, *, non_negative: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels, size, size), 1 / size**2))
        self.non_negative = non_negative

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, size, size) -> (N, channels, 1, 1)."""
        return (x * self.weight).sum(dim=(2, 3), keepdim=True)

    @torch.no_grad()
    def project(self) -> None:
        """Set negative weights to zero, where the weights have to be non-negative."""
        if self.non_negative:
            self.weight.clamp_(min=0)

    def extra_repr(self) -> str:
        """Its sizes, for print(model)."""
        channels, size, _ = self.weight.shape
        return f"{channels}, size={size}, non_negative={self.non_negative}"
