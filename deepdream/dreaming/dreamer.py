"""Dreamer: the loop that joins taps, objective, gradient, octaves and canvas."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from deepdream.acceleration import CompiledTaps, accelerated_copy
from deepdream.dreaming.ascent import Ascent
from deepdream.dreaming.budget import chosen_max_pixels, margin
from deepdream.dreaming.canvas import Canvas
from deepdream.dreaming.composing import compose, written_out
from deepdream.dreaming.config import DreamConfig
from deepdream.dreaming.fourier import FourierCanvas
from deepdream.dreaming.gradients import PADDING
from deepdream.dreaming.objectives import LOGITS, Objective
from deepdream.dreaming.octaves import CARRIES, MIN_SIDE, SIZES, Size, check_sizes
from deepdream.dreaming.redirected_relu import may_be_silent, relus
from deepdream.dreaming.taps import Taps
from deepdream.dreaming.transforms import Shift, moves
from deepdream.hardware import best_device, best_dtype, repeatable_convolutions
from deepdream.models import Network
from deepdream.models.layers import choose_layers, evaluation_copy, probe


@dataclass(frozen=True)
class StepReport:
    """Where a dream stands after a step.

    octave, step: counted from 0, out of `octaves` and, in this octave, `steps`.
    size: height and width of this octave.
    objective: of each picture before the step: (N,) on the computing device. Reading it waits for the device. Of a
        picture in tiles it is the mean over the tiles.
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

    objective: in place of the one that `config` names: mean_square.at("layer3") + 0.5 * channel("layer4:1").
    The network is copied when the Dreamer is made and never changed; later changes to it do not count. Raises
    ValueError for a layer, channel or class that is not there and for a device that is not on this machine.
    """

    # Inference mode, in which Lightning validates, makes tensors that can never take part in a gradient.
    @torch.inference_mode(False)
    def __init__(self, network: Network, config: DreamConfig, *, objective: Objective | None = None) -> None:
        self.config = config
        self.device = best_device(config.device)
        self._network = dataclasses.replace(network, model=evaluation_copy(network.model))
        there = probe(self._network.model, network.image_size)
        if objective is None:
            self.objective = compose(config, network.classes, there)
        else:
            self.objective = written_out(objective.at(*config.layers), there)
        self._layers = choose_layers(self.objective.layers, there)
        dtype = best_dtype(config.precision, self.device)
        self.max_pixels = chosen_max_pixels(config.max_pixels, self.device, dtype, self._stride)
        self._ascents: dict[torch.dtype, Ascent] = {}

    @torch.inference_mode(False)
    @torch.no_grad()
    def __call__(
        self,
        image: Tensor,
        *,
        shifts: Iterable[Shift] | None = None,
        seed: int = 0,
        mask: Tensor | None = None,
        guide: Tensor | None = None,
        on_step: Callable[[StepReport], None] | None = None,
    ) -> Tensor:
        """The dream of `image`: of the same shape, dtype and device, in [0, 1].

        image: (3, H, W) or (N, 3, H, W), float, in [0, 1]. Each picture of a batch dreams as it would alone. float64
            is computed in float64; everything else in the precision of the config.
        shifts: (down, right) for each gradient step of the dream, octaves x steps of them, in place of the draw.
        seed: of all that is drawn; step i draws from (seed, i), whatever the device.
        mask: where to dream, 1 fully and 0 not at all: (H, W) or (N, H, W), of any size, in [0, 1].
        guide: the picture that the objectives guide and style follow: (3, h, w) in [0, 1].
        on_step: called with a StepReport after each step.

        Raises ValueError, before any step, for an image of another shape, type or range, for one that is too small
        for the octaves, for too few shifts, and for a guide that is missing or has nothing to guide.
        """
        config = self.config
        _check_image(image)
        sizes = self._sizes((image.shape[-2], image.shape[-1]))
        moving = moves(config, len(sizes) * config.steps, seed, shifts)
        self._check_guide(guide)

        ascent = self._ascent(torch.float64 if image.dtype == torch.float64 else torch.float32)
        picture = _batch(image, ascent.dtype, self.device)
        if config.tone < 1:
            picture = 0.5 + config.tone * (picture - 0.5)
        where = None if mask is None else _mask(mask, picture)
        carry = CARRIES[config.carry](picture, sizes)

        def render(canvas: Canvas, held: Tensor) -> Tensor:
            picture = canvas.decode(held)
            return picture.reshape(*image.shape[:-2], *picture.shape[-2:]).contiguous().to(image)

        with torch.autocast(self.device.type, enabled=False), repeatable_convolutions(), ascent.taps:
            if guide is not None:
                ascent.look_at_guide(_batch(guide, ascent.dtype, self.device))
            dreamed = picture
            for octave, size in enumerate(sizes):
                canvas = ascent.begin(carry.base(octave), None if where is None else _resize(where, size))
                held = self._start(carry.start(octave, dreamed), canvas, first=octave == 0, seed=seed)
                for step in range(config.steps):
                    held, objective = ascent.step(held, step, next(moving))
                    if on_step is not None:
                        shown = partial(render, canvas, held)
                        on_step(StepReport(octave, len(sizes), step, config.steps, size, objective, shown))
                dreamed = canvas.picture(canvas.view(held))
        return render(canvas, held)

    @torch.inference_mode(False)
    @torch.no_grad()
    def measure(self, image: Tensor, *, guide: Tensor | None = None) -> float:
        """The objective of a picture (3, H, W) as it is; of one in tiles, the mean over the tiles."""
        _check_image(image)
        self._check_guide(guide)
        ascent = self._ascent(torch.float64 if image.dtype == torch.float64 else torch.float32)
        picture = _batch(image, ascent.dtype, self.device)
        with torch.autocast(self.device.type, enabled=False), repeatable_convolutions(), ascent.taps:
            if guide is not None:
                ascent.look_at_guide(_batch(guide, ascent.dtype, self.device))
            return float(ascent.measure(picture).mean())

    @property
    def _stride(self) -> int:
        return max((layer.stride for layer in self._layers), default=1) or 32

    def _start(self, picture: Tensor, canvas: Canvas, *, first: bool, seed: int) -> Tensor:
        """What is held when an octave begins with `picture`."""
        if first and self.config.start == "noise" and isinstance(canvas, FourierCanvas):
            return canvas.noise(len(picture), seed)
        return canvas.encode(picture)

    def _sizes(self, size: Size) -> list[Size]:
        """The octaves of a picture of `size`. Raises ValueError where the smallest is too small."""
        config = self.config
        needs = [(1, "a picture")]
        if self._layers:
            deepest = max(self._layers, key=lambda layer: layer.stride)
            needs.append((deepest.stride, f"the deepest tap ({deepest.name})"))
        if config.carry == "picture":
            needs.append((MIN_SIDE, "an octave"))
        if config.smoothing == "cascade":
            needs.append((PADDING + 1, "the smoothing"))
        if config.pad:
            needs.append((2 * config.pad + 1, f"mirrored padding of {config.pad}"))
        for selection in self.objective.selections:
            if selection.position is not None:
                stride = next(layer.stride for layer in self._layers if layer.name == selection.layer)
                needs.append(((max(selection.position) + 1) * stride, f"the unit {selection}"))
        least, needed_by = max(needs, key=lambda need: need[0])
        check_sizes(size, config.octaves, config.octave_scale, config.carry, least=least, needed_by=needed_by)
        return SIZES[config.carry](size, config.octaves, config.octave_scale)

    def _check_guide(self, guide: Tensor | None) -> None:
        guided = self.objective.needs("guide")
        if guided and guide is None:
            raise ValueError("this dream follows a guide picture and has none; name it with guide=photo.jpg")
        if guide is not None:
            _check_image(guide)
            if not guided:
                raise ValueError("there is a guide, and no objective that follows it; take dream=guided or dream=style")

    def _ascent(self, dtype: torch.dtype) -> Ascent:
        """What steps in `dtype`, made at the first dream that needs it."""
        if dtype not in self._ascents:
            precise = dtype == torch.float64
            network_dtype = dtype if precise else best_dtype(self.config.precision, self.device)
            logits, wakes = self.objective.needs(LOGITS), may_be_silent(self.objective)
            keep = [layer.name for layer in self._layers]
            if wakes:
                keep += relus(self._network.model, self._layers)
            is_compiled = bool(self.config.compile and self._layers and not logits and not wakes)
            model = accelerated_copy(self._network.model, network_dtype, self.device, keep, for_compiler=is_compiled)
            names = [layer.name for layer in self._layers]
            self._ascents[dtype] = Ascent(
                self._network,
                CompiledTaps(model, names) if is_compiled else Taps(model, self._layers, logits=logits),
                self.objective,
                self.config,
                dtype,
                network_dtype,
                self.device,
                max_pixels=self.max_pixels,
                margin=margin(self._stride),
                stride=self._stride,
            )
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


def _mask(mask: Tensor, picture: Tensor) -> Tensor:
    """The mask as (N or 1, 1, H, W), like `picture` in size, number format and device."""
    if mask.dim() not in (2, 3) or mask.numel() == 0 or not mask.is_floating_point():
        raise ValueError(f"mask is {mask.dtype} {tuple(mask.shape)}; it must be float (H, W) or (N, H, W)")
    low, high = (float(value) for value in mask.aminmax())
    if not (low >= 0 and high <= 1):
        raise ValueError(f"mask lies in [{low:g}, {high:g}]; it must be in [0, 1]")
    batch = mask[None, None] if mask.dim() == 2 else mask[:, None]
    if len(batch) not in (1, len(picture)):
        raise ValueError(f"there are {len(batch)} masks for {len(picture)} pictures; give one, or one for each")
    return _resize(batch.detach().to(picture), (picture.shape[2], picture.shape[3]))


def _resize(x: Tensor, size: Size) -> Tensor:
    same = (x.shape[2], x.shape[3]) == size
    return x if same else F.interpolate(x, size, mode="bilinear", align_corners=False, antialias=True)
