"""One step of a dream: move the picture, ask the network for the gradient, prepare it, go along it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from deepdream.acceleration import CompiledTaps, GraphCache
from deepdream.dreaming.canvas import CANVASES, Canvas, NormalizedCanvas, PixelCanvas, PlainCanvas
from deepdream.dreaming.config import DreamConfig
from deepdream.dreaming.fourier import FourierCanvas, PhaseCanvas
from deepdream.dreaming.gradients import normalization, smoothing
from deepdream.dreaming.objectives import LOGITS, Objective, Seen
from deepdream.dreaming.octaves import Size
from deepdream.dreaming.optimizers import STEPPERS, Stepper
from deepdream.dreaming.preservation import Anchor, weaken_color
from deepdream.dreaming.redirected_relu import may_be_silent, wake
from deepdream.dreaming.taps import Taps
from deepdream.dreaming.tiles import least_pixels, tiles
from deepdream.dreaming.transforms import Frame, Move, is_warped, warp
from deepdream.models import Network

Maps = Mapping[str, Tensor]


class Ascent:
    """Everything that a step needs, in one number format.

    The picture, the objective and what is done to the gradient are in `dtype` (float32 or float64); the network
    computes in `network_dtype`. Tiles show at most `max_pixels`, with `margin` pixels of surroundings, and begin at
    multiples of `stride`.
    """

    def __init__(
        self,
        network: Network,
        taps: Taps | CompiledTaps,
        objective: Objective,
        config: DreamConfig,
        dtype: torch.dtype,
        network_dtype: torch.dtype,
        device: torch.device,
        *,
        max_pixels: int,
        margin: int,
        stride: int,
    ) -> None:
        self.taps = taps
        self.dtype = dtype
        self._network = network
        self._network_dtype = network_dtype
        self._device = device
        self._objective = objective
        self._config = config
        self._smooth = smoothing(config, dtype, device)
        self._normalize = normalization(config)
        self._wakes = may_be_silent(objective)
        self._max_pixels, self._margin, self._stride = max_pixels, margin, stride
        self._guide: Maps = {}
        self._content: Maps = {}
        self._canvas: Canvas | None = None
        self._anchor: Anchor | None = None
        self._mask: Tensor | None = None
        self._stepper: Stepper = STEPPERS[config.optimizer](config.step_size)
        self._graphs = GraphCache(device)
        # What the network is given, where it is not the canvas that says so.
        self._normalized = NormalizedCanvas(network.mean, network.std, dtype, device)

    @property
    def canvas(self) -> Canvas:
        """The canvas of the octave that has begun."""
        assert self._canvas is not None
        return self._canvas

    def look_at_guide(self, guide: Tensor) -> None:
        """Keep the feature maps of the guide picture (1, 3, H, W) in [0, 1]."""
        canvas = PixelCanvas(self._network.mean, self._network.std, self.dtype, self._device)
        self._guide = self._maps(canvas.network_input(canvas.encode(guide)))
        self._graphs.clear()

    def begin(self, base: Tensor, mask: Tensor | None) -> Canvas:
        """Begin an octave: `base` is the undreamed picture at its size, (N, 3, H, W) in [0, 1]; mask: (N, 1, H, W)."""
        canvas = self._canvas = self._make_canvas((base.shape[2], base.shape[3]))
        config = self._config
        held = canvas.encode(base)
        self._stepper = STEPPERS[config.optimizer](config.step_size)
        self._mask = mask
        self._anchor = None
        if config.keep > 0:
            self._anchor = Anchor(held, canvas.per_unit, keep=config.keep, band=config.band)
        self._look_at_content(held)
        return canvas

    def measure(self, picture: Tensor) -> Tensor:
        """The objective of pictures (N, 3, H, W) in [0, 1], unmoved: (N,)."""
        canvas = self._canvas = PixelCanvas(self._network.mean, self._network.std, self.dtype, self._device)
        view = canvas.encode(picture)
        self._look_at_content(view)
        return self._tiled(view, Move((0, 0)))[1]

    def step(self, held: Tensor, step: int, move: Move) -> tuple[Tensor, Tensor]:
        """What is held after one step from `held`, and the objective before it, (N,).

        step: counted from 0 within the octave.
        """
        moved, objective = self._stepper(held, lambda at: self._slope(at, step, move))
        moved = self.canvas.clamp(moved)
        if self._anchor is not None:
            moved = self.canvas.clamp(self._anchor(moved))
        return moved, objective

    def _slope(self, held: Tensor, step: int, move: Move) -> tuple[Tensor, Tensor]:
        """The prepared gradient at `held`, and the objective."""
        at = held.detach()
        is_pixels = isinstance(self.canvas, PlainCanvas)
        with torch.enable_grad():
            view = at if is_pixels else self.canvas.view(at.requires_grad_())
        frame = Frame(move, self._config.pad)
        gradient, objective = self._gradient(frame.enter(view.detach()), move)
        gradient = self._normalize(self._smooth(frame.crop(gradient), step))
        if self._config.color < 1:
            gradient = weaken_color(gradient, self.canvas.per_unit, self._config.color)
        gradient = frame.leave(gradient)
        if self._mask is not None:
            gradient = gradient * self._mask
        if not is_pixels:
            (gradient,) = torch.autograd.grad(view, at, gradient)
        return gradient, objective

    def _gradient(self, view: Tensor, move: Move) -> tuple[Tensor, Tensor]:
        """The gradient of the objective at a framed view (N, 3, H, W), and the objective, in tiles where need be."""
        config = self._config
        if not is_warped(config):
            return self._tiled(view, move)
        at = view.detach().requires_grad_()
        with torch.enable_grad():
            seen = warp(self.canvas.network_input(at), move, config, self._network.image_size)
        gradient, objective = self._tiled(seen.detach(), move, is_input=True)
        (gradient,) = torch.autograd.grad(seen, at, gradient)
        return gradient, objective.view(len(view), -1).mean(dim=1)

    def _tiled(self, view: Tensor, move: Move, *, is_input: bool = False) -> tuple[Tensor, Tensor]:
        # Of a large batch the tiles would be nothing but surroundings.
        pixels = max(self._max_pixels // len(view), least_pixels(self._margin, self._stride))
        size = (view.shape[2], view.shape[3])
        places = list(tiles(size, pixels, self._margin, self._stride, move.origin))
        if len(places) == 1:
            return self._found(view, is_input=is_input, wakes=self._wakes)
        gradient, objectives = torch.empty_like(view), []
        for rows, columns in places:
            part = view[:, :, rows.start : rows.stop, columns.start : columns.stop]
            part = part.contiguous(memory_format=torch.channels_last)
            found, objective = self._found(part, is_input=is_input, wakes=False)
            gradient[:, :, rows.first : rows.last, columns.first : columns.last] = found[
                :, :, rows.first - rows.start : rows.last - rows.start,
                columns.first - columns.start : columns.last - columns.start,
            ]  # fmt: skip
            objectives.append(objective)
        return gradient, torch.stack(objectives).mean(dim=0)

    def _found(self, view: Tensor, *, is_input: bool, wakes: bool) -> tuple[Tensor, Tensor]:
        work = partial(self._whole, is_input=is_input, wakes=wakes)
        return self._graphs.call(work, view, type(self.canvas), is_input, wakes, reads=self.canvas)

    def _whole(self, view: Tensor, *, is_input: bool, wakes: bool) -> tuple[Tensor, Tensor]:
        """The gradient at a view, or at an input of the network, and the objective.

        wakes: silent channels too have a gradient; not in a tile, which does not know of the rest of the picture.
        The chain is cut at the taps, so that the objective is summed in `dtype` whatever the network computes in. The
        gradient of a mean over a million activations lies below what float16 can hold: it is scaled on its way there.
        """
        canvas = self.canvas
        is_half = self._network_dtype == torch.float16
        at = view.detach().requires_grad_()
        needs_picture = self._objective.needs("picture")
        with torch.enable_grad():
            x = at if is_input else canvas.network_input(at)
            features = self.taps.run(x.to(self._network_dtype, memory_format=torch.channels_last))
            if wakes:
                for name in features.keys() - {LOGITS}:
                    wake(features[name])
            cut = {
                name: a.detach().to(self.dtype if is_half else None).requires_grad_() for name, a in features.items()
            }
            picture = (self._normalized if is_input else canvas).picture(at) if needs_picture else None
            objective = self._objective(Seen(cut, picture, self._guide, self._content, self.dtype))
            ends = [*cut.values(), at] if needs_picture else list(cut.values())
            found = torch.autograd.grad(objective.sum(), ends, allow_unused=True, materialize_grads=True)
        at_taps, own = found[: len(cut)], found[len(cut) :]
        if not features:
            return own[0], objective.detach()
        scale = _peak(at_taps) if is_half else None
        seeds = [(g if scale is None else g / _like(scale, g)).to(self._network_dtype) for g in at_taps]
        (gradient,) = torch.autograd.grad(list(features.values()), at, seeds)
        gradient = gradient if scale is None else gradient * scale.view(-1, 1, 1, 1)
        return gradient + own[0] if own else gradient, objective.detach()

    def _look_at_content(self, held: Tensor) -> None:
        """Keep the feature maps of the photo that is held, where the objective compares with them."""
        if self._objective.needs("content"):
            self._content = self._maps(self.canvas.network_input(self.canvas.view(held)))
            self._graphs.clear()

    def _maps(self, x: Tensor) -> Maps:
        features = self.taps.run(x.to(self._network_dtype, memory_format=torch.channels_last))
        return {name: a.to(self.dtype) for name, a in features.items() if name != LOGITS}

    def _make_canvas(self, size: Size) -> Canvas:
        network, config = self._network, self._config
        if config.space in CANVASES:
            return CANVASES[config.space](network.mean, network.std, self.dtype, self._device)
        kind = FourierCanvas if config.space == "fourier" else PhaseCanvas
        return kind(network.mean, network.std, self.dtype, self._device, size, config.decay)


def _peak(gradients: Sequence[Tensor]) -> Tensor:
    """The largest absolute value of each picture's gradients (N, ...), and 1 where they are zero: (N,)."""
    peaks = torch.stack([g.abs().flatten(1).amax(dim=1) for g in gradients]).amax(dim=0)
    return torch.where(peaks > 0, peaks, 1.0)


def _like(values: Tensor, other: Tensor) -> Tensor:
    """`values` (N,) with as many dimensions as `other`."""
    return values.view(-1, *(1,) * (other.dim() - 1))
