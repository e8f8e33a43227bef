"""Terms of an objective. Each maps activations to one number per image, which the dream maximises.

Sums of squares over (C, H, W) go through `vector_norm` with a gradient of their own: forward and backward read the map
once each, in any memory format, where square-then-mean reads and writes several maps of the same size.
Maps may have low precision; sums are accumulated in `Activations.dtype`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from deepdream.dreaming.config import OBJECTIVES
from deepdream.dreaming.objectives import BATCH, Activations, Objective, objective, term
from deepdream.dreaming.selection import Selection
from deepdream.models.taps import LOGITS


def _weighted(values: Sequence[Tensor], selections: Sequence[Selection]) -> Tensor:
    """Each value times the weight of its selection: (layers, N)."""
    return torch.stack([v if s.weight == 1 else s.weight * v for v, s in zip(values, selections, strict=True)])


@term("layers")
@OBJECTIVES.register()
def mean_square(activations: Activations, selections: Sequence[Selection]) -> Tensor:
    """Mean over the layers of mean(activation^2). Source: pytorch-deepdream."""
    parts = [s.of(activations.maps[s.layer]) for s in selections]
    return _weighted([_sum_square(a, activations.dtype) / a[0].numel() for a in parts], selections).mean(dim=0)


@term("layers")
@OBJECTIVES.register()
def half_sum_square(activations: Activations, selections: Sequence[Selection]) -> Tensor:
    """Sum over the layers of 0.5 * sum(activation^2), whose gradient at a layer is the layer's activation.

    Source: google/deepdream, dream.ipynb, objective_L2.
    """
    parts = [s.of(activations.maps[s.layer]) for s in selections]
    return _weighted([0.5 * _sum_square(a, activations.dtype) for a in parts], selections).sum(dim=0)


def _sum_square(a: Tensor, dtype: torch.dtype | None) -> Tensor:
    total: Tensor = _SumSquare.apply(a, dtype)  # (N,)
    return total


class _SumSquare(torch.autograd.Function):
    """Summed in `dtype`; the gradient, in proportion to the map, is made in the map's own format at once."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, dtype: torch.dtype | None) -> Tensor:
        ctx.save_for_backward(a)
        return _norm(a, dtype or a.dtype).square()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        a: Tensor = ctx.saved_tensors[0]
        return (2 * gradient).to(a.dtype).view(-1, 1, 1, 1) * a, None


def _norm(a: Tensor, dtype: torch.dtype, *, at_once: int = 2**18) -> Tensor:
    """The norm of each image's map (N, C, H, W), accumulated in `dtype`: (N,).

    A CPU first writes the map in `dtype`, so it is given `at_once` numbers at a time: their copy stays in its cache.
    """
    rows = a.shape[2]
    if a.dtype != dtype and a.device.type == "cpu":
        rows = max(1, at_once // (a.numel() // rows))
    norms = [torch.linalg.vector_norm(part, dim=(1, 2, 3), dtype=dtype) for part in torch.split(a, rows, dim=2)]
    norm: Tensor = norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack(norms), dim=0)
    return norm


@term("layers")
@OBJECTIVES.register()
def mean(activations: Activations, selections: Sequence[Selection]) -> Tensor:
    """Mean over the layers of mean(activation)."""
    return _weighted([activations.select(s).mean(dim=(1, 2, 3)) for s in selections], selections).mean(dim=0)


@OBJECTIVES.register()
def channel(selection: str) -> Objective:
    """The mean of one channel over all positions: channel("layer4:12").

    >>> maps = {"layer4": torch.arange(8.0).view(1, 2, 2, 2)}  # channel 1 holds 4, 5, 6, 7
    >>> channel("layer4:1")(maps)
    tensor([5.5000])
    >>> (2 * channel("layer4:1") - channel("layer4:0"))(maps)
    tensor([9.5000])

    Raises ValueError where `selection` names no channel.
    """
    if Selection.parse(selection).channel is None:
        raise ValueError(f"{selection!r} names no channel; write for example {selection}:12")
    return _renamed(mean.at(selection), "channel")


@OBJECTIVES.register()
def unit(selection: str) -> Objective:
    """One channel at one position (row, column) of its feature map: unit("layer3:5@10,14")."""
    if Selection.parse(selection).position is None:
        raise ValueError(f"{selection!r} names no unit; write for example layer3:5@10,14")
    return _renamed(mean.at(selection), "unit")


def each_channel(layer: str, channels: Sequence[int]) -> Objective:
    """Picture i of the batch makes more of channel `channels[i]`: many visualisations at once."""
    index = torch.tensor(list(channels))

    def measure(activations: Activations, selections: Sequence[Selection]) -> Tensor:
        a = activations.maps[selections[0].layer]
        crops = a.shape[0] // len(index)  # per image, see transforms
        rows = torch.arange(len(a), device=a.device)
        of_each = index.to(a.device, non_blocking=True).repeat_interleave(crops)
        chosen = a[rows, of_each]  # (N, H, W)
        return chosen.to(activations.dtype).mean(dim=(1, 2))

    return objective("each_channel", measure, "layers", selections=tuple(Selection(layer, c) for c in channels))


