"""Terms that compare with photos: `sorted_match` with statistics of guide photos, `accent` with the undreamed photo."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from deepdream.dreaming.config import OBJECTIVES
from deepdream.dreaming.objectives import Activations, term
from deepdream.dreaming.selection import Selection


@term("layers", "guide")
@OBJECTIVES.register()
def sorted_match(activations: Activations, selections: Sequence[Selection]) -> Tensor:
    """Minus the squared difference of each channel's sorted activations from those of the guide photos.

    Source: Görgün, Schiele, Fischer, "VITAL: More Understandable Feature Visualization through Distribution Alignment
    and Relevant Information Flow" (ICCV 2025), equation of the sort-matching loss: activations are sorted within each
    photo and averaged over the photos. Departs from the paper: divided by the photos' mean square in each layer, so
    that weights mean the same in every layer; a map of another size is compared quantile by quantile; and features are
    not weighted by their relevance for a neuron (LRP): the photos that excite it most take that role.
    """
    losses = []
    for s in selections:
        values = activations.select(s).flatten(2).sort(dim=2).values  # (N, C, P)
        wanted = s.of(_mean_sorted(activations.guide[s.layer])[None, :, :, None])[0, :, :, 0]  # (C, Q)
        wanted = F.interpolate(wanted[None], values.shape[2], mode="linear", align_corners=True)  # (1, C, P)
        difference = (values - wanted).square().mean(dim=(1, 2))
        losses.append(s.weight * difference / wanted.square().mean().clamp_min(1e-12))
    return -torch.stack(losses).mean(dim=0)


_sorted = WeakTensorKeyDictionary()  # of guides: sorting the maps of fifty photos takes longer than a step


def _mean_sorted(maps: Tensor) -> Tensor:
    """The sorted values of each channel in each of the maps (M, C, H, W), averaged over the maps: (C, H * W)."""
    if maps not in _sorted:
        _sorted[maps] = maps.flatten(2).sort(dim=2).values.mean(dim=0)
    found: Tensor = _sorted[maps]
    return found


@term("layers", "content")
@OBJECTIVES.register()
def accent(activations: Activations, selections: Sequence[Selection]) -> Tensor:
    """Mean activation in units of its layer's root mean square in the photo, so that `content` balances it.

    Source: Hamblin et al., "Feature accentuation: revealing 'what' features respond to in natural images" (2024).
    Departs from the paper, which divides by the ratio of the first gradients.
    """
    values = []
    for s in selections:
        unit = activations.content[s.layer].square().mean(dim=(1, 2, 3)).sqrt()  # (N,)
        values.append(s.weight * activations.select(s).mean(dim=(1, 2, 3)) / unit.clamp_min(1e-12))
    return torch.stack(values).mean(dim=0)
