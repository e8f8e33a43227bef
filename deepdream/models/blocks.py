"""The residual block, basic and bottleneck.

    x ──► convolutions, each with a batch norm ──► (+) ──► relu
      └──────────────── shortcut ──────────────────┘

What the convolutions add to x is small at first and grows as they learn; the shortcut lets gradients pass any number of
blocks unchanged. He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition" (2015), with the stride of a
bottleneck on its 3x3 convolution (ResNet v1.5). Parameter names are torchvision's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict

from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from deepdream.models.blur import BlurPool


def conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A convolution without bias (a batch norm follows), padded so that stride 1 keeps the size."""
    return nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)


class Residual(nn.Module, ABC):
    """What both blocks share: the shortcut, and how the two ways come together.

    in_channels, channels: of the input, and of the 3x3 convolutions; the block yields channels * expansion.
    stride: 2 halves the size.
    shortcut: how it halves the size: "stride" reads one pixel of four, "average" all four (ResNet-D), "blur" low-passes
        them. With "blur" the block's own 3x3 convolution is dense, and its activation is low-passed and halved.
    drop: the chance that the convolutions are left out for a picture in training (stochastic depth, Huang et al. 2016).
        What is kept is scaled up, so that nothing changes in eval mode. Each picture of a batch draws for itself, where
        the paper draws once for a batch. The draws come from torch's generator of the device in the training process:
        they follow from the seed and from all that was drawn before.

    Each activation is a module of its own, so that a hook sees one place. A part that a block does without is None.
    """

    expansion: int

    def __init__(
        self, in_channels: int, channels: int, stride: int = 1, *, shortcut: str = "stride", drop: float = 0.0
    ) -> None:
        super().__init__()
        blurred = stride > 1 and shortcut == "blur"
        self._build(in_channels, channels, 1 if blurred else stride)
        self.blur = BlurPool(channels) if blurred else None
        self.drop = StochasticDepth(drop, "row") if drop > 0 else None
        self.downsample = _downsample(in_channels, channels * self.expansion, stride, shortcut)

    @abstractmethod
    def _build(self, in_channels: int, channels: int, stride: int) -> None:
        """Make the convolutions, their batch norms and their activations."""

    def _half(self, x: Tensor) -> Tensor:
        return x if self.blur is None else self.blur(x)

    def _add(self, out: Tensor, x: Tensor) -> Tensor:
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
        out = self._half(self.relu1(self.bn1(self.conv1(x))))
        out = self.bn2(self.conv2(out))
        return self.relu2(self._add(out, x))  # type: ignore[no-any-return]


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
        out = self._half(self.relu2(self.bn2(self.conv2(out))))
        out = self.bn3(self.conv3(out))
        return self.relu3(self._add(out, x))  # type: ignore[no-any-return]


def _downsample(in_channels: int, out_channels: int, stride: int, shortcut: str) -> nn.Sequential | None:
    """What gives the input of a block the shape of its output; None where it has that shape."""
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
