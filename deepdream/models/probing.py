"""Probing: a forward pass or two tell a network's layers, the layout of their outputs, and the image sizes it takes.

Nothing is known of the network's class. In two images of different sizes and proportions, the axes of an output that
change are those of rows and columns, and a number of tokens that grows with the area gives the size of a patch and the
number of class and register tokens. A network that refuses these sizes (a Vision Transformer with position embeddings,
a linear layer behind a fixed number of positions) takes one only: it is probed in a square of its own size. There the
two equal axes are rows and columns, and tokens have the grid of the feature map that they were made from.

Images of other sizes are resized to what the network takes (`InputSizes.fitted`), so that none is ever refused.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepdream.models.layers import AXES, NCHW, NHWC, TOKENS, Layer, Size, dtype_and_device, layer_aliases
from deepdream.models.receptive_fields import receptive_fields

# Pairs of sizes, tried in this order: the second for networks that refuse small images.
PAIRS: tuple[tuple[Size, Size], ...] = (((64, 128), (32, 96)), ((128, 192), (96, 160)))
WIDER = 64  # pixels by which each is wider than high; the sides of a pair differ by half of that
ODD_SIZE: Size = (97, 161)
SMALL_SIDES = (48, 64, 80)  # Inception v3 takes 75 pixels and more, AlexNet 63
MOST_EXTRA_TOKENS = 16  # believed in a network that is probed at one size


@dataclass(frozen=True)
class InputSizes:
    """The images that a network takes.

    only: the side in pixels of squares, for a network that takes no others; None for all others.
    multiple: sides must be multiples of it; 1 for a network that takes any size.
    least: sides must be as large; 1 for a network that takes images of 32 pixels.
    """

    only: int | None = None
    multiple: int = 1
    least: int = 1

    def fitted(self, images: Tensor) -> Tensor:
        """`images` (N, 3, H, W), resized bilinearly where the network would not take them. Differentiable."""
        height, width = images.shape[2:]
        size = [math.ceil(max(side, self.least) / self.multiple) * self.multiple for side in (height, width)]
        if self.only is not None:
            size = [self.only, self.only]
        if size == [height, width]:
            return images
        wide = images.to(torch.promote_types(images.dtype, torch.float32))
        shrinks = size[0] < height or size[1] < width
        return F.interpolate(wide, size, mode="bilinear", antialias=shrinks).to(images.dtype)


@dataclass(frozen=True)
class Probe:
    """What probing found. layers: in the order of their last run in a forward pass."""

    layers: list[Layer]
    input_sizes: InputSizes


@dataclass
class _Run:
    """The last run of a module: the shape of its output, and how many weighted modules had run after it."""

    kind: str
    shape: tuple[int, ...]
    calls: int
    weighted: int


def with_receptive_fields(model: nn.Module, layers: Sequence[Layer]) -> list[Layer]:
    """`layers` with the receptive field of each."""
    with evaluating(model):
        fields = receptive_fields(model)
    return [replace(layer, receptive_field=fields.get(layer.name, 0)) for layer in layers]


def probe(model: nn.Module, image_size: int) -> Probe:
    """The layers of `model` in eval mode, from forward passes of empty images; the model keeps its own mode.

    image_size: the side of the images that the network is made for. Raises ValueError where it refuses these, too.
    """
    with evaluating(model), torch.no_grad():
        for pair in PAIRS:
            try:
                passes = [_runs(model, size) for size in pair]
            except Exception:  # each network refuses a size in its own way
                continue
            found = _layers_at_two_sizes(pair, *passes)
            least = 1 if pair == PAIRS[0] else _least(model, found)
            sizes = InputSizes(multiple=_multiple(model, found), least=least)
            break
        else:
            passes, sizes = [_runs_at_only_size(model, image_size)], InputSizes(only=image_size)
            found = _layers_at_one_size(passes[0], image_size)
    last = max((passes[0][layer.name].weighted for layer in found if layer.stride), default=0) or 1
    aliases = layer_aliases(model)
    return Probe(
        [
            replace(
                layer,
                depth=min(1.0, passes[0][layer.name].weighted / last),
                alias=aliases.get(layer.name, ""),
            )
            for layer in found
        ],
        sizes,
    )


def evaluation_copy(model: nn.Module) -> nn.Module:
    """A copy of `model` in eval mode whose parameters require no gradient; `model` is not changed."""
    return copy.deepcopy(model).eval().requires_grad_(False)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """`model` in eval mode; afterwards each of its modules is in its own mode again."""
    modes = {module: module.training for module in model.modules()}
    try:
        model.eval()
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def _runs(model: nn.Module, size: Size) -> Mapping[str, _Run]:
    """The last run of each module that returns a tensor of 3 or 4 axes, in order. All hooks are removed."""
    names = {module: name for name, module in model.named_modules() if name}
    runs: dict[str, _Run] = {}
    weighted = 0

    def record(module: nn.Module, _: Any, output: Any) -> None:
        nonlocal weighted
        weighted += any(key.endswith("weight") and p.dim() > 1 for key, p in module.named_parameters(recurse=False))
        if isinstance(output, Tensor) and output.dim() in (3, 4) and len(output) == 1:
            earlier = runs.pop(names[module], None)  # popped, so that the order is that of the last runs
            calls = 1 if earlier is None else earlier.calls + 1
            runs[names[module]] = _Run(type(module).__name__, tuple(output.shape), calls, weighted)

    handles = [module.register_forward_hook(record) for module in names]
    try:
        model(dtype_and_device(model).new_zeros(1, 3, *size))
    finally:
        for handle in handles:
            handle.remove()
    return runs


def _runs_at_only_size(model: nn.Module, image_size: int) -> Mapping[str, _Run]:
    try:
        return _runs(model, (image_size, image_size))
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{type(model).__name__} refuses an image of {image_size}x{image_size} pixels ({reason}); "
            "give the image_size that it takes"
        ) from error


def _multiple(model: nn.Module, layers: Sequence[Layer]) -> int:
    """What the sides of an image must be multiples of: the deepest stride, where the network refuses an odd size."""
    if all(layer.layout == NCHW for layer in layers):  # convolutions take any size
        return 1
    try:
        _runs(model, ODD_SIZE)
    except Exception:
        return max(layer.stride for layer in layers)
    return 1


def _least(model: nn.Module, layers: Sequence[Layer]) -> int:
    """The side that an image must have, where the network refuses small ones: unpadded convolutions use up the map."""
    if any(layer.layout == TOKENS for layer in layers):  # one patch is enough
        return 1
    for side in SMALL_SIDES:
        try:
            _runs(model, (side, side))
        except Exception:  # each network refuses a size in its own way
            continue
        return side
    return min(min(size) for size in PAIRS[1])


def _layers_at_two_sizes(
    sizes: tuple[Size, Size], first: Mapping[str, _Run], second: Mapping[str, _Run]
) -> list[Layer]:
    found = []
    for name, run in first.items():
        other = second.get(name)
        if other is None or len(other.shape) != len(run.shape):
            continue
        layer = Layer(name, run.kind, 0, 0, run.calls)
        if len(run.shape) == 3:
            read = _tokens_at_two_sizes(layer, sizes, run.shape, other.shape)
        else:
            read = _map_at_two_sizes(layer, run.shape, other.shape)
        if read is not None:
            found.append(read)
    return found


def _map_at_two_sizes(layer: Layer, first: tuple[int, ...], second: tuple[int, ...]) -> Layer | None:
    """The layout whose rows and columns grow alike with the image's; differences, in which padding cancels."""
    best = None
    for layout, (rows, columns, channels) in AXES.items():
        grown = first[columns] - first[rows]  # in WIDER pixels
        taller, wider = first[rows] - second[rows], first[columns] - second[columns]  # in half as many
        error = abs(grown - 2 * taller) + abs(grown - 2 * wider)
        if first[channels] == second[channels] and grown > 0 and error <= 4:
            stride = round(WIDER / grown)
            candidate = replace(layer, channels=first[channels], stride=stride, layout=layout)
            best = min(best or (error, candidate), (error, candidate), key=lambda pair: pair[0])
    if best is not None:
        return best[1]
    return replace(layer, channels=first[1]) if first == second else None  # pooled to a fixed size


