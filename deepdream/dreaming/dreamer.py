"""Dreamer: the loop that joins taps, objective, gradient, octaves and canvas."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from deepdream.config import DreamConfig
from deepdream.dreaming.ascent import Ascent, Shift
from deepdream.dreaming.gradients import PADDING
from deepdream.dreaming.octaves import CARRIES, MIN_SIDE, SIZES, Size, check_sizes
from deepdream.dreaming.taps import choose_layers, evaluation_copy, probe
from deepdream.hardware import best_device, best_dtype
from deepdream.models import Network


@dataclass(frozen=True)
class StepReport:
    """Where a dream stands after a step.

    octave, step: counted from 0, out of `octaves` and, in this octave, `steps`.
    size: height and width of this octave.
    objective: of each picture before the step: (N,) on the computing device. Reading it waits for the device.
    render: makes the picture; see `picture`.
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
        """The picture after the step, made when asked for: as the dream will be returned, but of this octave's size."""
        return self.render()


class Dreamer:
    """Dreams pictures with `network` as `config` says.

    dreamer = Dreamer(load_network("best.ckpt"), DreamConfig.preset("gordic", layers=["layer4"]))
    dream = dreamer(image)

    The network is copied when the Dreamer is made and never changed; later changes to it do not count. Raises
    ValueError for a layer that is not there and for a device that is not on this machine.
    """

    # Inference mode, in which Lightning validates, makes tensors that can never take part in a gradient.
    @torch.inference_mode(False)
    def __init__(self, network: Network, config: DreamConfig) -> None:
        self.config = config
        self.device = best_device(config.device)
        self._network = dataclasses.replace(network, model=evaluation_copy(network.model))
        self._layers = choose_layers(config.layers, probe(self._network.model, network.image_size))
        self._ascents: dict[torch.dtype, Ascent] = {}

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
        """The dream of `image`: of the same shape, dtype and device, in [0, 1].

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
        moves = iter(_shifts(shifts, len(sizes) * config.steps, config.jitter, seed))

        ascent = self._ascent(torch.float64 if image.dtype == torch.float64 else torch.float32)
        held = ascent.canvas.encode(_batch(image, ascent.dtype, self.device))
        carry = CARRIES[config.carry](held, sizes)

        def render(held: Tensor) -> Tensor:
            picture = ascent.canvas.decode(held)
            return picture.reshape(*image.shape[:-2], *picture.shape[-2:]).contiguous().to(image)

        with torch.autocast(self.device.type, enabled=False), ascent.taps:
            for octave, size in enumerate(sizes):
                held = carry.start(octave, held)
                for step in range(config.steps):
                    held, objective = ascent.step(held, step, next(moves))
                    if on_step is not None:
                        picture = partial(render, held)
                        on_step(StepReport(octave, len(sizes), step, config.steps, size, objective, picture))
        return render(held)

    def _sizes(self, size: Size) -> list[Size]:
        """The octaves of a picture of `size`. Raises ValueError where the smallest is too small."""
        config = self.config
        deepest = max(self._layers, key=lambda layer: layer.stride)
        needs = [(deepest.stride, f"the deepest tap ({deepest.name})")]
        if config.carry == "picture":
            needs.append((MIN_SIDE, "an octave"))
        if config.smoothing == "cascade":
            needs.append((PADDING + 1, "the smoothing"))
        least, needed_by = max(needs, key=lambda need: need[0])
        check_sizes(size, config.octaves, config.octave_scale, config.carry, least=least, needed_by=needed_by)
        return SIZES[config.carry](size, config.octaves, config.octave_scale)

    def _ascent(self, dtype: torch.dtype) -> Ascent:
        """What steps in `dtype`, made at the first dream that needs it."""
        if dtype not in self._ascents:
            precise = dtype == torch.float64
            network_dtype = dtype if precise else best_dtype(self.config.precision, self.device)
            self._ascents[dtype] = Ascent(self._network, self._layers, self.config, dtype, network_dtype, self.device)
        return self._ascents[dtype]


def _check_image(image: Tensor) -> None:
    if image.dim() not in (3, 4) or image.shape[-3] != 3 or image.numel() == 0:
        raise ValueError(f"image has shape {tuple(image.shape)}; it must be (3, H, W) or (N, 3, H, W)")
    if not image.is_floating_point():
        raise ValueError(f"image is {image.dtype}; it must be float, in [0, 1]")
    low, high = (float(value) for value in image.aminmax())
    if not (low >= 0 and high <= 1):
        raise ValueError(f"image lies in [{low:g}, {high:g}]; it must be in [0, 1]")


def _batch(image: Tensor, dtype: torch.dtype, device: torch.device) -> Tensor:
    """`image` as (N, 3, H, W), channels last: the first convolution and the smoothing are fastest on it."""
    batch = image if image.dim() == 4 else image[None]
    return batch.detach().to(device, dtype).contiguous(memory_format=torch.channels_last)


def _shifts(given: Iterable[Shift] | None, count: int, jitter: int, seed: int) -> list[Shift]:
    """By how much the picture is rolled at each of `count` steps."""
    if given is None:
        return [_draw(jitter, seed, step) for step in range(count)]
    shifts = [(int(down), int(right)) for down, right in itertools.islice(given, count)]
    if len(shifts) < count:
        raise ValueError(f"there are {len(shifts)} shifts; the dream has {count} steps and needs one for each")
    return shifts


def _draw(jitter: int, seed: int, step: int) -> Shift:
    down, right = np.random.default_rng((seed, step)).integers(-jitter, jitter, size=2, endpoint=True)
    return int(down), int(right)