@OBJECTIVES.register()
def direction(layer: str, vector: Sequence[float] | Tensor, *, cosine_power: float = 2) -> Objective:
    """How far activations point along `vector`: mean over positions of dot * max(cosine, 0.1)^power.

    vector: (channels,), or (N, channels), one for each image of the batch. Power 0 is the dot product. Source: Carter
    et al., "Activation Atlas" (2019); lucid, objectives.direction.
    """
    given = torch.as_tensor(vector, dtype=torch.float64)

    def measure(activations: Activations, selections: Sequence[Selection]) -> Tensor:
        a = activations.select(Selection(selections[0].layer))
        if given.shape[-1] != a.shape[1]:
            raise ValueError(f"the direction has {given.shape[-1]} numbers; {layer} has {a.shape[1]} channels")
        v = given.to(a, non_blocking=True).view(-1, a.shape[1], 1, 1)
        v = v.repeat_interleave(a.shape[0] // v.shape[0], dim=0).expand_as(a)  # also for the crops of an image
        dot = (a * v).sum(dim=1)  # (N, H, W)
        cosine = F.cosine_similarity(a, v, dim=1).clamp_min(0.1)
        return (dot * cosine**cosine_power).mean(dim=(1, 2))

    return objective("direction", measure, "layers", selections=(Selection(layer),))


@OBJECTIVES.register()
def logit(target: int) -> Objective:
    """The network's logit of the class with index `target`."""

    def measure(activations: Activations, selections: Sequence[Selection]) -> Tensor:
        return activations.logits()[:, target]

    return objective("logit", measure, LOGITS)


def _image(activations: Activations) -> Tensor:
    if activations.image is None:
        raise ValueError("this objective needs the image itself, and was given feature maps only")
    return activations.image


@term("image")
@OBJECTIVES.register()
def total_variation(activations: Activations, selections: Sequence[Selection]) -> Tensor:
    """Mean |difference| of neighbouring pixels, in [0, 1]; with a negative weight a penalty on noise."""
    x = _image(activations)
    down, right = x[..., 1:, :] - x[..., :-1, :], x[..., 1:] - x[..., :-1]
    return down.abs().mean(dim=(1, 2, 3)) + right.abs().mean(dim=(1, 2, 3))


@term("image")
@OBJECTIVES.register()
def l2(activations: Activations, selections: Sequence[Selection]) -> Tensor:
    """Mean square distance from mid-grey; with a negative weight a penalty on black and white."""
    return (_image(activations) - 0.5).square().mean(dim=(1, 2, 3))


@OBJECTIVES.register()
def guide(similarity: str = "dot") -> Objective:
    """The guide's feature with the largest product is the target of a position: sum_i max_j x_i . y_j.

    similarity: "dot", or "cosine", for which every feature has length 1, so that the guide's brightest spot does not
    win everywhere. Source: google/deepdream, dream.ipynb, objective_guide (the dot product).
    """

    def measure(activations: Activations, selections: Sequence[Selection]) -> Tensor:
        values = []
        for s in selections:
            x = activations.select(s).flatten(2)  # (N, C, P)
            y = s.of(activations.guide[s.layer]).transpose(0, 1).flatten(1)  # (C, Q), of all guide images
            if similarity == "cosine":
                x, y = F.normalize(x, dim=1), F.normalize(y, dim=0)
            with torch.no_grad():
                best = _best_match(x, y)  # (N, P)
            target = y.t()[best].transpose(1, 2)  # (N, C, P)
            values.append(s.weight * (x * target).sum(dim=(1, 2)))
        return torch.stack(values).sum(dim=0)

    return objective("guide", measure, "layers", "guide")


def _best_match(x: Tensor, y: Tensor, *, at_once: int = 4096) -> Tensor:
    """For every position of x (N, C, P) the position of y (C, Q) with the largest product, (N, P)."""
    return torch.cat([(part.transpose(1, 2) @ y).argmax(dim=2) for part in torch.split(x, at_once, dim=2)], dim=1)


def gram(a: Tensor) -> Tensor:
    """Gram matrices (N, C, C) of maps (N, C, H, W): mean over positions of products of channels."""
    flat = a.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


@term("layers", "guide")
@OBJECTIVES.register()
def style(activations: Activations, selections: Sequence[Selection]) -> Tensor:
    """Minus the squared difference of Gram matrices from the guide's, over the guide's own.

    Source: Gatys, Ecker, Bethge, "Image Style Transfer Using Convolutional Neural Networks" (2016). Departs from the
    paper: divided by the guide's size in each layer, so that weights mean the same in every layer.
    """
    losses = []
    for s in selections:
        target = gram(s.of(activations.guide[s.layer])).mean(dim=0, keepdim=True)
        difference = (gram(activations.select(s)) - target).square().sum(dim=(1, 2))
        losses.append(s.weight * difference / target.square().sum().clamp_min(1e-12))
    return -torch.stack(losses).mean(dim=0)


@term("layers", "content")
@OBJECTIVES.register()
def content(activations: Activations, selections: Sequence[Selection]) -> Tensor:
    """Minus the squared difference of feature maps from the photo's, over the photo's own.

    Source: as for `style`.
    """
    losses = []
    for s in selections:
        target = s.of(activations.content[s.layer])
        difference = (activations.select(s) - target).square().sum(dim=(1, 2, 3))
        losses.append(s.weight * difference / target.square().sum(dim=(1, 2, 3)).clamp_min(1e-12))
    return -torch.stack(losses).mean(dim=0)


@term("layers", BATCH)
@OBJECTIVES.register()
def diversity(activations: Activations, selections: Sequence[Selection]) -> Tensor:
    """Minus the cosine similarity of an image's Gram matrices with those of the other images in its batch.

    Source: lucid, objectives.diversity.
    """
    values = []
    for s in selections:
        flat = F.normalize(gram(activations.select(s)).flatten(1), dim=1)
        alike = flat @ flat.t()  # (N, N)
        values.append(s.weight * (alike.diagonal() - alike.sum(dim=1)))
    return torch.stack(values).mean(dim=0)


def _renamed(named: Objective, name: str) -> Objective:
    """`named` with its only term called `name`."""
    return Objective((replace(named.terms[0], name=name),))
