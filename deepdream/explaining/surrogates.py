"""Linear surrogate models of a function of binary features: the arithmetic of LIME and of KernelSHAP.

The function, `response`, maps int64 (N, features) of 0 and 1 to (N,); here a feature is a visible superpixel. Results
are float64 on the CPU and follow from the seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from scipy.linalg import hadamard
from torch import Tensor

LIME_KERNEL_WIDTH = 0.25  # as in the lime package, over the cosine distance of the binary vectors

Response = Callable[[Tensor], Tensor]


def lime_surrogate(
    response: Response, features: int, *, samples: int, precision: float | None = None, seed: int = 0
) -> Tensor:
    """The weights of LIME's weighted ridge regression (Ribeiro et al. 2016): (features,).

    The regression of the lime package: features are 1 with probability 1/2, weighted by a kernel on the cosine distance
    to the vector of ones, with a penalty of 1 for `samples` samples. `samples` is the largest number of samples, and
    sets the penalty even where fewer are drawn; of 2 ** features samples or more the result is exact.
    precision: stop at a block of `_balanced_pairs` after which the standard error of the weights, root mean square, is
        at most this fraction of their standard deviation; the result then correlates with the exact one by about
        sqrt(1 - precision ** 2).
    """
    if 2**features <= samples:
        pairs = _all_pairs(features)
        return _ridge(pairs, _responses(response, pairs), samples)[0]
    drawn: list[Tensor] = []
    values: list[Tensor] = []
    for pairs in _balanced_pairs(features, samples // 2, torch.Generator().manual_seed(seed)):
        drawn.append(pairs)
        values.append(_responses(response, pairs))
        weights, error = _ridge(torch.cat(drawn), torch.cat(values), samples)
        if precision is not None and error <= precision * float(weights.std()):
            break
    return weights


def shapley_values(response: Response, features: int, *, samples: int, seed: int = 0) -> Tensor:
    """KernelSHAP's estimate of the Shapley values (Lundberg & Lee 2017): (features,), from at most `samples` samples.

    They add up to the response of all ones minus that of all zeros, whatever the samples. Sampled in pairs of
    complements (Covert & Lee 2021); of 2 ** features samples or more they are exact.
    """
    ends = torch.stack([torch.zeros(features), torch.ones(features)]).long()
    none, gain = (values := response(ends).cpu().double())[0], values[1] - values[0]
    pairs, weights = _shapley_pairs(features, (samples - 2) // 2, torch.Generator().manual_seed(seed))
    visible = pairs.flatten(0, 1).double()  # (N, features)
    mean = visible.mean(dim=1, keepdim=True)
    # The mean of the values is known; rows without their mean leave only deviations from it, which add up to 0, to fit.
    root = weights.repeat_interleave(2).sqrt()[:, None]
    rest = _responses(response, pairs).flatten()[:, None] - none - gain * mean
    deviations = torch.linalg.lstsq(root * (visible - mean), root * rest, driver="gelsd").solution
    return gain / features + deviations[:, 0]


def _responses(response: Response, pairs: Tensor) -> Tensor:
    """Of (P, 2, features): (P, 2)."""
    return response(pairs.flatten(0, 1)).cpu().double().view(-1, 2)


def _ridge(pairs: Tensor, values: Tensor, samples: int) -> tuple[Tensor, float]:
    """LIME's weights, (features,), and their standard error, the root of the mean square over the features."""
    count, _, features = pairs.shape
    kernel = _cosine_kernel(pairs)[..., None]  # (P, 2, 1)
    total = kernel.sum()
    visible = pairs.double()
    visible -= (kernel * visible).sum(dim=(0, 1)) / total
    rest = values[..., None]
    rest = rest - (kernel * rest).sum() / total
    gram = torch.einsum("pif,pig->fg", kernel * visible, visible)
    inverse = torch.linalg.inv(gram + 2 * count / samples * torch.eye(features, dtype=torch.float64))
    weights = inverse @ (kernel * visible * rest).sum(dim=(0, 1))
    if count <= features:
        return weights, math.inf
    rest = rest - visible @ weights[:, None]
    shifts = (kernel * visible * rest).sum(dim=1) @ inverse  # (P, features): what each pair adds to the weights
    variance = shifts.square().sum(dim=0) * count / (count - features)  # as many degrees of freedom went into the fit
    return weights, float(variance.mean().sqrt())


def _cosine_kernel(visible: Tensor) -> Tensor:
    """Of (..., features): (...)."""
    # The vector of ones has a cosine of sqrt(n / N) with one that has n ones of N.
    distance = 1 - visible.double().mean(dim=-1).sqrt()
    return (-(distance**2) / (2 * LIME_KERNEL_WIDTH**2)).exp()


def _all_pairs(features: int) -> Tensor:
    """Each of the 2 ** features vectors once, with its complement: int64 (2 ** (features - 1), 2, features)."""
    numbers = torch.arange(2 ** (features - 1))
    return _with_complements(numbers[:, None] >> torch.arange(features) & 1)


def _balanced_pairs(features: int, pairs: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Random vectors with their complements, int64 (P, 2, features), in blocks until there are `pairs` of them.

    Each vector is uniformly distributed. A block is a Hadamard matrix with random columns and signs, folded over (Box &
    Wilson 1951): every feature is 1 in half of it and every two in a quarter, so that no feature's weight is mixed with
    another's or with interactions of two, which cancel out between complements.
    """
    order = 1 << features.bit_length()
    matrix = torch.from_numpy(hadamard(order)) > 0
    while pairs > 0:
        columns = torch.randperm(order, generator=generator)[:features]
        rows = torch.randperm(order, generator=generator)[:pairs]
        flips = torch.rand(features, generator=generator) < 0.5
        yield _with_complements((matrix[rows][:, columns] ^ flips).long())
        pairs -= order


def _shapley_pairs(features: int, pairs: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Vectors with their complements, int64 (P, 2, features), and Shapley's weight of each pair, (P,).

    Of the smallest vectors, where the weight is, all of a size are taken as soon as its share of the pairs suffices;
    the others are random, their sizes stratified. As in the shap package, but for the stratification.
    """
    sizes = torch.arange(1, features // 2 + 1)
    shares = 1 / (sizes * (features - sizes)).double()
    shares[2 * sizes == features] /= 2  # both of a pair are of this size
    shares /= shares.sum()
    blocks, weights = [], []
    for size in sizes.tolist():
        share, rest = float(shares[size - 1]), float(shares[size - 1 :].sum())
        count = math.comb(features, size) // (2 if 2 * size == features else 1)
        if count > pairs * share / rest * (1 + 1e-9):
            places = (torch.arange(pairs) + torch.rand(pairs, generator=generator)) / pairs
            chosen = size + torch.searchsorted(shares[size - 1 :].cumsum(0) / rest, places.double())
            order = torch.rand(pairs, features, generator=generator).argsort(dim=1)
            blocks.append(order < chosen.clamp(max=int(sizes[-1]))[:, None])
            weights.append(torch.full((pairs,), rest / pairs, dtype=torch.float64))
            break
        members = torch.combinations(torch.arange(features), size)[:count]  # the first half of them hold feature 0
        blocks.append(torch.zeros(count, features, dtype=torch.bool).scatter_(1, members, True))
        weights.append(torch.full((count,), share / count, dtype=torch.float64))
        pairs -= count
    return _with_complements(torch.cat(blocks).long()), torch.cat(weights)


def _with_complements(vectors: Tensor) -> Tensor:
    """(P, features) -> (P, 2, features)."""
    return torch.stack([vectors, 1 - vectors], dim=1)
