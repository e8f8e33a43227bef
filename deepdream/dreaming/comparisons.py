"""Objectives that compare: with a guide picture, with its style, with the photo itself, within a batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from deepdream.dreaming.objectives import Objective, Seen, objective
from deepdream.dreaming.selection import Selection


def guide(similarity: str = "dot") -> Objective:
    """At every position the guide's feature with the largest product is the target: sum_i max_j x_i . y_j.

    similarity: "dot", or "cosine", for which every feature has length 1, so that the guide's brightest spot does not
    win everywhere. Source: google/deepdream, dream.ipynb, objective_guide (the dot product).
    """

    def measure(seen: Seen, selections: Sequence[Selection]) -> Tensor:
        values = []
        for s in selections:
            x, y = seen.part(s).flatten(2), s.of(seen.guide[s.layer]).flatten(2)[0]  # (N, C, P), (C, Q)
            if similarity == "cosine":
                x, y = torch.nn.functional.normalize(x, dim=1), torch.nn.functional.normalize(y, dim=0)
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


def _style(seen: Seen, selections: Sequence[Selection]) -> Tensor:
    losses = []
    for s in selections:
        target = gram(s.of(seen.guide[s.layer]))
        difference = (gram(seen.part(s)) - target).square().sum(dim=(1, 2))
        losses.append(s.weight * difference / target.square().sum().clamp_min(1e-12))
    return -torch.stack(losses).mean(dim=0)


def _content(seen: Seen, selections: Sequence[Selection]) -> Tensor:
    losses = []
    for s in selections:
        target = s.of(seen.content[s.layer])
        difference = (seen.part(s) - target).square().sum(dim=(1, 2, 3))
        losses.append(s.weight * difference / target.square().sum(dim=(1, 2, 3)).clamp_min(1e-12))
    return -torch.stack(losses).mean(dim=0)


def _diversity(seen: Seen, selections: Sequence[Selection]) -> Tensor:
    values = []
    for s in selections:
        flat = torch.nn.functional.normalize(gram(seen.part(s)).flatten(1), dim=1)
        alike = flat @ flat.t()  # (N, N)
        values.append(s.weight * (alike.diagonal() - alike.sum(dim=1)))
    return torch.stack(values).mean(dim=0)


style = objective("style", _style, "layers", "guide")
"""Minus the squared difference of Gram matrices from the guide's, over the guide's own: 0 is the guide's style.
Source: Gatys, Ecker, Bethge, "Image Style Transfer Using Convolutional Neural Networks" (2016).
Departs from the paper: divided by the guide's size in each layer, so that weights mean the same in every layer."""

content = objective("content", _content, "layers", "content")
"""Minus the squared difference of feature maps from the photo's, over the photo's own. Source: as for `style`."""

diversity = objective("diversity", _diversity, "layers")
"""Minus the cosine similarity of a picture's Gram matrices with those of the others in its batch.
Source: lucid, objectives.diversity."""
