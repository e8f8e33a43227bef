"""A Gaussian process that predicts a function of binary features from samples of it."""

from __future__ import annotations

import torch
from torch import Tensor

MOST_PAIRS = 512  # that a process is fitted to: the time grows with the cube
LINEAR, NOISE = 20.0, 0.05  # prior variances, relative to that of interactions of any number of features
SHARPNESS = 2.0  # of the interactions
LEAST_PROBABILITY = 1e-6  # and 1 minus the largest, so that log odds are finite


class Proxy:
    """A Gaussian process with a linear and a squared-exponential kernel through the values of some vectors.

    pairs: int64 (P, 2, features) of 0 and 1. values: float64 (P, 2).
    is_probability: the values are in [0, 1], and the process is one of their log odds, which in a network depend on the
        features far more linearly than the probability does.
    """

    def __init__(self, pairs: Tensor, values: Tensor, *, is_probability: bool) -> None:
        self.is_probability = is_probability
        self._signs = _signs(pairs[:MOST_PAIRS])  # (N, features)
        scores = self._scores(values[:MOST_PAIRS]).flatten()
        self._mean, self._scale = scores.mean(), scores.std().clamp(min=1e-12)
        covariance = _covariance(self._signs, self._signs)
        inverse = torch.linalg.inv(covariance + NOISE * torch.eye(len(scores), dtype=torch.float64))
        self._coefficients = inverse @ ((scores - self._mean) / self._scale)
        # The errors of the process without a pair follow from the inverse (Rasmussen & Williams 2006, section 5.4.2).
        count = len(scores) // 2
        blocks = inverse.view(count, 2, count, 2).diagonal(dim1=0, dim2=2).permute(2, 0, 1)  # (P, 2, 2)
        errors = torch.linalg.solve(blocks, self._coefficients.view(count, 2))
        self._left_out = self._values(scores.view(count, 2) - self._scale * errors)

    def __call__(self, pairs: Tensor) -> Tensor:
        """The predicted values, float64 (P, 2), of int64 (P, 2, features)."""
        scores = [_covariance(part, self._signs) @ self._coefficients for part in torch.split(_signs(pairs), 1024)]
        return self._values(self._mean + self._scale * torch.cat(scores)).view(-1, 2)

    def left_out(self, pairs: Tensor) -> Tensor:
        """The same of the vectors that it was made from and perhaps others, each pair predicted without itself."""
        others = pairs[len(self._left_out) :]
        return torch.cat([self._left_out, self(others)]) if len(others) else self._left_out

    def _scores(self, values: Tensor) -> Tensor:
        return values.logit(eps=LEAST_PROBABILITY) if self.is_probability else values

    def _values(self, scores: Tensor) -> Tensor:
        return scores.sigmoid() if self.is_probability else scores


def _signs(pairs: Tensor) -> Tensor:
    """(P, 2, features) of 0 and 1 -> (2 P, features) of -1 and 1."""
    return pairs.flatten(0, 1).double() * 2 - 1


def _covariance(one: Tensor, other: Tensor) -> Tensor:
    cosine = one @ other.T / one.shape[1]
    return LINEAR * cosine + torch.exp(SHARPNESS * (cosine - 1))
