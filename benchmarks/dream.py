"""How much faster the Dreamer is than a plain dream: `python benchmarks/dream.py [--quick]`.

The plain dream below follows pytorch-deepdream: the whole network in float32, with its batch norms, up to its last
stage; three Gaussians, computed at each step. Both dream the same image with the same shifts: preset gordic, ResNet-50,
600x400, 4 octaves. They take turns, and the median of the ratios of neighbours is reported, so that other load on the
machine affects both. On a busy machine OMP_NUM_THREADS=1 gives steadier ratios: two threads on one free core wait for
each other.

share_of_bare_convolutions is the time of exactly the convolutions that the dream needs, forward and backward to their
inputs, over that of the dream: all octaves and steps, each convolution in its fastest memory format, nothing between.

The large image (3840x2160, layer4) is dreamed in a process of its own, to measure its peak memory; the cost per pixel
of a step is compared with that at 600x400. On a machine with a GPU everything runs there, and eight images at once are
compared with one at a time.
"""

from __future__ import annotations

import argparse
import copy
import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from deepdream.hardware import best_device, best_dtype, let_pages_be_large, let_threads_sleep

let_threads_sleep()  # as the commands do
let_pages_be_large()

import numpy as np
import torch
import torch.nn.functional as F
from measuring import MEAN, STD, random_network, seconds
from torch import Tensor, nn

from deepdream.acceleration import WARM_UP_CALLS
from deepdream.acceleration.frozen import BlockedConv2d
from deepdream.dreaming import DreamConfig, Dreamer
from deepdream.models import Network

HEIGHT, WIDTH, OCTAVES = 400, 600, 4
LAYERS = ("layer1", "layer3", "layer4")


def plain_dream(
    model: nn.Module, layer: str, image: Tensor, shifts: list[tuple[int, int]], steps: int, octaves: int = OCTAVES
) -> Tensor:
    """The dream of pytorch-deepdream of an image (1, 3, H, W) in [0, 1]."""
    mean, std = (torch.tensor(v, device=image.device).view(1, 3, 1, 1) for v in (MEAN, STD))
    low, high = -mean / std, (1 - mean) / std
    queue = iter(shifts)
    x = (image - mean) / std
    for level in range(octaves):
        size = [int(side) for side in np.round(np.float32([HEIGHT, WIDTH]) * 1.8 ** (level - octaves + 1))]
        x = F.interpolate(x, size, mode="bilinear")
        for step in range(steps):
            down, right = next(queue)
            x = torch.roll(x, (down, right), (2, 3)).requires_grad_()
            activation = _forward(model, x)[layer]
            F.mse_loss(activation, torch.zeros_like(activation)).backward()
            gradient = _smooth(x.grad, (step + 1) / steps * 2 + 0.5)
            gradient = (gradient - gradient.mean()) / gradient.std()
            x = x.detach() + 0.09 * gradient
            x = torch.roll(torch.max(torch.min(x, high), low), (-down, -right), (2, 3))
    return (x * std + mean).clamp(0, 1)


