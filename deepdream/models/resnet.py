"""ResNet of any depth.

He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition" (2015), with the stride of a bottleneck on its
3x3 convolution (ResNet v1.5, as in torchvision). Parameter names are torchvision's, so its weights load as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

# depth: (kind of block, blocks per stage)
DEPTHS: dict[int, tuple[str, tuple[int, ...]]] = {
    10: ("basic", (1, 1, 1, 1)),
    14: ("bottleneck", (1, 1, 1, 1)),
    18: ("basic", (2, 2, 2, 2)),
    26: ("bottleneck", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
    200: ("bottleneck", (3, 24, 36, 3)),
    269: ("bottleneck", (3, 30, 48, 8)),
}


def _conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A convolution without bias (a batch norm follows), padded so that stride 1 keeps the size."""
    return nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)


class _Residual(nn.Module):
    """What both blocks share: the shortcut. Each activation is a module of its own, so that a hook sees one place."""

    expansion: int
    downsample: nn.Module | None

    def _make_shortcut(self, in_channels: int, channels: int, stride: int) -> None:
        out_channels = channels * self.expansion
        if stride == 1 and in_channels == out_channels:
            self.downsample = None
        else:
            self.downsample = nn.Sequential(
                _conv(in_channels, out_channels, 1, stride),
                nn.BatchNorm2d(out_channels),
            )

    def _shortcut(self, x: Tensor) -> Tensor:
        return x if self.downsample is None else self.downsample(x)


class BasicBlock(_Residual):
    """Two 3x3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = _conv(in_channels, channels, 3, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = _conv(channels, channels, 3)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU()
        self._make_shortcut(in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, channels, H / stride, W / stride)."""
        out = self.relu1(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu2(out + self._shortcut(x))  # type: ignore[no-any-return]


class Bottleneck(_Residual):
    """1x1, 3x3 and 1x1 convolutions, the last four times as wide, and a shortcut."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = _conv(in_channels, channels, 1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = _conv(channels, channels, 3, stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU()
        self.conv3 = _conv(channels, channels * self.expansion, 1)
        self.bn3 = nn.BatchNorm2d(channels * self.expansion)
        self.relu3 = nn.ReLU()
        self._make_shortcut(in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, 4 * channels, H / stride, W / stride)."""
        out = self.relu1(self.bn1(self.conv1(x)))
        out = self.relu2(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu3(out + self._shortcut(x))  # type: ignore[no-any-return]


BLOCKS: dict[str, type[BasicBlock | Bottleneck]] = {"basic": BasicBlock, "bottleneck": Bottleneck}


class ResNet(nn.Module):
    """A residual network whose parameters carry torchvision's names.

    depth: an entry of `DEPTHS`. Ignored for the number of blocks where `blocks` is given.
    num_classes: width of the output.
    blocks: residual blocks in each of the four stages, for example [3, 4, 6, 3].
    block: "basic" or "bottleneck"; None takes the kind that `depth` has.
    zero_init_residual: start each block as the identity (Goyal et al. 2017): the last gamma of a block is zero.

    Raises ValueError for an unknown depth or block and for stages that are not four positive numbers.
    """

    def __init__(
        self,
        depth: int = 50,
        num_classes: int = 67,
        *,
        blocks: Sequence[int] | None = None,
        block: str | None = None,
        zero_init_residual: bool = False,
    ) -> None:
        super().__init__()
        kind, stages = _architecture(depth, blocks, block)
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        width = 64
        self.layer1, width = _stage(kind, width, 64, stages[0], stride=1)
        self.layer2, width = _stage(kind, width, 128, stages[1], stride=2)
        self.layer3, width = _stage(kind, width, 256, stages[2], stride=2)
        self.layer4, width = _stage(kind, width, 512, stages[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(width, num_classes)
        self._initialise(zero_init_residual)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, num_classes) of normalised pictures (N, 3, H, W)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))  # (N, 64, H/4, W/4)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))  # (N, 512 * expansion, H/32, W/32)
        return self.fc(self.avgpool(x).flatten(1))  # type: ignore[no-any-return]

    def _initialise(self, zero_init_residual: bool) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif zero_init_residual and isinstance(module, BasicBlock):
                nn.init.zeros_(module.bn2.weight)
            elif zero_init_residual and isinstance(module, Bottleneck):
                nn.init.zeros_(module.bn3.weight)


def _architecture(
    depth: int, blocks: Sequence[int] | None, block: str | None
) -> tuple[type[BasicBlock | Bottleneck], tuple[int, ...]]:
    if depth not in DEPTHS:
        raise ValueError(
            f"model.depth is {depth}; known depths are {', '.join(map(str, DEPTHS))}. "
            "For another one give the blocks of each stage, for example model.blocks=[3,4,6,3]"
        )
    kind, stages = DEPTHS[depth]
    kind = block or kind
    stages = tuple(blocks) if blocks is not None else stages
    if kind not in BLOCKS:
        raise ValueError(f"model.block is {kind!r}; it must be one of {', '.join(BLOCKS)}")
    if len(stages) != 4 or min(stages) < 1:
        raise ValueError(f"model.blocks is {list(stages)}; it must be four numbers of 1 or more, one for each stage")
    return BLOCKS[kind], stages


def _stage(
    kind: type[BasicBlock | Bottleneck], in_channels: int, channels: int, count: int, stride: int
) -> tuple[nn.Sequential, int]:
    """`count` blocks, the first of which halves the size where stride is 2; and the width that they yield."""
    width = channels * kind.expansion
    first = kind(in_channels, channels, stride)
    return nn.Sequential(first, *(kind(width, channels) for _ in range(count - 1))), width
