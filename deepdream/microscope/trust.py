"""How far a feature visualisation can be believed: its activation among real images, and its path through the network.

People predict a channel better from real images than from visualisations (Borowski et al., ICLR 2021), and a network
can be built whose visualisations show anything (Geirhos et al., ICML 2024). So both numbers stand beside each image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import rankdata
from torch import Tensor

from deepdream.models import Network
from deepdream.models.layers import choose_layers
from deepdream.models.probing import evaluating
from deepdream.models.taps import Taps

Floats = npt.NDArray[np.float64]
LEAST_LENGTH = 0.05  # between the correlations of exciting and of other images; shorter, the ratio is noise


def activation_percentile(activation: float, real: Sequence[float] | Floats) -> float:
    """The share of the real images that excite the channel less than `activation`, in percent; ties count half.

    >>> activation_percentile(3.0, [1.0, 2.0, 3.0, 9.0])
    62.5

    100 says that no real image excites the channel as much: the visualisation lies outside of what the network is used
    to. Raises ValueError for no real image.
    """
    values = np.asarray(real, dtype=np.float64)
    if values.size == 0:
        raise ValueError("there is no real image to compare the activation with")
    below, equal = (values < activation).sum(), (values == activation).sum()
    return float(100 * (below + equal / 2) / values.size)


@torch.no_grad()
def layer_means(network: Network, layers: Sequence[str], images: Tensor, *, batch_size: int = 32) -> dict[str, Floats]:
    """The mean activation of each channel of `layers` in each of the images (N, 3, H, W): (N, C) by layer.

    Raises ValueError for a layer that the network lacks.
    """
    chosen = choose_layers(layers, network.probe.layers)
    found: dict[str, list[Tensor]] = {layer.name: [] for layer in chosen}
    with evaluating(network.model), Taps(network.model, chosen) as taps:
        for batch in torch.split(images, batch_size):
            for name, maps in taps.run(network.model_input(batch)).items():
                found[name].append(maps.float().mean(dim=(2, 3)).cpu())
    return {name: torch.cat(parts).double().numpy() for name, parts in found.items()}


def path_agreement(
    visualizations: Mapping[str, Floats], exciting: Mapping[str, Floats], others: Mapping[str, Floats]
) -> dict[str, float]:
    """How far visualisations of a channel take the path through the network of the real images that excite it.

    visualizations, exciting, others: what `layer_means` returns for visualisations, for at least two real images that
        excite the channel strongly, and for other real images.

    By layer: Spearman's rank correlation of a visualisation with the exciting images, on a scale where 1 is the
    correlation of these with each other and 0 that with the other images; below 0 the visualisation is farther from
    them than any image. Source: Geirhos et al., "Don't trust your eyes: on the (un)reliability of feature
    visualizations" (ICML 2024), the sanity check. Departs from the paper: channels are averaged over positions, because
    a motif stands elsewhere in each image.

    NaN where a layer hardly tells exciting from other images, as the first of a network: the scale has no length there.
    Raises ValueError for fewer than two exciting images.
    """
    return {
        name: agreement(
            unit_ranks(visualizations[name]).mean(axis=0), unit_ranks(own), unit_ranks(others[name]).mean(axis=0)
        )
        for name, own in exciting.items()
    }


def agreement(visualization: Floats, exciting: Floats, others: Floats) -> float:
    """`path_agreement` in one layer, of `unit_ranks`: visualization (C,), exciting (K, C), mean of the others (C,)."""
    count, mean = len(exciting), exciting.mean(axis=0)
    if count < 2:
        raise ValueError(f"there are {count} exciting images; the agreement needs two of them to compare")
    # A mean of correlations is the product of mean ranks; those of an image with itself, 1 each, are left out.
    same = (count**2 * (mean @ mean) - np.square(exciting).sum()) / (count * (count - 1))
    different, seen = mean @ others, mean @ visualization
    length = same - different
    return float((seen - different) / length) if length > LEAST_LENGTH else float("nan")


def unit_ranks(values: Floats) -> Floats:
    """The ranks in each row of `values` (N, C), centred and of length 1, or 0 for an even row.

    The product of two rows is their rank correlation of Spearman.
    """
    centred = rankdata(values, axis=1) - (values.shape[1] + 1) / 2
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    ranks: Floats = centred / np.where(length > 0, length, 1)
    return ranks