def _forward(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    x = model.maxpool(model.relu(model.bn1(model.conv1(x))))
    layers = {}
    for name in ("layer1", "layer2", "layer3", "layer4"):
        layers[name] = x = getattr(model, name)(x)
    return layers


def _smooth(gradient: Tensor, sigma: float) -> Tensor:
    gradient = F.pad(gradient, (4, 4, 4, 4), mode="reflect")
    places = torch.arange(9.0, device=gradient.device) - 4
    rows, columns = torch.meshgrid(places, places, indexing="ij")
    smooth = 0
    for s in (0.5 * sigma, sigma, 2 * sigma):
        kernel = torch.exp(-(rows**2 + columns**2) / (2 * s**2))
        smooth = smooth + F.conv2d(gradient, (kernel / kernel.sum()).to(gradient.dtype).repeat(3, 1, 1, 1), groups=3)
    return smooth / 3


def difference(net: Network, image: Tensor) -> float:
    """Relative difference of our first step from the plain one: a check that the two do the same work.

    Not of a whole dream: with random weights the last bits of float32 grow into another image.
    """
    plain = plain_dream(copy.deepcopy(net.model).to(image.device), "layer3", image, [(5, -7)], steps=1, octaves=1)
    config = DreamConfig.preset("gordic", layers=["layer3"], octaves=1, steps=1)
    ours = Dreamer(net, config, precision="fp32")(image, shifts=[(5, -7)])
    return float((ours.to(plain) - plain).abs().mean() / (plain - image).abs().mean())


def octave_sizes() -> list[tuple[int, int]]:
    """The sizes (height, width) of the image in the octaves of preset gordic, smallest first."""
    config = DreamConfig.preset("gordic")
    scales = [config.octave_scale ** (octave - OCTAVES + 1) for octave in range(OCTAVES)]
    return [(round(HEIGHT * scale), round(WIDTH * scale)) for scale in scales]


@torch.no_grad()
def bare_convolutions(model: nn.Module, layer: str, dtype: torch.dtype, steps: int) -> Callable[[], None]:
    """What runs the convolutions of a dream of `layer`, forward and backward to their inputs, and nothing else."""
    steps_of_octaves = []
    for size in octave_sizes():
        seen = convolutions(until(model, layer), torch.rand(1, 3, *size, device=best_device()))
        works = [work for conv, x in seen for work in works_of(conv, x.to(dtype))]
        steps_of_octaves.append([min(forms, key=quickest) for forms in works])

    def run() -> None:
        for works in steps_of_octaves:
            for _ in range(steps):
                for work in works:
                    work()

    return run


def convolutions(model: nn.Module, image: Tensor) -> list[tuple[nn.Conv2d, Tensor]]:
    """The convolutions of `model` in their order, each with what it reads when `model` runs on `image`."""
    seen: list[tuple[nn.Conv2d, Tensor]] = []
    convs = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
    hooks = [conv.register_forward_pre_hook(lambda module, inputs: seen.append((module, inputs[0]))) for conv in convs]
    model(image)
    for hook in hooks:
        hook.remove()
    return seen


def until(model: nn.Module, layer: str) -> nn.Sequential:
    """The parts of a ResNet up to its stage `layer`."""
    names = [name for name, _ in model.named_children()]
    return nn.Sequential(*(getattr(model, name) for name in names[: names.index(layer) + 1]))


def works_of(conv: nn.Conv2d, x: Tensor) -> list[list[Callable[[], Tensor]]]:
    """The forms of a convolution of `x`, and those of its gradient at `x`: each form computes the same."""
    forward: list[Callable[[], Tensor]] = []
    backward: list[Callable[[], Tensor]] = []
    geometry = (conv.stride, conv.padding, conv.dilation)
    for memory_format in (torch.contiguous_format, torch.channels_last):
        image, weight = (t.to(x.dtype).contiguous(memory_format=memory_format) for t in (x, conv.weight.detach()))
        gradient = torch.ones_like(F.conv2d(image, weight, None, *geometry)).contiguous(memory_format=memory_format)
        how = (None, *geometry, False, [0, 0], conv.groups, [True, False, False])
        forward.append(partial(F.conv2d, image, weight, None, *geometry))
        backward.append(partial(torch.ops.aten.convolution_backward, gradient, image, weight, *how))
        if conv.in_channels == 3:  # its gradient as a dense convolution over blocks of pixels, which is faster
            backward.append(partial(BlockedConv2d(copy.deepcopy(conv)).to(x.dtype).backward, gradient, x.shape))
    return [forward, backward]


def quickest(work: Callable[[], Tensor]) -> float:
    """The least of a few times of `work`, in seconds."""
    work()
    return min(seconds(work) for _ in range(3))


LARGE = (2160, 3840)


def one_step(dreamer: Dreamer, size: tuple[int, int]) -> Callable[[int], float]:
    """Seconds per pixel of one step of an image of `size`, by the seed of the step."""
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1)).to(best_device())
    return lambda seed: seconds(lambda: dreamer(image, seed=seed)) / (size[0] * size[1])


def large(repetitions: int) -> None:
    """Print, as JSON, the large image's cost per pixel relative to the small one's, and the peak memory in GB.

    The two take turns, a small step being short enough to be taken five times; each turn is a step of another seed.
    """
    dreamer = Dreamer(random_network(), DreamConfig.preset("inceptionism", layers=["layer4"], octaves=1, steps=1))
    small_step, large_step = one_step(dreamer, (HEIGHT, WIDTH)), one_step(dreamer, LARGE)
    small_step(0)  # prepares the kernels
    if torch.cuda.is_available():
        for seed in range(1, WARM_UP_CALLS + 2):
            small_step(seed), large_step(seed)  # after these, what is recorded is replayed
    ratios = []
    for seed in range(repetitions):
        small = median(small_step(seed) for _ in range(5))
        ratios.append(large_step(seed) / small)
    if torch.cuda.is_available():
        peak = torch.cuda.max_memory_allocated() / 1e9
    else:
        # VmHWM, because ru_maxrss begins with the memory of the process that started this one.
        status = Path("/proc/self/status").read_text()
        peak = int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e9  # from KiB, on Linux
    print(json.dumps({"seconds_per_pixel_4k_vs_600": round(median(ratios), 2), "peak_4k_gb": round(peak, 2)}))


