"""Dreamer: dreams images octave by octave; the steps of an octave are those of `ascent`."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from deepdream.acceleration import CompiledTaps, accelerated_copy
from deepdream.dreaming.ascent import Ascent, Numerics
from deepdream.dreaming.config import OCTAVE_MODES, DreamConfig
from deepdream.dreaming.gradients import PADDING
from deepdream.dreaming.objectives import BATCH, Objective, build_objective, resolve_layers
from deepdream.dreaming.octaves import OctaveMode, Size, check_sizes
from deepdream.dreaming.parameterization import Parameterization
from deepdream.dreaming.preservation import checked_mask
from deepdream.dreaming.redirected_relu import relus
from deepdream.dreaming.tiles import chosen_max_pixels
from deepdream.dreaming.transforms import Shift, sample_transforms
from deepdream.hardware import best_device, best_dtype, repeatable_convolutions
from deepdream.models import Network
from deepdream.models.layers import choose_layers
from deepdream.models.probing import evaluation_copy, probe
from deepdream.models.taps import LOGITS, Taps


@dataclass(frozen=True)
class StepReport:
    """The state of a dream after a step.

    octave, step: counted from 0, out of `octaves` and, in this octave, `steps`.
    size: height and width of this octave.
    done: the share of the work that is done, in (0, 1]: of the pixels of all steps.
    objective: of each image before the step: (N,) on the computing device; reading it waits for the device. For an
        image in tiles it is the mean over the tiles.
    gradient: that the step followed, at the image: (N, 3, H, W), smoothed and normalised as configured.
    decode: computes `image`.
    """

    octave: int
    octaves: int
    step: int
    steps: int
    size: Size
    done: float
    objective: Tensor
    gradient: Tensor
    decode: Callable[[], Tensor]

    @property
    def image(self) -> Tensor:
        """The image after the step, computed when read: as the dream is returned, in this octave's size."""
        return self.decode()


