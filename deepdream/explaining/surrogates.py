"""Linear surrogate models of a function of binary features: the arithmetic of LIME and of KernelSHAP.

The function, `response`, maps int64 (N, features) of 0 and 1 to (N,); here a feature is a visible superpixel, and a
sample costs a pass of a network. To need few of them:

- Vectors come in pairs of complements, which cancel out the interactions of two features, in balanced designs.
- A proxy learned from the samples takes over what it can predict, at no cost; the regression of what it misses is
  added, so that the result tends to the exact one (regression adjustment, Witter et al. 2025).
- Few features are enumerated.

Results are float64 on the CPU and follow from the seed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from deepdream.explaining.proxy import Proxy

LIME_KERNEL_WIDTH = 0.25  # as in the lime package, over the cosine distance of the binary vectors
PROXY_PAIRS = 4096  # drawn of a proxy, or more: their error has to be small beside that of the samples
BLOCK = 1.5  # pairs of a block per feature: with fewer the residuals of the fit say little about its error
GROWTH = 1.25  # of the samples between two checks of the precision

Response = Callable[[Tensor], Tensor]


def lime_surrogate(
    response: Response,
    features: int,
    *,
    samples: int,
    precision: float | None = None,
    is_probability: bool = False,
    seed: int = 0,
) -> Tensor:
    """The weights of LIME's weighted ridge regression (Ribeiro et al. 2016): (features,).

    The regression of the lime package: features are 1 with probability 1/2, weighted by a kernel on the cosine distance
    to the vector of ones, with a penalty of 1 for `samples` samples. `samples` is the largest number of samples, and
    sets the penalty even where fewer are drawn; of 2 ** features samples or more the result is exact.
    precision: stop at a block of `_balanced_pairs` after which the standard error of the weights, root mean square, is
        at most this fraction of their standard deviation; the result then correlates with the exact one by about
        sqrt(1 - precision ** 2).
    is_probability: the response is in [0, 1].
    """
    if 2**features <= samples:
        pairs = _all_pairs(features)
        return _combined(_lime_operator(pairs, samples), _responses(response, pairs))
    generator = torch.Generator().manual_seed(seed)
    free = torch.cat(list(_balanced_pairs(features, max(PROXY_PAIRS, 2 * samples), generator)))
    of_free = _lime_operator(free, samples)
    pairs, values = torch.empty(0, 2, features, dtype=torch.int64), torch.empty(0, 2, dtype=torch.float64)
    checked = 0
    for block in _balanced_pairs(features, samples // 2, generator):
        pairs, values = torch.cat([pairs, block]), torch.cat([values, _responses(response, block)])
        is_early = precision is None or len(pairs) < GROWTH * checked
        if is_early and len(pairs) < samples // 2:
            continue
        checked = len(pairs)
        proxy, of_pairs = Proxy(pairs, values, is_probability=is_probability), _lime_operator(pairs, samples)
        weights = _combined(of_free, proxy(free)) + _combined(of_pairs, values - proxy(pairs))
        error = _standard_error(of_pairs, values - proxy.left_out(pairs))
        if precision is not None and error <= precision * float(weights.std()):
            break
    return weights


def shapley_values(
    response: Response, features: int, *, samples: int, is_probability: bool = False, seed: int = 0
) -> Tensor:
    """KernelSHAP's estimate of the Shapley values (Lundberg & Lee 2017): (features,), from at most `samples` samples.

    They add up to the response of all ones minus that of all zeros, whatever the samples. Sampled in pairs of
    complements (Covert & Lee 2021); of 2 ** features samples or more they are exact.
    is_probability: the response is in [0, 1].
    """
    generator = torch.Generator().manual_seed(seed)
    ends = _with_complements(torch.zeros(1, features, dtype=torch.int64))
    pairs, weights = _shapley_pairs(features, (samples - 2) // 2, generator)
    of_ends, values = _responses(response, ends), _responses(response, pairs)
    if 2**features <= samples:
        return _constrained(pairs, weights, values, of_ends)
    proxy = Proxy(torch.cat([ends, pairs]), torch.cat([of_ends, values]), is_probability=is_probability)
    free, of_free = _shapley_pairs(features, max(PROXY_PAIRS, 2 * samples), generator)
    return _constrained(free, of_free, proxy(free), proxy(ends)) + _constrained(
        pairs, weights, values - proxy(pairs), of_ends - proxy(ends)
    )


def _responses(response: Response, pairs: Tensor) -> Tensor:
    """Of (P, 2, features): float64 (P, 2)."""
    return response(pairs.flatten(0, 1)).cpu().double().view(-1, 2)


def _lime_operator(pairs: Tensor, samples: int) -> Tensor:
    """LIME's weights are linear in the values of the samples: what each adds for a value of 1, (P, 2, features)."""
    kernel = _cosine_kernel(pairs)[..., None]  # (P, 2, 1)
    visible = pairs.double()
    visible -= (kernel * visible).sum(dim=(0, 1)) / kernel.sum()  # so that the intercept is free of penalty
    weighted = (kernel * visible).flatten(0, 1)
    penalty = 2 * len(pairs) / samples * torch.eye(pairs.shape[2], dtype=torch.float64)
    operator: Tensor = torch.linalg.solve(weighted.T @ visible.flatten(0, 1) + penalty, weighted.T).T
    return operator.reshape(visible.shape)