def _tokens_at_two_sizes(
    layer: Layer, sizes: tuple[Size, Size], first: tuple[int, ...], second: tuple[int, ...]
) -> Layer | None:
    """Tokens whose number grows with the area by one for each patch; the rest are class and register tokens."""
    grown = first[1] - second[1]
    if grown <= 0 or first[2] != second[2]:
        return None
    (height, width), (lower, narrower) = sizes
    stride = math.sqrt((height * width - lower * narrower) / grown)
    extra, other = (
        shape[1] - round(size[0] / stride) * round(size[1] / stride)
        for shape, size in zip((first, second), sizes, strict=True)
    )
    if extra != other or extra < 0:
        return None
    return replace(layer, channels=first[2], stride=round(stride), layout=TOKENS, extra_tokens=extra)


def _layers_at_one_size(runs: Mapping[str, _Run], side: int) -> list[Layer]:
    found: list[Layer] = []
    grids: list[int] = []  # sides of the feature maps so far
    counts: set[int] = set()  # of tokens so far
    for name, run in runs.items():
        layer, shape = Layer(name, run.kind, 0, 0, run.calls), run.shape
        if len(shape) == 3:
            grid = _grid(shape[1], grids)
            if grid is not None:
                counts.add(shape[1])
                found.append(_at(layer, shape, TOKENS, side, grid, extra_tokens=shape[1] - grid * grid))
        elif shape[2] == shape[3] and shape[2] not in counts:  # else a matrix of attention between tokens
            grids.append(shape[2])
            found.append(_at(layer, shape, NCHW, side, shape[2]))
        elif shape[1] == shape[2]:
            grids.append(shape[1])
            found.append(_at(layer, shape, NHWC, side, shape[1]))
    return found


def _at(layer: Layer, shape: tuple[int, ...], layout: str, side: int, grid: int, *, extra_tokens: int = 0) -> Layer:
    channels = shape[1] if layout == NCHW else shape[-1]
    stride = round(side / grid) if grid > 1 else 0
    return replace(layer, channels=channels, stride=stride, layout=layout, extra_tokens=extra_tokens)


def _grid(tokens: int, grids: Sequence[int]) -> int | None:
    """The side of the square of `tokens`: that of the latest map that fits; with no map before them, the largest."""
    for grid in reversed(grids or [math.isqrt(tokens)]):
        if grid > 1 and 0 <= tokens - grid * grid <= MOST_EXTRA_TOKENS:
            return grid
    return None
