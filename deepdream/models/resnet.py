"""ResNet of any depth, to be read from top to bottom: stem, four stages of residual blocks, head.

He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition" (2015). The classic variant is bit-equal to
torchvision's and loads its weights; the other variants keep its names for all parts that they share. The table of
depths is `config.DEPTHS`, the blocks are in `blocks`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

from torch import Tensor, nn

from deepdream.models.blocks import BasicBlock, BlurPool, Bottleneck, SpatialWeights, conv
from deepdream.models.config import BLOCKS, STEMS, check_variant, stages

CHANNELS = (64, 128, 256, 512)  # of the 3x3 convolutions, stage by stage
STRIDE = 32  # pixels of the image per position of the last map


class ResNet(nn.Module):
    """A residual network whose parameters have torchvision's names.

    depth: an entry of `DEPTHS`; it sets the number and kind of blocks where `blocks` and `block` are None.
    num_classes: width of the output.
    blocks: residual blocks in each of the four stages, for example [3, 4, 6, 3].
    block: "basic" or "bottleneck".
    zero_init_residual: start each block as the identity (Goyal et al. 2017): the last gamma of a block is zero.
    stem: "classic", or "deep" for ResNet-D: three 3x3 convolutions, and shortcuts that average before they halve.
    blur: low-pass before halving (`BlurPool`): max pooling, strided blocks and their shortcuts. The stem's first
        convolution keeps its stride, as in the paper: at full image size the filter would cost too much.
    width: factor of all numbers of channels, which are rounded to multiples of 8.
    stochastic_depth: probability that the last block is skipped in training; that of the others falls linearly to the
        first (Huang et al. 2016; see `blocks.Residual`).
    dropout: fraction of the features that are hidden from the linear layer in training.
    head: "average", or "wise" for learned weights for each place of the last map (`SpatialWeights`).
    head_size: side of the map that a wise head has weights for; required for it. The last map is averaged into that
        many cells a side, so that images of any size have logits: with head_size = image_size / 32, rounded up, each
        cell is one position; a smaller head_size is the paper's pooling before the weights.
    head_non_negative: the weights of a wise head are zero or more. `project` sees to it.

    The defaults are those of conf/model/resnet18.yaml.

    >>> resnet50 = ResNet(50, num_classes=1000)
    >>> sum(weights.numel() for weights in resnet50.parameters())
    25557032

    Raises ValueError for an unknown depth, block, stem or head, for other than four positive numbers of blocks, and for
    numbers out of their range.
    """

    def __init__(
        self,
        depth: int = 18,
        num_classes: int = 67,
        *,
        blocks: Sequence[int] | None = None,
        block: str | None = None,
        zero_init_residual: bool = True,
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
        name, counts = stages(depth, blocks, block)
        kind: type[BasicBlock | Bottleneck] = BLOCKS[name]
        self.depth = depth

        first, *_, last = channels = [_rounded(count * width) for count in CHANNELS]
        self.conv1 = STEMS[stem](first)
        self.bn1 = nn.BatchNorm2d(first)
        self.relu = nn.ReLU()
        self.maxpool = _max_pool(first, blur=blur)

        shortcut = "blur" if blur else "average" if stem == "deep" else "stride"
        make = partial(_stage, kind, shortcut=shortcut, drops=_linear_decay(stochastic_depth, sum(counts)))
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
        """Logits (N, num_classes) of normalised images (N, 3, H, W)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))  # (N, 64 * width, H/4, W/4)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))  # (N, 512 * width * expansion, H/32, W/32)
        x = self.avgpool(x)  # (N, 512 * width * expansion, 1, 1), or head_size in place of 1
        if self.spatial is not None:
            x = self.spatial(x)
        return self.fc(self.dropout(x.flatten(1)))  # type: ignore[no-any-return]

    def project(self) -> None:
        """Move the weights into their allowed range. To be called after each step of an optimizer."""
        if self.spatial is not None:
            self.spatial.project()

    def _initialise(self, zero_init_residual: bool) -> None:
        if next(self.parameters()).is_meta:  # no values; torch would import torch._dynamo, seconds, to draw none
            return
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif zero_init_residual and isinstance(module, BasicBlock):
                nn.init.zeros_(module.bn2.weight)
            elif zero_init_residual and isinstance(module, Bottleneck):
                nn.init.zeros_(module.bn3.weight)


def classic_stem(channels: int) -> nn.Module:
    """conv1 of He et al. 2015: one 7x7 convolution of stride 2."""
    return conv(3, channels, 7, stride=2)


def deep_stem(channels: int) -> nn.Module:
    """conv1 of ResNet-D (He et al. 2019, "Bag of Tricks"): three 3x3 convolutions in place of the 7x7.

    The same receptive field for fewer operations, with two more activations.
    """
    half = _rounded(channels / 2)
    return nn.Sequential(
        conv(3, half, 3, stride=2),
        nn.BatchNorm2d(half),
        nn.ReLU(),
        conv(half, half, 3),
        nn.BatchNorm2d(half),
        nn.ReLU(),
        conv(half, channels, 3),
    )


def _max_pool(channels: int, *, blur: bool) -> nn.Module:
    """3x3 max pooling of stride 2; with `blur` it is dense, and blur pooling halves the size."""
    if not blur:
        return nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
    return nn.Sequential(nn.MaxPool2d(kernel_size=3, stride=1, padding=1), BlurPool(channels))


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
    """`count` blocks; the first has the stride."""
    first = kind(in_channels, channels, stride, shortcut=shortcut, drop=next(drops))
    width = channels * kind.expansion
    return nn.Sequential(first, *(kind(width, channels, drop=next(drops)) for _ in range(count - 1)))


def _linear_decay(highest: float, count: int) -> Iterator[float]:
    """`count` probabilities that rise linearly to `highest`: the linear decay rule of stochastic depth."""
    return (highest * (i + 1) / count for i in range(count))


def _rounded(channels: float) -> int:
    """The multiple of 8 closest to `channels`, at least 8: tensor cores need multiples of 8 to be fast."""
    return max(8, 8 * round(channels / 8))


def default_head_size(image_size: int) -> int:
    """Side of the last map for images of `image_size` pixels: each of five halvings rounds up.

    >>> default_head_size(224), default_head_size(225)
    (7, 8)
    """
    return math.ceil(image_size / STRIDE)