def _combined(operator: Tensor, values: Tensor) -> Tensor:
    """(P, 2, features), (P, 2) -> (features,)."""
    return torch.einsum("pif,pi->f", operator, values)


def _standard_error(operator: Tensor, left_out: Tensor) -> float:
    """Of the weights, root mean square. left_out: the error for each pair, (P, 2), of a proxy without that pair."""
    count, _, features = operator.shape
    if count <= features:
        return math.inf
    shifts = torch.einsum("pif,pi->pf", operator, left_out)
    # Without its pair a fit of as many weights errs by count / (count - features) more, in the mean square.
    return float((shifts.square().sum(dim=0).mean() * (1 - features / count)).sqrt())


def _constrained(pairs: Tensor, weights: Tensor, values: Tensor, ends: Tensor) -> Tensor:
    """KernelSHAP's weighted least squares. weights: of the pairs, (P,). ends: of all zeros and all ones, (1, 2)."""
    none, gain = ends[0, 0], ends[0, 1] - ends[0, 0]
    visible = pairs.flatten(0, 1).double()  # (N, features)
    share = visible.mean(dim=1, keepdim=True)
    # The values' mean is known. Rows without their mean leave only deviations from it to fit, which add up to 0.
    deviating = visible - share
    weighted = weights.repeat_interleave(2)[:, None] * deviating
    rest = values.flatten() - none - gain * share[:, 0]
    inverse: Tensor = torch.linalg.pinv(weighted.T @ deviating, rtol=1e-9, hermitian=True)
    return gain / pairs.shape[2] + inverse @ (weighted.T @ rest)


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
    matrix = _hadamard(math.ceil(BLOCK * features))
    while pairs > 0:
        columns = torch.randperm(len(matrix), generator=generator)[:features]
        rows = torch.randperm(len(matrix), generator=generator)[:pairs]
        flips = torch.rand(features, generator=generator) < 0.5
        yield _with_complements((matrix[rows][:, columns] ^ flips).long())
        pairs -= len(matrix)


def _hadamard(least: int) -> Tensor:
    """Whether each entry of a Hadamard matrix is 1, not -1: bool (N, N) with the next N above `least`.

    Paley's construction, in which an interaction of three columns resembles many others a little. Sylvester's has some
    that are equal to another column, where their effects cannot be told apart, nor the error be seen.
    """
    prime = next(n for n in itertools.count(least) if n % 4 == 3 and all(n % d for d in range(3, math.isqrt(n) + 1)))
    numbers = torch.arange(prime)
    matrix = torch.ones(prime + 1, prime + 1, dtype=torch.bool)
    matrix[1:, 0] = False
    matrix[1:, 1:] = torch.isin((numbers[:, None] - numbers) % prime, numbers**2 % prime)
    return matrix


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
