"""The layers of a network: every module whose output is a feature map, in whatever layout; and how they are named."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from deepdream.schema import did_you_mean

Size = tuple[int, int]  # height, width

NCHW, NHWC, TOKENS = "NCHW", "NHWC", "tokens"
AXES = {NCHW: (2, 3, 1), NHWC: (1, 2, 3)}  # of rows, columns and channels

MOST_OF_IT = 0.8  # a module with this share of a network's depth is its trunk: its parts are the blocks
NORMALIZES_IMAGES = re.compile(r"(Layer|Group|RMS|Instance)Norm")  # the mean square of such an output never changes


@dataclass(frozen=True)
class Layer:
    """A module whose output is a feature map.

    name: the module's dotted name, for example "layer3.1.conv2".
    kind: the module's class.
    channels: of the feature map.
    stride: pixels of the image per position of the map; 0 where the map's size does not follow the image's.
    calls: runs of the module in one forward pass; a tap reads the last.
    layout: of the module's output: "NCHW", "NHWC", or "tokens" (N, extra_tokens + positions, C).
    extra_tokens: class and register tokens, which come before those of the positions.
    depth: the share of the network's weighted modules (convolutions, linear layers) that have run, in (0, 1].
    alias: the name in papers and other repositories, for example "relu4_3"; "" where there is none.
    receptive_field: pixels a side of the image that can reach one position; 0 if unknown.
    """

    name: str
    kind: str
    channels: int
    stride: int
    calls: int
    layout: str = NCHW
    extra_tokens: int = 0
    depth: float = field(default=0.0, compare=False)
    alias: str = field(default="", compare=False)
    receptive_field: int = field(default=0, compare=False)

    def as_map(self, output: Tensor, image: Size) -> Tensor:
        """The module's output as a feature map (N, C, H, W); a view. All that read a layer read it through this.

        image: height and width of the network's input, by whose ratio tokens are laid out in their grid.
        """
        if self.layout == NHWC:
            return output.permute(0, 3, 1, 2)
        if self.layout == TOKENS:
            patches = output[:, self.extra_tokens :].transpose(1, 2)  # (N, C, positions)
            return patches.reshape(*patches.shape[:2], *token_grid(patches.shape[2], image))
        return output


def token_grid(count: int, image: Size) -> Size:
    """Rows and columns of `count` tokens: the rectangle whose ratio is nearest to that of the image.

    >>> token_grid(96, (128, 192))
    (8, 12)
    """
    ratio = image[0] / image[1]
    rows = min(
        (rows for rows in range(1, count + 1) if count % rows == 0),
        key=lambda rows: abs(math.log(rows * rows / count / ratio)),
    )
    return rows, count // rows


def choose_layers(names: Iterable[str], layers: Sequence[Layer]) -> list[Layer]:
    """The layers called `names` (also by an alias), without repeats.

    Raises ValueError with similar names for one that is missing.
    """
    known = {layer.alias: layer for layer in layers if layer.alias} | {layer.name: layer for layer in layers}
    for name in names:
        if name not in known:
            as_deep = [other for other in known if other.count(".") <= name.count(".")]
            near = did_you_mean(name, as_deep or known)
            raise ValueError(f"the network has no layer {name!r}{near} (mode=layers lists all layers)")
    return list(dict.fromkeys(known[name] for name in names))


def layer_at(depth: float, layers: Sequence[Layer]) -> Layer:
    """The block of the network that ends nearest to `depth`, in (0, 1].

    Of the modules that end there, the last before the map is pooled or normalised image by image: a ReLU goes before
    its convolution. Raises ValueError where no layer follows the image's size.
    """
    parts = blocks(layers)
    if not parts:
        raise ValueError("the network has no layer whose map follows the image's size (mode=layers lists all layers)")
    nearest = min(parts, key=lambda layer: abs(layer.depth - depth))
    ending = [layer for layer in parts if layer.depth == nearest.depth]
    first = next((layer for layer in ending if not NORMALIZES_IMAGES.search(layer.kind)), ending[0])
    chosen = first
    for layer in ending[ending.index(first) :]:
        if layer.stride != first.stride or NORMALIZES_IMAGES.search(layer.kind):
            break
        chosen = layer
    return chosen


def blocks(layers: Sequence[Layer]) -> list[Layer]:
    """The parts of the network on its coarsest level: layer1 ... of a ResNet, the encoder's blocks of a transformer."""
    followers = [layer for layer in layers if layer.stride > 0]
    chosen: dict[str, Layer] = {}
    waiting = [""]
    while waiting:
        outer = waiting.pop()
        inner = [layer for layer in followers if layer.name.startswith(outer)]
        parts = dict.fromkeys(layer.name[len(outer) :].partition(".")[0] for layer in inner)
        for part in parts:
            name = f"{outer}{part}"
            itself = next((layer for layer in inner if layer.name == name), None)
            inside = [layer for layer in inner if layer.name.startswith(f"{name}.")]
            if inside and (itself is None or itself.depth - _depth_before(inside[0], followers) >= MOST_OF_IT):
                waiting.append(f"{name}.")
            elif itself is not None:
                chosen[name] = itself
    return [layer for layer in followers if layer.name in chosen]


def _depth_before(layer: Layer, layers: Sequence[Layer]) -> float:
    index = layers.index(layer)
    return layers[index - 1].depth if index else 0.0


def layer_aliases(model: nn.Module) -> dict[str, str]:
    """Names that the literature gives to layers, by the module's name.

    relu4_3: the third ReLU after the third pooling, in a network whose `features` are a plain chain, as VGG's are.
    inception_4c: inception4c of torchvision's GoogLeNet.
    """
    children = [name for name, _ in model.named_children()]
    names = {name: f"inception_{name[-2:]}" for name in children if re.fullmatch(r"inception\d[a-e]", name)}
    features = getattr(model, "features", None)
    if not isinstance(features, nn.Sequential) or any(True for part in features for _ in part.children()):
        return names
    stage, number = 1, 0
    for index, part in features.named_children():
        if isinstance(part, nn.MaxPool2d):
            stage, number = stage + 1, 0
        elif isinstance(part, nn.ReLU):
            number += 1
            names[f"features.{index}"] = f"relu{stage}_{number}"
    return names


def dtype_and_device(model: nn.Module) -> Tensor:
    """An empty tensor in the dtype and on the device of the model's weights."""
    weight = next((p for p in model.parameters() if p.is_floating_point()), None)
    return torch.empty(0) if weight is None else torch.empty(0, dtype=weight.dtype, device=weight.device)
