"""One step of a dream: transform the image, take the network's gradient, smooth and normalise it, follow it.

Read `Ascent.step` first; the functions below it are in the order in which a step calls them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from deepdream.acceleration import CompiledTaps, GraphCache
from deepdream.dreaming.config import OPTIMIZERS, PARAMETERIZATIONS, DreamConfig
from deepdream.dreaming.gradients import build_normalization, build_smoothing
from deepdream.dreaming.objectives import Activations, Objective
from deepdream.dreaming.optimizers import Optimizer
from deepdream.dreaming.parameterization import NetworkInput, Parameterization, PixelImage
from deepdream.dreaming.preservation import Mask, Preservation, weaken_color
from deepdream.dreaming.redirected_relu import redirect_relu_gradient
from deepdream.dreaming.tiles import Span, least_pixels, squares, tile_margin, tiles
from deepdream.dreaming.transforms import Jitter, Transform, is_resampled, noise_std, resample
from deepdream.models import Network
from deepdream.models.probing import InputSizes
from deepdream.models.taps import LOGITS, Taps

Maps = Mapping[str, Tensor]
Place = tuple[Span, Span]  # rows and columns of a tile


@dataclass(frozen=True)
class Numerics:
    """What a dream is computed with.

    dtype: of the image, the objective and the gradient: float32 or float64. network_dtype: of the network.
    max_pixels: of a tile; tiles begin at multiples of `stride`. input_sizes: of the images that
    the network takes; if it takes squares of one size only, these are the tiles.
    """

    dtype: torch.dtype
    network_dtype: torch.dtype
    device: torch.device
    max_pixels: int
    stride: int
    input_sizes: InputSizes


class Ascent:
    """The steps of a dream, octave by octave. `taps` must be open while it is used.

    Between `begin_octave` and the next it holds the octave's parameterization, optimizer, preservation and mask.
    """

    def __init__(
        self,
        network: Network,
        taps: Taps | CompiledTaps,
        objective: Objective,
        config: DreamConfig,
        numerics: Numerics,
    ) -> None:
        self.taps = taps
        self.numerics = numerics
        self._network, self._objective, self._config = network, objective, config
        self._smooth = build_smoothing(config, numerics.dtype, numerics.device)
        self._normalize = build_normalization(config)
        self._graphs = GraphCache(numerics.device)
        self._guide: Maps = {}
        self._undreamed: Tensor | None = None  # as the network's input
        self._compared: Tensor | None = None  # it, transformed: what the content of a tile is computed from
        self._content: dict[tuple[int, int], Maps] = {}  # by the tile's corner; once in an octave without transforms
        colors = (network.mean, network.std, numerics.dtype, numerics.device)
        self._pixels = PixelImage(*colors)  # of images that are looked at, not dreamed
        self._network_input = NetworkInput(*colors)  # of what the network gets after resampling
        self._noise = noise_std(config, *colors[1:]) if config.noise else None
        self._parameterization: Parameterization = self._pixels
        self._optimizer: Optimizer
        self.gradient: Tensor | None = None  # that the last step followed, at the image's values: (N, 3, H, W)
        self._preservation: Preservation | None = None
        self._mask: Mask | None = None

    def set_guide(self, guide: Tensor) -> None:
        """Follow the guide images (M, 3, H, W) in [0, 1] from now on."""
        network_input = self._pixels.network_input(self._pixels.encode(guide))
        parts = [network_input]
        if self.numerics.input_sizes.only is not None:
            parts = [_cut(network_input, place) for place in self._places(network_input, (0.5, 0.5))]
        maps = [self._feature_maps(part) for part in parts]
        # The objectives that follow a guide take its positions in any order: those of several parts, in one column.
        self._guide = {name: torch.cat([part[name] for part in maps], dim=2) for name in maps[0]}
        self._graphs.clear()

    def begin_octave(self, base: Tensor, mask: Mask | None = None) -> Parameterization:
        """Begin an octave. base: the undreamed image at its size, (N, 3, H, W) in [0, 1]."""
        config, network, numerics = self._config, self._network, self.numerics
        parameterization: Parameterization = PARAMETERIZATIONS[config.parameterization](
            network.mean,
            network.std,
            numerics.dtype,
            numerics.device,
            size=(base.shape[2], base.shape[3]),
            decay=config.decay,
            spectrum=network.spectrum,
        )
        params = parameterization.encode(base)
        self._parameterization, self._mask = parameterization, mask
        self._optimizer = OPTIMIZERS[config.optimizer](config.step_size)
        self._preservation = None
        if config.preserve > 0:
            self._preservation = Preservation(
                params, parameterization.per_unit, preserve=config.preserve, band=config.band
            )
        self._set_content(params)
        return parameterization

    def step(self, params: Tensor, step: int, transform: Transform) -> tuple[Tensor, Tensor]:
        """The params after one step, and the objective of each image before it, (N,).

        step: counted from 0 within the octave.
        """
        gradient = partial(self._params_gradient, step=step, transform=transform)
        params, objective = self._optimizer.step(params, gradient)
        params = self._parameterization.clamp(params)
        if self._preservation is not None:
            params = self._parameterization.clamp(self._preservation(params))
        return params, objective

    def _params_gradient(self, params: Tensor, step: int, transform: Transform) -> tuple[Tensor, Tensor]:
        """The gradient that a step follows, in the shape of `params`, and the objective."""
        config, parameterization = self._config, self._parameterization
        self.gradient = None  # of the step before: as large as the image, whose size is bound by memory
        params = params.detach().requires_grad_()
        with torch.enable_grad():
            values = parameterization.values(params)
        jitter = Jitter(transform.shift, config.pad)
        if self._undreamed is not None and (config.jitter or is_resampled(config)):
            self._compare_with(self._transformed(jitter.apply(self._undreamed), transform))
        network_gradient = self._resampled_gradient if is_resampled(config) else self._tiled_gradient
        gradient, objective = network_gradient(jitter.apply(values.detach()), transform)
        gradient = self._smooth(jitter.crop(gradient), step)
        gradient = self._normalize(gradient)
        if config.color < 1:
            gradient = weaken_color(gradient, parameterization.per_unit, config.color)
        gradient = jitter.undo(gradient)
        if self._mask is not None:
            gradient = self._mask.inside(gradient)
        self.gradient = gradient
        if values is not params:
            gradient = _vector_jacobian([values], [gradient], params)
        return gradient, objective

    def _resampled_gradient(self, values: Tensor, transform: Transform) -> tuple[Tensor, Tensor]:
        """The gradient at values (N, 3, H, W) through scaling, rotation or crops, and the objective."""
        values = values.detach().requires_grad_()
        with torch.enable_grad():
            x = self._transformed(self._parameterization.network_input(values), transform)
        gradient, objective = self._tiled_gradient(x.detach(), transform, is_input=True)
        gradient = _vector_jacobian([x], [gradient], values)
        return gradient, objective.view(len(values), -1).mean(dim=1)

    def _transformed(self, x: Tensor, transform: Transform) -> Tensor:
        """The network's input `x` (N, 3, H, W), scaled, rotated or cropped where configured."""
        if not is_resampled(self._config):
            return x
        return resample(x, transform, self._network.image_size, self._noise)

    def _tiled_gradient(self, values: Tensor, transform: Transform, *, is_input: bool = False) -> tuple[Tensor, Tensor]:
        """The gradient of the objective at values (N, 3, H, W), tile by tile where they are many, and the objective.

        is_input: `values` are the network's input.
        """
        places = self._places(values, transform.origin)
        if len(places) == 1:
            return self._tile_gradient(values, places[0], is_input=is_input, redirect=self._objective.is_of_channels)
        gradient, objectives = torch.empty_like(values), []
        for rows, columns in places:
            place = (rows, columns)
            of_tile, objective = self._tile_gradient(_cut(values, place), place, is_input=is_input, redirect=False)
            gradient[:, :, rows.first : rows.last, columns.first : columns.last] = of_tile[
                :, :, rows.first - rows.start : rows.last - rows.start,
                columns.first - columns.start : columns.last - columns.start,
            ]  # fmt: skip
            objectives.append(objective)
        return gradient, torch.stack(objectives).mean(dim=0)

    def _tile_gradient(self, tile: Tensor, place: Place, *, is_input: bool, redirect: bool) -> tuple[Tensor, Tensor]:
        """The gradient of the objective at a tile, and the objective. On a GPU a CUDA graph replays the work."""
        content = self._content_at(place)
        work = partial(self._network_gradient, is_input=is_input, redirect=redirect, content=content)
        kind = (type(self._parameterization), is_input, redirect, _corner(place) if content else None)
        return self._graphs.call(work, tile, *kind, reads=(self._parameterization, content))

    def _places(self, values: Tensor, origin: tuple[float, float]) -> list[Place]:
        """The tiles of values (N, 3, H, W)."""
        size = (values.shape[2], values.shape[3])
        if self.numerics.input_sizes.only is not None:
            return list(squares(size, self.numerics.input_sizes.only, origin))
        stride, margin = self.numerics.stride, tile_margin(self.numerics.stride)
        # A large batch would leave nothing but margin in its tiles.
        pixels = max(self.numerics.max_pixels // len(values), least_pixels(margin, stride))
        return list(tiles(size, pixels, margin, stride, origin))

    def _network_gradient(
        self, values: Tensor, *, is_input: bool, redirect: bool, content: Maps
    ) -> tuple[Tensor, Tensor]:
        """The gradient of the objective at `values`, or at the network's input, and the objective.

        redirect: channels that are silent in the whole image get a gradient, too; a tile does not know the whole image.
        The chain is cut at the taps, so that the objective is computed in `dtype` whatever the network's dtype. The
        gradient of a mean over a million activations is below the smallest float16: it is scaled through the network.
        """
        parameterization = self._network_input if is_input else self._parameterization
        needs_image, is_half = self._objective.needs("image"), self.numerics.network_dtype == torch.float16
        at = values.detach().requires_grad_()
        with torch.enable_grad():
            features = self._run_taps(parameterization.network_input(at))
            if redirect:
                for name in features.keys() - {LOGITS}:
                    redirect_relu_gradient(features[name])
            dtype = self.numerics.dtype
            cut = {name: a.detach().to(dtype if is_half else None).requires_grad_() for name, a in features.items()}
            image = parameterization.image(at) if needs_image else None
            objective = self._objective(Activations(cut, image, self._guide, content, dtype))
            ends = [*cut.values(), at] if needs_image else list(cut.values())
            found = torch.autograd.grad(objective.sum(), ends, allow_unused=True, materialize_grads=True)
        at_taps, at_image = found[: len(cut)], found[len(cut) :]
        if not features:
            return at_image[0], objective.detach()
        scale = _peak(at_taps) if is_half else None
        seeds = [g if scale is None else g / _like(scale, g) for g in at_taps]
        seeds = [g.to(self.numerics.network_dtype) for g in seeds]
        gradient = _vector_jacobian(list(features.values()), seeds, at)
        gradient = gradient if scale is None else gradient * scale.view(-1, 1, 1, 1)
        return gradient + at_image[0] if at_image else gradient, objective.detach()

    def measure(self, image: Tensor) -> Tensor:
        """The objective of images (N, 3, H, W) in [0, 1], not transformed: (N,)."""
        self._parameterization = self._pixels
        params = self._pixels.encode(image)
        self._set_content(params)
        return self._tiled_gradient(params, Transform((0, 0)))[1]

    def _set_content(self, params: Tensor) -> None:
        """Remember the undreamed image, where the objective compares with its feature maps."""
        if self._objective.needs("content"):
            parameterization = self._parameterization
            self._undreamed = parameterization.network_input(parameterization.values(params))
            self._compare_with(self._undreamed)

    def _compare_with(self, x: Tensor) -> None:
        self._compared = x
        self._content.clear()
        self._graphs.clear()

    def _content_at(self, place: Place) -> Maps:
        """The feature maps of a tile of the undreamed image; none where nothing compares with them."""
        if self._compared is None:
            return {}
        corner = _corner(place)
        if corner not in self._content:
            self._content[corner] = self._feature_maps(_cut(self._compared, place))
        return self._content[corner]

    def _feature_maps(self, x: Tensor) -> Maps:
        return {name: a.to(self.numerics.dtype) for name, a in self._run_taps(x).items() if name != LOGITS}

    def _run_taps(self, x: Tensor) -> Maps:
        x = self.numerics.input_sizes.fitted(x)
        return self.taps.run(x.to(self.numerics.network_dtype, memory_format=torch.channels_last))


def _corner(place: Place) -> tuple[int, int]:
    """The first row and column of a tile; all tiles of an image have one size."""
    rows, columns = place
    return rows.start, columns.start


def _cut(images: Tensor, place: Place) -> Tensor:
    """A tile of images (N, C, H, W)."""
    rows, columns = place
    tile = images[:, :, rows.start : rows.stop, columns.start : columns.stop]
    return tile.contiguous(memory_format=torch.channels_last)


def _peak(gradients: Sequence[Tensor]) -> Tensor:
    """The largest absolute value of each image's gradients (N, ...), and 1 where they are zero: (N,)."""
    peaks = torch.stack([g.abs().flatten(1).amax(dim=1) for g in gradients]).amax(dim=0)
    return torch.where(peaks > 0, peaks, 1.0)


def _like(values: Tensor, other: Tensor) -> Tensor:
    """`values` (N,) with as many dimensions as `other`."""
    return values.view(-1, *(1,) * (other.dim() - 1))


def _vector_jacobian(outputs: Sequence[Tensor], vectors: Sequence[Tensor], at: Tensor) -> Tensor:
    """torch.autograd.grad(outputs, at, vectors), which imports sympy to compare their shapes, in a second."""
    with torch.enable_grad():
        product = _Product.apply(vectors, *outputs)
    (gradient,) = torch.autograd.grad(product, at)
    return gradient


class _Product(torch.autograd.Function):
    """A scalar in place of the sum of <output, vector>, with the gradients of that sum; the sum is not computed."""

    @staticmethod
    def forward(ctx: Any, vectors: Sequence[Tensor], *outputs: Tensor) -> Tensor:
        ctx.vectors = vectors
        return outputs[0].new_zeros(())

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[Tensor | None, ...]:
        return None, *ctx.vectors
