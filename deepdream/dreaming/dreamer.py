"""Dreamer: the loop that joins taps, objective, gradient, octaves and canvas."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from deepdream.config import DreamConfig
from deepdream.dreaming.canvas import CANVASES, Canvas
from deepdream.dreaming.frozen import frozen_copy
from deepdream.dreaming.gradients import KERNEL_SIZE, NORMALIZATIONS, GaussianCascade
from deepdream.dreaming.objectives import OBJECTIVES
from deepdream.dreaming.octaves import CARRIES, MIN_SIDE, SIZES, Size, check_sizes
from deepdream.dreaming.taps import Layer, Taps, choose_layers, evaluation_copy, probe
from deepdream.hardware import best_device, best_dtype
from deepdream.models import Network

Shift = tuple[int, int]  # down, right


@dataclass(frozen=True)
class StepReport:
    """Where a dream stands after a step.

    octave, step: counted from 0, out of `octaves` and `steps` (of this octave).
    size: height and width of this octave.
    objective: of each picture, before the step: (N,) on the computing device. Reading it waits for the device.
    render: makes `picture`.
    """

    octave: int
    octaves: int
    step: int
    steps: int
    size: Size
    objective: Tensor
    render: Callable[[], Tensor]

    @property
    def picture(self) -> Tensor:
        """The picture after the step, at the octave's size: in [0, 1], in the image's dtype, on its device; made at each reading."""
        return self.render()


class Dreamer:
    """Dreams pictures with `network` as `config` says. Source: see the presets in conf/dream.

    The network is copied when the Dreamer is made and never changed; later changes to it do not count. Raises
    ValueError for a layer that is not there and for a device that is not on this machine.

    dreamer = Dreamer(load_network("best.ckpt"), DreamConfig.preset("gordic", layers=["layer4"]))
    dream = dreamer(image)
    """

    # Lightning validates in inference mode, whose tensors can never take part in a gradient.
    @torch.inference_mode(False)
    def __init__(self, network: Network, config: DreamConfig) -> None:
        self.config = config
        self.device = best_device(config.device)
        self._mean, self._std = network.mean, network.std
        self._model = evaluation_copy(network.model)
        self._layers = choose_layers(config.layers, probe(self._model, network.image_size))
        self._ascents: dict[torch.dtype, _Ascent] = {}

    @torch.inference_mode(False)
    @torch.no_grad()
    def __call__(
        self,
        image: Tensor,
        *,
        shifts: Iterable[Shift] | None = None,
        seed: int = 0,
        on_step: Callable[[StepReport], None] | None = None,
    ) -> Tensor:
        """The dream of `image`: the same shape, dtype and device, in [0, 1].

        image: (3, H, W) or (N, 3, H, W), float, in [0, 1]. Each picture of a batch dreams as it would alone. float64
            is computed in float64; everything else in the precision of the config.
        shifts: (down, right) for each gradient step of the dream, octaves x steps of them, in place of the draw.
        seed: of the draw of the shifts; step i draws from (seed, i), whatever the device.
        on_step: called with a StepReport after each step.

        Raises ValueError, before any step, for an image of another shape, type or range, for one that is too small
        for the octaves, and for too few shifts.
        """
        config = self.config
        _check_image(image)
        sizes = self._sizes((image.shape[-2], image.shape[-1]))
        steps = len(sizes) * config.steps
        queue = iter(_given_shifts(shifts, steps) if shifts is not None else _drawn_shifts(config.jitter, seed))

        ascent = self._ascent(torch.float64 if image.dtype == torch.float64 else torch.float32)
        canvas = ascent.canvas
        held = canvas.encode(_batch(image, ascent.dtype, self.device))
        carry = CARRIES[config.carry](held, sizes)

        def render(held: Tensor) -> Tensor:
            return canvas.decode(held).reshape(*image.shape[:-2], *held.shape[-2:]).to(image)

        with torch.autocast(self.device.type, enabled=False), Taps(ascent.model, self._layers) as taps:
            for octave, size in enumerate(sizes):
                held = carry.start(octave, held)
                for step in range(config.steps):
                    held, objective = ascent.step(taps, held, step, next(queue))
                    if on_step is not None:
                        on_step(
                            StepReport(
                                octave, len(sizes), step, config.steps, size, objective, lambda held=held: render(held)
                            )
                        )
        return render(held)

    def _sizes(self, size: Size) -> list[Size]:
        """The octaves of a picture of `size`. Raises ValueError where they are too small."""
        config = self.config
        deepest = max(self._layers, key=lambda layer: layer.stride)
        needs = [(deepest.stride, f"the deepest tap ({deepest.name})")]
        if config.carry == "picture":
            needs.append((MIN_SIDE, "each octave"))
        if config.smoothing == "cascade":
            needs.append((KERNEL_SIZE // 2 + 1, "the smoothing"))
        least, needed_by = max(needs, key=lambda need: need[0])
        check_sizes(size, config.octaves, config.octave_scale, config.carry, least=least, needed_by=needed_by)
        return SIZES[config.carry](size, config.octaves, config.octave_scale)

    def _ascent(self, dtype: torch.dtype) -> _Ascent:
        if dtype not in self._ascents:
            low = dtype if dtype == torch.float64 else best_dtype(self.config.precision, self.device)
            model = frozen_copy(self._model, low, self.device, keep=[layer.name for layer in self._layers])
            canvas = CANVASES[self.config.space](self._mean, self._std, dtype, self.device)
            self._ascents[dtype] = _Ascent(self.config, model, canvas, dtype, low, self.device)
        return self._ascents[dtype]