def batches(net: Network, image: Tensor, steps: int, repetitions: int) -> dict[str, float]:
    """Eight photos at once against one at a time, at default precision, and images times steps per second."""
    eight = 8
    config = DreamConfig.preset("gordic", layers=["layer3"], steps=steps)
    dreamer, photos = Dreamer(net, config), image.expand(eight, -1, -1, -1)
    dreamer(photos), dreamer(image)
    pairs = [(seconds(lambda: dreamer(photos)), seconds(lambda: dreamer(image))) for _ in range(repetitions)]
    return {
        "batch_of_8_vs_one": round(median(eight * one / all_of_them for all_of_them, one in pairs), 2),
        "images_times_steps_per_second": round(eight * OCTAVES * steps / median(pair[0] for pair in pairs)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1 step an octave instead of 10; within 60 s")
    parser.add_argument("--large", action="store_true", help="only the large image, in this process")
    arguments = parser.parse_args()
    quick = arguments.quick
    if arguments.large:
        large(repetitions=1 if quick else 3)
        return
    steps, repetitions = (1, 7) if quick else (10, 5)

    net, device = random_network(), best_device()
    image = torch.rand(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1)).to(device)
    plain_model = copy.deepcopy(net.model).to(device)
    draw = np.random.default_rng(2)
    shifts = [(int(down), int(right)) for down, right in draw.integers(-32, 33, size=(OCTAVES * steps, 2))]

    def ours(layer: str, precision: str) -> Callable[[], Tensor]:
        config = DreamConfig.preset("gordic", layers=[layer], steps=steps)
        dreamer = Dreamer(net, config, precision=precision)
        return lambda: dreamer(image, shifts=shifts)

    def plain(layer: str) -> Callable[[], Tensor]:
        return lambda: plain_dream(plain_model, layer, image, shifts, steps)

    runs = {
        "plain, layer3": plain("layer3"),
        "default, layer3": ours("layer3", "auto"),
        "fp32, layer3": ours("layer3", "fp32"),
        "plain, layer1": plain("layer1"),
        "default, layer1": ours("layer1", "auto"),
        "default, layer4": ours("layer4", "auto"),
    }
    dtype = best_dtype("auto", device)
    runs |= {f"bare, {layer}": bare_convolutions(plain_model, layer, dtype, steps) for layer in LAYERS}
    for run in runs.values():
        run()  # the first run of each prepares its kernels
    times: dict[str, list[float]] = {name: [] for name in runs}
    start = time.perf_counter()
    for _ in range(repetitions):
        for name, run in runs.items():
            times[name].append(seconds(run))
        if quick and time.perf_counter() - start > 20:
            break  # the machine is busy

    def speed_up(name: str, plain: str) -> float:
        return round(median(p / t for p, t in zip(times[plain], times[name], strict=True)), 2)

    ratios = {
        "dream_default_vs_plain": speed_up("default, layer3", "plain, layer3"),
        "dream_fp32_vs_plain": speed_up("fp32, layer3", "plain, layer3"),
        "dream_layer1_vs_plain": speed_up("default, layer1", "plain, layer1"),
    }
    for layer in LAYERS:
        ratios[f"share_of_bare_convolutions_{layer}"] = speed_up(f"default, {layer}", f"bare, {layer}")
    if device.type == "cuda":
        ratios |= batches(net, image, steps, repetitions)
    command = [sys.executable, __file__, "--large", *(["--quick"] if quick else [])]
    measured = subprocess.run(command, capture_output=True, text=True, check=True)
    ratios.update(json.loads(measured.stdout.splitlines()[-1]))
    where = f"{torch.get_num_threads()} threads" if device.type == "cpu" else torch.cuda.get_device_name(device)
    print(f"ResNet-50, {WIDTH}x{HEIGHT}, {OCTAVES} octaves x {steps} steps, {where}")
    for name, each in times.items():
        print(f"{name:16} {median(each):7.2f} s")
    print(f"one step of ours in fp32 differs from one plain step by {difference(net, image):.1e} of it")
    units = {"peak_4k_gb": " GB", "images_times_steps_per_second": "/s"}
    for name, ratio in ratios.items():
        print(f"{name:28} {ratio:5.2f}{units.get(name, 'x')}")
    print(json.dumps(ratios))


if __name__ == "__main__":
    main()
