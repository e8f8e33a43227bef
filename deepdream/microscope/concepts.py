"""Concepts of a class: directions of a layer that its images are made of, and how much each one matters.

Source: Fel et al., "CRAFT: Concept Recursive Activation FacTorization for Explainability" (CVPR 2023). Non-negative
matrix factorisation takes the activations of crops apart into a few concepts; the total Sobol index of a concept is the
share of the class logit's variance that would vanish with it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy.stats import sobol_indices, uniform
from sklearn.decomposition import NMF, non_negative_factorization
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from deepdream.dreaming import Objective, direction
from deepdream.models import Network
from deepdream.models.layers import NHWC, TOKENS, Layer, choose_layers
from deepdream.models.probing import evaluating
from deepdream.models.replacing import output_and_logits, passes_all, run_replaced
from deepdream.models.taps import Taps

Floats = npt.NDArray[np.float64]
OVERLAP = 0.8  # stride of the crops, as a share of their side; that of CRAFT
SPARSITY = 1e-2  # of the concepts of each crop; that of the authors' code (alpha_W)
ITERATIONS = 400


@dataclass(frozen=True)
class Concepts:
    """Concepts of a layer. directions: (K, channels), none below 0. amounts: of each concept in each crop, (crops, K).

    Crops are those of `crops_of`, image by image.
    """

    layer: str
    directions: Floats
    amounts: Floats

    def objective(self, concept: int) -> Objective:
        """What a dream of the concept maximises: how far activations point along its direction."""
        return direction(self.layer, torch.from_numpy(self.directions[concept]))

    def each_objective(self) -> Objective:
        """The same for all concepts, one for each image of a batch of K."""
        return direction(self.layer, torch.from_numpy(self.directions))


def crops_of(images: Tensor, side: int) -> Tensor:
    """Square crops of `side` pixels of images (N, 3, H, W), overlapping by 20 %: (N * crops, 3, side, side).

    Raises ValueError where an image is smaller than a crop.
    """
    if min(images.shape[2:]) < side:
        raise ValueError(f"images have {images.shape[2]}x{images.shape[3]} pixels; crops of {side} need larger ones")
    columns = F.unfold(images, side, stride=max(1, int(OVERLAP * side)))  # (N, 3 * side * side, crops)
    return columns.transpose(1, 2).reshape(-1, 3, side, side)


def find_concepts(
    network: Network, layer: str, images: Tensor, *, count: int = 10, crop_side: int | None = None, seed: int = 0
) -> Concepts:
    """The concepts of images (N, 3, H, W) in [0, 1] that the network assigns to one class.

    layer: with no activation below 0, as behind a ReLU. crop_side: in pixels; by default a third of the shorter side.
    Each crop is resized to the network's image size, and its activations are averaged over positions, as in CRAFT.
    Raises ValueError for a layer that the network lacks or that has activations below 0, and for fewer crops than
    concepts.
    """
    crops = crops_of(images, crop_side or max(1, min(images.shape[2:]) // 3))
    if len(crops) < count:
        raise ValueError(f"there are {len(crops)} crops for {count} concepts; give more images or ask for fewer")
    size = (network.image_size, network.image_size)
    resized = F.interpolate(crops, size, mode="bilinear", antialias=True)
    activations = _maps(network, layer, resized).mean(dim=(2, 3)).double().numpy()  # (crops, channels)
    factorization = NMF(count, init="nndsvda", alpha_W=SPARSITY, max_iter=ITERATIONS, random_state=seed)
    with _at_most_some_iterations():
        amounts = factorization.fit_transform(activations)
    return Concepts(layer, factorization.components_, amounts)


def crop_corners(size: int, side: int) -> list[tuple[int, int]]:
    """(top, left) of the crops that `crops_of` takes of an image of size x size pixels, in their order."""
    starts = range(0, size - side + 1, max(1, int(OVERLAP * side)))
    return [(top, left) for top in starts for left in starts]


def concept_crops(concepts: Concepts, images: Tensor, concept: int, *, crop_side: int, count: int = 9) -> Tensor:
    """The crops with most of a concept, most first: (count, 3, crop_side, crop_side).

    images, crop_side: those of the factorisation.
    """
    best = np.argsort(-concepts.amounts[:, concept], kind="stable")[:count]
    return crops_of(images, crop_side)[torch.from_numpy(best.copy())]


@torch.no_grad()
def concept_importance(
    network: Network, concepts: Concepts, images: Tensor, target: int, *, designs: int = 32, seed: int = 0
) -> Floats:
    """The total Sobol index of each concept for the logit of class `target`, averaged over images (N, 3, H, W): (K,).

    At each position the amounts of all concepts are multiplied by one number per concept in [0, 1], and the rest of the
    network sees what they add up to. designs: a power of 2; a concept costs as many passes through the rest.
    Raises ValueError for a layer of tokens, and for one that the network has a way around.
    """
    (chosen,) = choose_layers([concepts.layer], network.probe.layers)
    _check_is_passed(network, chosen, images)
    maps = _maps(network, concepts.layer, images)
    directions = torch.from_numpy(concepts.directions)
    totals = []
    for own in maps.double():  # (C, H, W)
        amounts = torch.from_numpy(_amounts(own.flatten(1).t().numpy(), concepts.directions))  # (positions, K)

        def logit(masks: Floats, own: Tensor = own, amounts: Tensor = amounts) -> Floats:
            scaled = torch.from_numpy(masks.T.copy())[:, None] * amounts  # (M, positions, K)
            rebuilt = (scaled @ directions).transpose(1, 2).reshape(-1, *own.shape)  # (M, C, H, W)
            return _logits_behind(network, chosen, rebuilt.float())[:, target].double().numpy()

        totals.append(total_sobol(logit, len(directions), designs=designs, seed=seed))
    importance: Floats = np.mean(totals, axis=0)
    return importance


def total_sobol(function: Callable[[Floats], Floats], inputs: int, *, designs: int = 32, seed: int = 0) -> Floats:
    """The total Sobol index of each input of `function`: the share of its variance that the input takes part in.

    function: maps samples (inputs, M), uniform in [0, 1], to values (M,). designs: a power of 2; the function gets
        (inputs + 2) * designs samples. Source: scipy.stats.sobol_indices, with the estimator of Jansen (1999) that
        CRAFT uses. 0 for all inputs of a constant function.
    """
    random = np.random.default_rng(seed)
    if np.ptp(function(random.random((inputs, 8)))) == 0:
        return np.zeros(inputs)
    found = sobol_indices(
        func=lambda samples: function(samples)[None], n=designs, dists=[uniform()] * inputs, random_state=random
    )
    total: Floats = np.asarray(found.total_order, dtype=np.float64).reshape(inputs)
    return total.clip(0, 1)  # an estimate from few samples may exceed 1


@torch.no_grad()
def _maps(network: Network, layer: str, images: Tensor, *, batch_size: int = 32) -> Tensor:
    """The feature maps of `layer` (N, C, H, W), float32 on the CPU."""
    (chosen,) = choose_layers([layer], network.probe.layers)
    with evaluating(network.model), Taps(network.model, [chosen]) as taps:
        parts = [
            taps.run(network.model_input(batch))[chosen.name].float().cpu() for batch in torch.split(images, batch_size)
        ]
    maps = torch.cat(parts)
    if (low := float(maps.min())) < 0:
        raise ValueError(f"{layer} has activations down to {low:.3g}; concepts need a layer behind a ReLU")
    return maps


def _amounts(activations: Floats, directions: Floats) -> Floats:
    """The non-negative amounts of the concepts in activations (positions, C): (positions, K)."""
    with _at_most_some_iterations():
        amounts: Floats = non_negative_factorization(
            activations,
            H=directions,
            n_components=len(directions),
            update_H=False,
            alpha_W=SPARSITY,
            max_iter=ITERATIONS,
        )[0]
    return amounts


@contextmanager
def _at_most_some_iterations() -> Iterator[None]:
    """Without scikit-learn's warning that ITERATIONS were not enough: concepts hardly change from then on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _logits_behind(network: Network, layer: Layer, maps: Tensor, *, batch_size: int = 64) -> Tensor:
    """The logits (N, classes) of the network where the output of `layer` is `maps` (N, C, H, W).

    The part before the layer runs once, on a blank image.
    """
    side = network.image_size
    blank = network.model_input(torch.zeros(1, 3, side, side))
    outputs = maps.permute(0, 2, 3, 1) if layer.layout == NHWC else maps
    with evaluating(network.model):
        batches = torch.split(outputs, batch_size)
        return torch.cat([run_replaced(network.model, layer, batch, blank).float().cpu() for batch in batches])


def _check_is_passed(network: Network, layer: Layer, images: Tensor) -> None:
    """Raise ValueError where the logits of `images` do not depend on the map of `layer` alone."""
    if layer.layout == TOKENS:  # their class token is no part of the map
        raise ValueError(f"{layer.name} returns tokens; concepts need a layer of a convolutional network")
    x = network.model_input(images)
    with evaluating(network.model):
        output, logits = output_and_logits(network.model, layer, x)
        if not passes_all(network.model, layer, x, output, logits):
            raise ValueError(f"a way leads around {layer.name}, as that of a shortcut; concepts need a whole block")