class Dreamer:
    """Dreams images with `network` and the settings `config`.

    dreamer = Dreamer(load_network("best.ckpt"), DreamConfig.preset("gordic", layers=["layer4"]))
    dream = dreamer(image)

    objective: in place of the one that `config` names: mean_square.at("layer3") + 0.5 * channel("layer4:1").
    device: auto, cpu, cuda or mps. precision: auto, fp32, bf16 or fp16. compile: use torch.compile. max_pixels: of a
    tile; None fits the device's memory.

    config: its layers that depend on the network ("75%", "relu4_3|layer3") are then named in `Dreamer.config`.

    The network is copied when the Dreamer is made and never changed; later changes to it have no effect. Raises
    ValueError for a layer, channel or class that the network lacks and for a device that this machine lacks.
    """

    # Lightning validates in inference mode, whose tensors can never take part in a gradient.
    @torch.inference_mode(False)
    def __init__(
        self,
        network: Network,
        config: DreamConfig,
        *,
        objective: Objective | None = None,
        device: str = "auto",
        precision: str = "auto",
        compile: bool = False,
        max_pixels: int | None = None,
    ) -> None:
        self.device = best_device(device)
        self._network_dtype = best_dtype(precision, self.device)
        self._compile = compile
        self._asked_max_pixels = max_pixels
        self._copies = NetworkCopies(network, self.device)
        self._configure(config, objective)

    def _configure(self, config: DreamConfig, objective: Objective | None) -> None:
        network, layers = self._copies.network, self._copies.layers
        self.config, self._given_objective = resolve_layers(config, layers), objective
        if objective is None:
            self.objective = build_objective(self.config, network, layers)
        else:
            self.objective = objective.at(*self.config.layers).expanded(layers)
        self._layers = choose_layers(self.objective.layers, layers)
        self._stride = max((layer.stride for layer in self._layers), default=1) or 32
        self.input_sizes = self._copies.input_sizes
        self.max_pixels = chosen_max_pixels(self._asked_max_pixels, self.device, self._network_dtype, self._stride)
        self._ascents: dict[torch.dtype, Ascent] = {}
        names = [layer.name for layer in self._layers]
        self._copies.keep(names + (relus(network.model, self._layers) if self.objective.is_of_channels else []))

    @torch.inference_mode(False)
    def with_objective(self, objective: Objective) -> Dreamer:
        """A Dreamer with another objective, which shares this one's copies of the network."""
        return self._variant(self.config, objective)

    @torch.inference_mode(False)
    def with_config(self, config: DreamConfig) -> Dreamer:
        """A Dreamer with other settings, which shares this one's copies of the network."""
        return self._variant(config, self._given_objective)

    @torch.inference_mode(False)
    def with_network(self, network: Network) -> Dreamer:
        """A Dreamer with the same settings for another network."""
        other = copy.copy(self)
        other._copies = NetworkCopies(network, self.device)
        other._configure(self.config, self._given_objective)
        return other

    def _variant(self, config: DreamConfig, objective: Objective | None) -> Dreamer:
        other = copy.copy(self)
        other._configure(config, objective)
        return other

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

        image: (3, H, W) or (N, 3, H, W), float, in [0, 1]. Each image of a batch dreams as it would alone, except for
            the objective diversity. float64 is computed in float64; everything else in the Dreamer's precision.
        shifts: (down, right) for each gradient step, octaves x steps of them, in place of the sampled ones.
        seed: of all random numbers; step i uses (seed, i), on every device.
        mask: opacity of the dream, 1 fully and 0 not at all: (H, W) or (N, H, W), of any size, in [0, 1]. Where it is
            0 the image is returned unchanged.
        guide: the image that the objectives guide, style and sorted_match follow, or several of one size: (3, h, w) or
            (M, 3, h, w) in [0, 1].
        on_step: called with a StepReport after each step.

        Raises ValueError, before any step, for an image of another shape, type or range, for one that is too small
        for the octaves, for too few shifts, for a guide that is missing or unused, and for a single image where the
        objective compares images.
        """
        config = self.config
        _check_image(image)
        sizes = self._octave_sizes((image.shape[-2], image.shape[-1]))
        transforms = sample_transforms(config, len(sizes) * config.steps, seed, shifts)
        self._check_objective(1 if image.dim() == 3 else len(image), guide)

        ascent = self._ascent(torch.float64 if image.dtype == torch.float64 else torch.float32)
        undreamed = _batch(image, ascent.numerics.dtype, self.device)
        masked = None if mask is None else checked_mask(mask, undreamed)
        if config.contrast < 1:
            undreamed = 0.5 + config.contrast * (undreamed - 0.5)
        octaves: OctaveMode = OCTAVE_MODES[config.octave_mode](undreamed, sizes)
        pixels = [height * width for height, width in sizes]

        def finished(parameterization: Parameterization, params: Tensor) -> Tensor:
            dream = parameterization.decode(params)
            if masked is not None:
                dream = masked.composite(dream)
            return dream.reshape(*image.shape[:-2], *dream.shape[-2:]).contiguous().to(image)

        def report(
            octave: int, step: int, parameterization: Parameterization, params: Tensor, objective: Tensor
        ) -> StepReport:
            done = (sum(pixels[:octave]) + pixels[octave] * (step + 1) / config.steps) / sum(pixels)
            decode, gradient = partial(finished, parameterization, params), ascent.gradient
            assert gradient is not None
            return StepReport(octave, len(sizes), step, config.steps, sizes[octave], done, objective, gradient, decode)

        with torch.autocast(self.device.type, enabled=False), repeatable_convolutions(), ascent.taps:
            if guide is not None:
                ascent.set_guide(_batch(guide, ascent.numerics.dtype, self.device))
            dreamed = undreamed
            for octave, size in enumerate(sizes):
                base, start = octaves.base(octave), octaves.start(octave, dreamed)
                if masked is not None:
                    masked.set_size(size)
                    start = masked.protect(start, base)
                parameterization = ascent.begin_octave(base, masked)
                if config.init == "noise" and octave == 0:
                    params = parameterization.noise(len(start), seed)
                else:
                    params = parameterization.encode(start)
                del base, start  # a panorama is bound by memory
                for step in range(config.steps):
                    params, objective = ascent.step(params, step, next(transforms))
                    if on_step is not None:
                        on_step(report(octave, step, parameterization, params, objective))
                if octave + 1 < len(sizes):
                    dreamed = parameterization.image(parameterization.values(params))
        return finished(parameterization, params)

    @torch.inference_mode(False)
    @torch.no_grad()
    def measure(self, image: Tensor, *, guide: Tensor | None = None) -> float:
        """The objective of an image (3, H, W), not transformed; of one in tiles, the mean over the tiles."""
        _check_image(image)
        self._check_objective(1 if image.dim() == 3 else len(image), guide)
        ascent = self._ascent(torch.float64 if image.dtype == torch.float64 else torch.float32)
        dtype = ascent.numerics.dtype
        with torch.autocast(self.device.type, enabled=False), repeatable_convolutions(), ascent.taps:
            if guide is not None:
                ascent.set_guide(_batch(guide, dtype, self.device))
            return float(ascent.measure(_batch(image, dtype, self.device)).mean())

    def _octave_sizes(self, size: Size) -> list[Size]:
        """The octaves of an image of `size`. Raises ValueError where the smallest is too small."""
        config, mode = self.config, OCTAVE_MODES[self.config.octave_mode]
        needs = [(1, "an image"), (mode.least_side, "an octave")]
        if self._layers:
            deepest = max(self._layers, key=lambda layer: layer.stride)
            needs.append((deepest.stride, f"the deepest tap ({deepest.name})"))
        if config.smoothing == "cascade":
            needs.append((PADDING + 1, "the smoothing"))
        if config.pad:
            needs.append((2 * config.pad + 1, f"mirrored padding of {config.pad}"))
        for selection in self.objective.selections:
            if selection.position is not None:
                stride = next(layer.stride for layer in self._layers if layer.name == selection.layer)
                needs.append(((max(selection.position) + 1) * stride, f"the unit {selection}"))
        least, needed_by = max(needs, key=lambda need: need[0])
        check_sizes(size, config.octaves, config.octave_scale, config.octave_mode, least=least, needed_by=needed_by)
        sizes: list[Size] = mode.sizes(size, config.octaves, config.octave_scale)
        return sizes

    def _check_objective(self, images: int, guide: Tensor | None) -> None:
        """Raises ValueError for a guide that is missing or unused, and for one image where images are compared."""
        guided = self.objective.needs("guide")
        if guided and guide is None:
            raise ValueError("this dream follows a guide image and has none; name it with guide=photo.jpg")
        if guide is not None:
            _check_image(guide)
            if not guided:
                raise ValueError("there is a guide, and no objective that follows it; take dream=guided or dream=style")
        if images == 1 and self.objective.needs(BATCH):
            raise ValueError(
                "the objective diversity compares the images of a batch, and this is a single one; "
                "dream a folder of images of one size (image=FOLDER)"
            )

    def _ascent(self, dtype: torch.dtype) -> Ascent:
        """The Ascent in `dtype`, made at the first dream that needs it. Raises ValueError for float64 on MPS."""
        if dtype == torch.float64 and self.device.type == "mps":
            raise ValueError("the image is float64, which mps lacks; give it as float32, or dream with device=cpu")
        if dtype not in self._ascents:
            network_dtype = dtype if dtype == torch.float64 else self._network_dtype
            logits = self.objective.needs(LOGITS)
            is_compiled = bool(self._compile and self._layers and not logits and not self.objective.is_of_channels)
            model = self._copies.fast(network_dtype, for_compiler=is_compiled)
            readers = {layer.name: layer.as_map for layer in self._layers}
            self._ascents[dtype] = Ascent(
                self._copies.network,
                CompiledTaps(model, readers) if is_compiled else Taps(model, self._layers, logits=logits),
                self.objective,
                self.config,
                Numerics(dtype, network_dtype, self.device, self.max_pixels, self._stride, self.input_sizes),
            )
        return self._ascents[dtype]


class NetworkCopies:
    """A private copy of a network with its layers, and fast copies of that: one for each number format.

    Shared by Dreamers, so that a network is copied, probed, folded and fused once.
    """

    def __init__(self, network: Network, device: torch.device) -> None:
        self.network = dataclasses.replace(network, model=evaluation_copy(network.model))
        found = probe(self.network.model, network.image_size)
        self.layers, self.input_sizes = found.layers, found.input_sizes
        self._device = device
        self._kept: set[str] = set()
        self._fast: dict[tuple[torch.dtype, bool], nn.Module] = {}

    def keep(self, names: Collection[str]) -> None:
        """Let the outputs of the modules called `names` stay readable in the fast copies."""
        if not self._kept.issuperset(names):
            self._kept.update(names)
            self._fast.clear()

    def fast(self, dtype: torch.dtype, *, for_compiler: bool = False) -> nn.Module:
        """The copy that computes in `dtype`."""
        key = (dtype, for_compiler)
        if key not in self._fast:
            self._fast[key] = accelerated_copy(
                self.network.model, dtype, self._device, sorted(self._kept), for_compiler=for_compiler
            )
        return self._fast[key]


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
