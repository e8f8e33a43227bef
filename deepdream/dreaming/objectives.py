"""Objectives: what a dream makes more of. Each maps what the network sees to one number a picture, to be raised.

They add up: `mean_square.at("layer3") + 0.5 * channel("layer4:12") - 0.1 * total_variation` is an objective too.
In YAML the same is written as names with weights, see conf/dream. What compares with another picture (guide, style,
content) or within a batch is in `comparisons`.

Sums of squares over (C, H, W) go through `vector_norm`, with a gradient of its own: forward and backward read the map
once each, whatever its memory format, where square-then-mean writes and reads several maps of the same size.
Whatever format a map is in, sums are made in that of `Seen.dtype`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from deepdream.dreaming.selection import Selection

LOGITS = "logits"  # the name under which the network's answer (N, classes) is tapped


@dataclass(frozen=True)
class Seen:
    """What an objective may look at.

    maps: feature maps (N, C, H, W) by layer; under LOGITS the network's answer (N, classes).
    picture: in [0, 1], (N, 3, H, W). guide, content: maps of the guide picture, and of the photo that the dream began
        with, by layer.
    dtype: to compute in; None is that of the maps.
    """

    maps: Mapping[str, Tensor]
    picture: Tensor | None = None
    guide: Mapping[str, Tensor] = field(default_factory=dict)
    content: Mapping[str, Tensor] = field(default_factory=dict)
    dtype: torch.dtype | None = None

    def part(self, selection: Selection) -> Tensor:
        """What `selection` selects of its layer's map, (N, C, H, W), to compute with."""
        return selection.of(self.maps[selection.layer]).to(self.dtype)

    def logits(self) -> Tensor:
        """The network's answer (N, classes), to compute with."""
        return self.maps[LOGITS].to(self.dtype)


Measure = Callable[[Seen, Sequence[Selection]], Tensor]


@dataclass(frozen=True)
class Term:
    """One summand: `weight` times what `measure` says of the selections; no selections: those of the dream."""

    name: str
    measure: Measure
    selections: tuple[Selection, ...] | None = None
    weight: float = 1.0
    needs: frozenset[str] = frozenset()  # of: layers, picture, guide, content, logits


@dataclass(frozen=True)
class Objective:
    """A weighted sum of terms. Call it with feature maps by layer, or with a Seen: one number a picture, (N,)."""

    terms: tuple[Term, ...]

    def __call__(self, seen: Seen | Mapping[str, Tensor]) -> Tensor:
        """The objective of each picture, (N,)."""
        seen = seen if isinstance(seen, Seen) else Seen(seen)
        everything = [Selection(name) for name in seen.maps if name != LOGITS]
        values = []
        for term in self.terms:
            value = term.measure(seen, everything if term.selections is None else term.selections)
            values.append(value if term.weight == 1 else term.weight * value)
        return values[0] if len(values) == 1 else torch.stack(values).sum(dim=0)

    def at(self, *layers: str | Selection) -> Objective:
        """The same objective of these layers, in the terms that name none yet."""
        chosen = tuple(Selection.parse(layer) if isinstance(layer, str) else layer for layer in layers)
        return Objective(tuple(replace(t, selections=chosen) if t.selections is None else t for t in self.terms))

    def resolved(self, resolve: Callable[[Sequence[Selection]], list[Selection]]) -> Objective:
        """The same with each term's selections passed through `resolve`."""
        return Objective(
            tuple(
                t if t.selections is None else replace(t, selections=tuple(resolve(t.selections))) for t in self.terms
            )
        )

    @property
    def layers(self) -> list[str]:
        """The layers that have to be tapped, each once."""
        chosen = [s.layer for term in self.terms if "layers" in term.needs for s in term.selections or ()]
        return list(dict.fromkeys(chosen))

    @property
    def selections(self) -> list[Selection]:
        """Every part of a layer that a term looks at."""
        return [s for term in self.terms if "layers" in term.needs for s in term.selections or ()]

    def needs(self, what: str) -> bool:
        """Whether a term looks at `what`: layers, picture, guide, content or logits."""
        return any(what in term.needs for term in self.terms)

    def __add__(self, other: Objective) -> Objective:
        return Objective(self.terms + other.terms)

    def __mul__(self, weight: float) -> Objective:
        return Objective(tuple(replace(term, weight=weight * term.weight) for term in self.terms))

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        return -1 * self

    def __sub__(self, other: Objective) -> Objective:
        return self + -1 * other


def objective(name: str, measure: Measure, *needs: str, selections: tuple[Selection, ...] | None = None) -> Objective:
    """An objective of one term."""
    return Objective((Term(name, measure, selections, needs=frozenset(needs)),))


def _weighted(values: Sequence[Tensor], selections: Sequence[Selection]) -> Tensor:
    """Each value times the weight of its selection: (layers, N)."""
    return torch.stack([v if s.weight == 1 else s.weight * v for v, s in zip(values, selections, strict=True)])


def _mean_square(seen: Seen, selections: Sequence[Selection]) -> Tensor:
    parts = [s.of(seen.maps[s.layer]) for s in selections]
    return _weighted([_sum_square(a, seen.dtype) / a[0].numel() for a in parts], selections).mean(dim=0)


