"""The two dreams once more, in float64 NumPy and SciPy, written from their description alone and sharing no code.

gordic: github.com/gordicaleksa/pytorch-deepdream. inceptionism: github.com/google/deepdream, dream.ipynb. A network is
a function from its input (3, H, W) to the gradient of the objective there, (3, H, W). Each dream returns the picture
in [0, 1] as it stands after every octave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import scipy.ndimage

Array = np.ndarray
Gradient = Callable[[Array], Array]
Shift = tuple[int, int]


def gordic(
    image: Array,
    gradient: Gradient,
    shifts: Iterable[Shift],
    mean: Sequence[float],
    std: Sequence[float],
    *,
    octaves: int = 4,
    ratio: float = 1.8,
    steps: int = 10,
    rate: float = 0.09,
) -> list[Array]:
    queue = iter(shifts)
    mean_, std_ = np.reshape(mean, (3, 1, 1)), np.reshape(std, (3, 1, 1))
    x = (image - mean_) / std_
    pictures = []
    for level in range(octaves):
        x = resize_half_pixel(x, gordic_shape(image.shape[1:], octaves, ratio, level))
        for i in range(steps):
            down, right = next(queue)
            x = np.roll(x, (down, right), axis=(1, 2))
            g = gaussian_cascade(gradient(x), 2 * (i + 1) / steps + 0.5)
            g = (g - g.mean()) / g.std(ddof=1)
            x = np.clip(x + rate * g, -mean_ / std_, (1 - mean_) / std_)
            x = np.roll(x, (-down, -right), axis=(1, 2))
        pictures.append(np.clip(x * std_ + mean_, 0, 1))
    return pictures


def gordic_shape(shape: Sequence[int], octaves: int, ratio: float, level: int) -> tuple[int, int]:
    height, width = np.round(np.float32(shape) * np.float32(ratio ** (level - octaves + 1))).astype(int)
    return int(height), int(width)


def gaussian_row(sigma: float) -> Array:
    row = np.exp(-(np.arange(-4, 5) ** 2) / (2 * sigma**2))
    return row / row.sum()


def gaussian_cascade(g: Array, sigma: float) -> Array:
    smoothed = []
    for s in (0.5 * sigma, sigma, 2 * sigma):
        rows = scipy.ndimage.correlate1d(g, gaussian_row(s), axis=1, mode="mirror")
        smoothed.append(scipy.ndimage.correlate1d(rows, gaussian_row(s), axis=2, mode="mirror"))
    return sum(smoothed) / 3


def resize_half_pixel(x: Array, shape: tuple[int, int]) -> Array:
    rows = _interpolation(x.shape[1], shape[0])
    columns = _interpolation(x.shape[2], shape[1])
    return np.einsum("ai,cij,bj->cab", rows, x, columns)


def _interpolation(before: int, after: int) -> Array:
    """(after, before): how much of each old sample is in each new one, edges repeated."""
    weights = np.zeros((after, before))
    for k in range(after):
        position = min(max((k + 0.5) * before / after - 0.5, 0.0), before - 1.0)
        left = int(position)
        weights[k, left] += 1 - (position - left)
        weights[k, min(left + 1, before - 1)] += position - left
    return weights


def inceptionism(
    image: Array,
    gradient: Gradient,
    shifts: Iterable[Shift],
    mean: Sequence[float],
    std: Sequence[float],
    *,
    octaves: int = 4,
    scale: float = 1.4,
    steps: int = 10,
    rate: float = 1.5,
) -> list[Array]:
    queue = iter(shifts)
    bias, unit = 255 * np.reshape(mean, (3, 1, 1)), 255 * np.reshape(std, (3, 1, 1))
    bases = [255 * image - bias]
    for _ in range(octaves - 1):
        bases.append(zoom(bases[-1], tuple(round(side / scale) for side in bases[-1].shape[1:])))
    detail = np.zeros_like(bases[-1])
    pictures = []
    for base in reversed(bases):
        src = base + zoom(detail, base.shape[1:])
        for _ in range(steps):
            down, right = next(queue)
            src = np.roll(src, (down, right), axis=(1, 2))
            g = gradient(src / unit) / unit
            src = src + rate / np.abs(g).mean() * g
            src = np.roll(src, (-down, -right), axis=(1, 2))
            src = np.clip(src, -bias, 255 - bias)
        detail = src - base
        pictures.append(np.clip((src + bias) / 255, 0, 1))
    return pictures


def zoom(x: Array, shape: Sequence[int]) -> Array:
    factors = (1, shape[0] / x.shape[1], shape[1] / x.shape[2])
    return scipy.ndimage.zoom(x, factors, order=1, mode="nearest")


class SmallNetwork:
    """conv 5x5 stride 2, ReLU, conv 3x3, ReLU; forward and backward by hand."""

    def __init__(self, seed: int) -> None:
        draw = np.random.default_rng(seed)
        self.weight1, self.bias1 = 0.2 * draw.standard_normal((6, 3, 5, 5)), 0.1 * draw.standard_normal(6)
        self.weight2, self.bias2 = 0.2 * draw.standard_normal((8, 6, 3, 3)), 0.1 * draw.standard_normal(8)

    def activations(self, x: Array) -> tuple[Array, Array]:
        first = np.maximum(convolve(x, self.weight1, self.bias1, stride=2), 0)
        return first, np.maximum(convolve(first, self.weight2, self.bias2, stride=1), 0)

    def mean_square(self, x: Array) -> Array:
        """Gradient of the mean of both layers' mean(activation^2)."""
        first, second = self.activations(x)
        return self._backward(x, first, second, first / first.size, second / second.size)

    def half_sum_square(self, x: Array) -> Array:
        """Gradient of 0.5 * sum(activation^2) of the second layer."""
        first, second = self.activations(x)
        return self._backward(x, first, second, np.zeros_like(first), second)

    def _backward(self, x: Array, first: Array, second: Array, at_first: Array, at_second: Array) -> Array:
        at_first = at_first + convolve_back(at_second * (second > 0), self.weight2, first.shape, stride=1)
        return convolve_back(at_first * (first > 0), self.weight1, x.shape, stride=2)


def convolve(x: Array, weight: Array, bias: Array, stride: int) -> Array:
    """Cross-correlation of (C, H, W) with (D, C, k, k), zero padding k // 2: (D, H', W')."""
    kernel = weight.shape[2]
    pad = kernel // 2
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    height, width = (x.shape[1] - 1) // stride + 1, (x.shape[2] - 1) // stride + 1
    out = np.tile(bias[:, None, None], (1, height, width))
    for i in range(kernel):
        for j in range(kernel):
            window = padded[:, i : i + stride * height : stride, j : j + stride * width : stride]
            out += np.einsum("dc,chw->dhw", weight[:, :, i, j], window)
    return out


def convolve_back(g: Array, weight: Array, shape: tuple[int, ...], stride: int) -> Array:
    """The gradient at the input, of `shape`, from the gradient `g` at the output of `convolve`."""
    kernel = weight.shape[2]
    pad = kernel // 2
    height, width = g.shape[1:]
    padded = np.zeros((shape[0], shape[1] + 2 * pad, shape[2] + 2 * pad))
    for i in range(kernel):
        for j in range(kernel):
            window = padded[:, i : i + stride * height : stride, j : j + stride * width : stride]
            window += np.einsum("dc,dhw->chw", weight[:, :, i, j], g)
    return padded[:, pad : pad + shape[1], pad : pad + shape[2]]
