"""ROAD (Rong et al. 2022): removal of pixels that leaves no trace of the removed region's shape to the network."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.linalg import spsolve
from torch import Tensor

from deepdream.explaining.config import CHECKS
from deepdream.explaining.context import AttributionContext

SHARES = (0.2, 0.4, 0.6, 0.8)  # of the pixels that are removed
NOISE = 0.01  # standard deviation that is added to imputed pixels, in units of the network's input
NEIGHBOURS = [
    (dy, dx, 1 / 6 if dy * dx == 0 else 1 / 12) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)
]


@CHECKS.register("ROAD", "high", in_panel=False)
def road(context: AttributionContext, attribution: Tensor) -> float:
    """Half the gain in probability when the least in place of the most relevant pixels are removed, in [-0.5, 0.5].

    The combined score of the grad-cam package: the mean over SHARES of (least first - most first) / 2.
    """
    order = attribution.flatten().argsort(descending=True, stable=True).cpu().numpy()
    images = []
    for ranked in (order, order[::-1]):
        for share in SHARES:
            removed = np.zeros(len(order), bool)
            removed[ranked[: round(share * len(order))]] = True
            images.append(impute(context.image[0], removed.reshape(attribution.shape), seed=context.seed))
    most, least = context.probability(torch.stack(images)).view(2, -1)
    return float((least - most).mean()) / 2


def impute(image: Tensor, removed: NDArray[np.bool_], *, noise: float = NOISE, seed: int = 0) -> Tensor:
    """`image` (3, H, W), each of the `removed` pixels (H, W) being the weighted mean of its neighbours, plus noise.

    Neighbours may be removed too: one sparse linear system gives all. At the edge the weights inside are scaled up.
    """
    places = np.flatnonzero(removed)
    if not len(places):
        return image
    height, width = removed.shape
    unknown = np.full(removed.size, -1)
    unknown[places] = np.arange(len(places))
    values = image.flatten(1).cpu().double().numpy()
    known = np.zeros((len(places), len(values)))
    weights = np.zeros(len(places))
    entries: list[tuple[NDArray[np.intp], NDArray[np.intp], float]] = []
    y, x = np.divmod(places, width)
    for dy, dx, weight in NEIGHBOURS:
        row = np.flatnonzero((y + dy >= 0) & (y + dy < height) & (x + dx >= 0) & (x + dx < width))
        place = (y[row] + dy) * width + x[row] + dx
        weights[row] += weight
        is_known = unknown[place] < 0
        known[row[is_known]] += weight * values[:, place[is_known]].T
        entries.append((row[~is_known], unknown[place[~is_known]], -weight))
    rows = np.concatenate([np.arange(len(places)), *(row for row, _, _ in entries)])
    columns = np.concatenate([np.arange(len(places)), *(column for _, column, _ in entries)])
    data = np.concatenate([weights, *(np.full(len(row), value) for row, _, value in entries)])
    system = coo_array((data, (rows, columns)), shape=(len(places), len(places))).tocsc()
    filled = torch.from_numpy(spsolve(system, known).T.copy())
    filled += noise * torch.randn(filled.shape, generator=torch.Generator().manual_seed(seed), dtype=filled.dtype)
    result = image.flatten(1).clone()
    result[:, torch.from_numpy(places).to(image.device)] = filled.to(image)
    return result.view_as(image)