def _half_sum_square(seen: Seen, selections: Sequence[Selection]) -> Tensor:
    parts = [s.of(seen.maps[s.layer]) for s in selections]
    return _weighted([0.5 * _sum_square(a, seen.dtype) for a in parts], selections).sum(dim=0)


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
    """The norm of each picture's map (N, C, H, W), summed in `dtype`: (N,).

    A CPU first writes the map in `dtype`, so it is given `at_once` numbers at a time: their copy stays in its cache.
    """
    rows = a.shape[2]
    if a.dtype != dtype and a.device.type == "cpu":
        rows = max(1, at_once // (a.numel() // rows))
    norms = [torch.linalg.vector_norm(part, dim=(1, 2, 3), dtype=dtype) for part in torch.split(a, rows, dim=2)]
    norm: Tensor = norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack(norms), dim=0)
    return norm


def _mean(seen: Seen, selections: Sequence[Selection]) -> Tensor:
    return _weighted([seen.part(s).mean(dim=(1, 2, 3)) for s in selections], selections).mean(dim=0)


mean_square = objective("mean_square", _mean_square, "layers")
"""Mean over the layers of mean(activation^2). Source: pytorch-deepdream."""

half_sum_square = objective("half_sum_square", _half_sum_square, "layers")
"""Sum over the layers of 0.5 * sum(activation^2), whose gradient at a layer is the layer's activation.
Source: google/deepdream, dream.ipynb, objective_L2."""

mean = objective("mean", _mean, "layers")
"""Mean over the layers of mean(activation)."""


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
    return replace_name(mean.at(selection), "channel")


def unit(selection: str) -> Objective:
    """One channel at one position (row, column) of its feature map: unit("layer3:5@10,14")."""
    if Selection.parse(selection).position is None:
        raise ValueError(f"{selection!r} names no unit; write for example layer3:5@10,14")
    return replace_name(mean.at(selection), "unit")


def each_channel(layer: str, channels: Sequence[int]) -> Objective:
    """Picture i of the batch makes more of channel `channels[i]`: many visualisations at once."""
    index = torch.tensor(list(channels))

    def measure(seen: Seen, selections: Sequence[Selection]) -> Tensor:
        a = seen.maps[layer]
        crops = a.shape[0] // len(index)  # of each picture, see transforms
        rows = torch.arange(len(a), device=a.device)
        of_each = index.to(a.device, non_blocking=True).repeat_interleave(crops)
        chosen = a[rows, of_each]  # (N, H, W)
        return chosen.to(seen.dtype).mean(dim=(1, 2))

    return objective("each_channel", measure, "layers", selections=tuple(Selection(layer, c) for c in channels))


def direction(layer: str, vector: Sequence[float] | Tensor, *, cosine_power: float = 2) -> Objective:
    """How far activations point along `vector` (channels,): mean over positions of dot * max(cosine, 0.1)^power.

    Source: Carter et al., "Activation Atlas" (2019); lucid, objectives.direction. Power 0 is the dot product.
    """
    given = torch.as_tensor(vector, dtype=torch.float64)

    def measure(seen: Seen, selections: Sequence[Selection]) -> Tensor:
        a = seen.part(Selection(layer))
        if len(given) != a.shape[1]:
            raise ValueError(f"the direction has {len(given)} numbers; {layer} has {a.shape[1]} channels")
        v = given.to(a, non_blocking=True).view(1, -1, 1, 1)
        dot = (a * v).sum(dim=1)  # (N, H, W)
        cosine = F.cosine_similarity(a, v.expand_as(a), dim=1).clamp_min(0.1)
        return (dot * cosine**cosine_power).mean(dim=(1, 2))

    return objective("direction", measure, "layers", selections=(Selection(layer),))


def logit(target: int) -> Objective:
    """The network's answer for class number `target`, before the softmax."""

    def measure(seen: Seen, selections: Sequence[Selection]) -> Tensor:
        return seen.logits()[:, target]

    return objective("logit", measure, LOGITS)


def _picture(seen: Seen) -> Tensor:
    if seen.picture is None:
        raise ValueError("this objective looks at the picture itself, and was given feature maps only")
    return seen.picture


def _total_variation(seen: Seen, selections: Sequence[Selection]) -> Tensor:
    x = _picture(seen)
    down, right = x[..., 1:, :] - x[..., :-1, :], x[..., 1:] - x[..., :-1]
    return down.abs().mean(dim=(1, 2, 3)) + right.abs().mean(dim=(1, 2, 3))


def _l2(seen: Seen, selections: Sequence[Selection]) -> Tensor:
    return (_picture(seen) - 0.5).square().mean(dim=(1, 2, 3))


total_variation = objective("total_variation", _total_variation, "picture")
"""Mean |difference| of neighbouring pixels, in [0, 1]; with a negative weight a penalty on noise."""

l2 = objective("l2", _l2, "picture")
"""Mean square distance from mid-grey; with a negative weight a penalty on black and white."""


def replace_name(named: Objective, name: str) -> Objective:
    """`named` with its only term called `name`."""
    return Objective((replace(named.terms[0], name=name),))
