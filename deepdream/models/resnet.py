"""ResNet of any depth, read from top to bottom: stem, four stages of residual blocks, head.

He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition" (2015). The classic variant is torchvision's network
to the bit and loads its weights as they are; the other variants keep its names for all the parts that they share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from torch import Tensor, nn

from deepdream.models.blocks import BasicBlock, Bottleneck
from deepdream.models.config import check_variant
from deepdream.models.heads import SpatialWeights
from deepdream.models.stems import STEMS, max_pool, rounded

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
BLOCKS: dict[str, type[BasicBlock | Bottleneck]] = {"basic": BasicBlock, "bottleneck": Bottleneck}
CHANNELS = (64, 128, 256, 512)  # of the 3x3 convolutions, stage by stage


class ResNet(nn.Module):
    """A residual network whose parameters carry torchvision's names.

    depth: an entry of `DEPTHS`. Ignored for the number of blocks where `blocks` is given.
    num_classes: width of the output.
    blocks: residual blocks in each of the four stages, for example [3, 4, 6, 3].
    block: "basic" or "bottleneck"; None takes the kind that `depth` has.
    zero_init_residual: start each block as the identity (Goyal et al. 2017): the last gamma of a block is zero.
    stem: "classic", or "deep" for ResNet-D: three 3x3 convolutions, and shortcuts that average before they halve.
    blur: low-pass what is halved (`BlurPool`): max pooling, strided blocks and their shortcuts. The stem's first
        convolution keeps its stride, as in the paper: at the picture's full size the filter would cost too much.
    width: every number of channels is multiplied by this, and rounded to a multiple of 8.
    stochastic_depth: chance that the last block is left out in training; that of the others falls in a line to the
        first (Huang et al. 2016; see `blocks.Residual`).
    dropout: share of the features that the linear layer does not see in training.
    head: "average", or "wise" for weights that are learned for each place of the last map (`SpatialWeights`).
    head_size: places a side that a wise head tells apart; needed for it. The last map is averaged into that many cells,
        so that pictures of any size can be answered: where the map has head_size positions a side (image_size / 32,
        rounded up) each cell is one position; a smaller head_size is the paper's pooling before the weights.
    head_non_negative: a wise head's weights are zero or more. `project` holds them to it.

    >>> resnet50 = ResNet(blocks=[3, 4, 6, 3], block="bottleneck", num_classes=1000)
    >>> sum(weights.numel() for weights in resnet50.parameters())
    25557032

    Raises ValueError for an unknown depth, block, stem or head, for stages that are not four positive numbers, and for
    numbers out of their range.
    """

    def __init__(
        self,
        depth: int = 50,
        num_classes: int = 67,
        *,
        blocks: Sequence[int] | None = None,
        block: str | None = None,
        zero_init_residual: bool = False,
        stem: str = "classic",
        blur: bool = False,
        width: float = 1.0,
        stochastic_depth: float = 0.0,
        dropout: float = 0.0,
        head: str = "average",
        head_size: int | None = None,
        head_non_negative: bool = True,
    ) -> None:
        super().__init__()
        check_variant(
            stem=stem, width=width, stochastic_depth=stochastic_depth, dropout=dropout, head=head, head_size=head_size
        )
        if head == "wise" and head_size is None:
            raise ValueError("model.head_size is missing; a wise head needs it: image_size / 32, rounded up")
        kind, counts = _architecture(depth, blocks, block)
        self.depth = depth

        first, *_, last = channels = [rounded(count * width) for count in CHANNELS]
        self.conv1 = STEMS[stem](first)
        self.bn1 = nn.BatchNorm2d(first)
        self.relu = nn.ReLU()
        self.maxpool = max_pool(first, blur=blur)

        shortcut = "blur" if blur else "average" if stem == "deep" else "stride"
        make = partial(_stage, kind, shortcut=shortcut, drops=_rising(stochastic_depth, sum(counts)))
        self.layer1 = make(first, channels[0], counts[0], stride=1)
        self.layer2 = make(channels[0] * kind.expansion, channels[1], counts[1], stride=2)
        self.layer3 = make(channels[1] * kind.expansion, channels[2], counts[2], stride=2)
        self.layer4 = make(channels[2] * kind.expansion, channels[3], counts[3], stride=2)

        features = last * kind.expansion
        self.avgpool = nn.AdaptiveAvgPool2d(head_size or 1)
        self.spatial = SpatialWeights(features, head_size, non_negative=head_non_negative) if head_size else None
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(features, num_classes)
        self._initialise(zero_init_residual)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, num_classes) of normalised pictures (N, 3, H, W)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))  # (N, 64 * width, H/4, W/4)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))  # (N, 512 * width * expansion, H/32, W/32)
        x = self.avgpool(x)  # (N, 512 * width * expansion, 1, 1), or head_size in place of 1
        if self.spatial is not None:
            x = self.spatial(x)
        return self.fc(self.dropout(x.flatten(1)))  # type: ignore[no-any-return]

    def project(self) -> None:
        """Put the weights back to where they are allowed. Call this after each step of an optimizer."""
        if self.spatial is not None:
            self.spatial.project()

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
    kind, counts = DEPTHS[depth]
    kind = block or kind
    counts = tuple(blocks) if blocks is not None else counts
    if kind not in BLOCKS:
        raise ValueError(f"model.block is {kind!r}; it must be one of {', '.join(BLOCKS)}")
    if len(counts) != 4 or min(counts) < 1:
        raise ValueError(f"model.blocks is {list(counts)}; it must be four numbers of 1 or more, one for each stage")
    return BLOCKS[kind], counts


def _rising(highest: float, count: int) -> Iterator[float]:
    """`count` chances in a line that ends with `highest`: the linear decay rule of stochastic depth."""
    return (highest * (i + 1) / count for i in range(count))


def _stage(
    kind: type[BasicBlock | Bottleneck],
    in_channels: int,
    channels: int,
    count: int,
    *,
    stride: int,
    shortcut: str,
    drops: Iterator[float],
) -> nn.Sequential:
    """`count` blocks, the first of which halves the size where stride is 2."""
    first = kind(in_channels, channels, stride, shortcut=shortcut, drop=next(drops))
    width = channels * kind.expansion
    return nn.Sequential(first, *(kind(width, channels, drop=next(drops)) for _ in range(count - 1)))
