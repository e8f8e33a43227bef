"""The cost of a microscope: `python benchmarks/microscope.py [--quick]`.

pass_vs_forward        seconds of the streaming pass over those of the forward passes alone; ResNet-18, four layers
top_9_differences      channels whose strongest 9 images differ from those of brute force, ties included
memory_growth_mb       how much more memory the pass over ten times as many images takes at its peak
seconds_per_channel    of two visualisations and a dream on a photo, layer4 of the bundled model, CPU seconds
minutes_for_512        wall time of a microscope of the 512 channels of layer4 on 150 synthetic rooms, visualisations
                       included; of these --channels are made (512: all), and their time is multiplied
load                   of the machine while they were made: processes that wanted a core, this one included
opens_in_seconds       from an empty page to the first page of a microscope of 1,000 images and 1,000 channels
requests_elsewhere     requests of that page that leave its folder
folder_mb              size of that folder

The two of the first ratio alternate, and the median of the ratios of neighbours is reported, so that other load on the
machine affects both. The folder of the last three has random activations: its size and speed are the same.
A killed and resumed run has equal files: tests/microscope/test_kills.py.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from deepdream.hardware import let_threads_sleep

let_threads_sleep()

import numpy as np
import torch
from PIL import Image

from deepdream.acceleration import accelerated_copy
from deepdream.microscope import (
    ImageSet,
    Microscope,
    MicroscopeOptions,
    StreamingPass,
    images_below,
    make_microscope,
    write_site,
)
from deepdream.microscope.channel_statistics import BINS, ChannelStatistics, K
from deepdream.microscope.evidence import HEAT_SIDE, STRONGEST, TOP, Evidence, LayerEvidence
from deepdream.microscope.image_set import Batch
from deepdream.microscope.streaming import Pass, sample_indices
from deepdream.microscope.visualizations import PHOTO, Visualizations
from deepdream.models import Layer, Network, ResNet, load_network
from deepdream.rooms import render_room
from deepdream.scenes.transforms import normalize_uint8

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LAYERS = ["layer1", "layer2", "layer3", "layer4"]
CPU = torch.device("cpu")
SITE_IMAGES, SITE_CHANNELS = 1000, 1000


def network(size: int) -> Network:
    torch.manual_seed(0)
    model = ResNet(18, 6, zero_init_residual=False).eval()
    return Network(model, [f"class {i}" for i in range(6)], MEAN, STD, size, "random")


def layers_of(net: Network) -> list[Layer]:
    return [layer for layer in net.layers() if layer.name in LAYERS]


def batches(count: int, size: int, batch: int = 32) -> Any:
    """Random images, each one made when it is needed; every tenth is equal, so that there are ties."""
    for first in range(0, count, batch):
        images = torch.stack([image(i, size) for i in range(first, min(count, first + batch))])
        yield Batch(first, images, torch.ones(len(images), dtype=torch.bool))


def image(number: int, size: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(number % 10 and number)
    coarse = torch.rand(3, 8, 8, generator=generator).mul(255).to(torch.uint8)
    return coarse.repeat_interleave(size // 8, 1).repeat_interleave(size // 8, 2)


def run_pass(net: Network, count: int, every: Any) -> Pass:
    run = StreamingPass(net, layers_of(net), [-1] * count, samples=sample_indices(count, 1000))
    return run.run(every, device=CPU)


@torch.inference_mode()
def pass_vs_forward(count: int, size: int, repetitions: int) -> float:
    net = network(size)
    kept = list(batches(count, size))
    model = accelerated_copy(net.model, torch.float32, CPU, LAYERS)

    def forward() -> None:
        for batch in kept:
            x = normalize_uint8(batch.images, MEAN, STD)
            model(x.to(memory_format=torch.channels_last))

    forward()
    ratios = []
    for _ in range(repetitions):
        start = time.perf_counter()
        run_pass(net, count, kept)
        middle = time.perf_counter()
        forward()
        ratios.append((middle - start) / (time.perf_counter() - middle))
    return median(ratios)


@torch.inference_mode()
def top_9_differences(count: int, size: int) -> int:
    """Brute force keeps the peaks of all images. Batches are the same: another batch size rounds otherwise."""
    net = network(size)
    found = run_pass(net, count, batches(count, size))
    model = accelerated_copy(net.model, torch.float32, CPU, LAYERS)
    peaks: dict[str, list[torch.Tensor]] = {name: [] for name in LAYERS}
    handles = [
        model.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: peaks[name].append(output.amax((2, 3)))
        )
        for name in LAYERS
    ]
    for batch in batches(count, size):
        model(normalize_uint8(batch.images, MEAN, STD).to(memory_format=torch.channels_last))
    for handle in handles:
        handle.remove()
    wrong = 0
    for name in LAYERS:
        every = torch.cat(peaks[name]).numpy()
        order = np.lexsort((np.arange(count)[:, None].repeat(every.shape[1], 1), -every), axis=0)[:K]
        wrong += int((order != found.layers[name].arrays["best_image"]).any(axis=0).sum())
    return wrong


def peak_memory(count: int, size: int) -> float:
    """Peak memory in MB of a process that makes a pass over `count` images."""
    command = [sys.executable, __file__, "--pass", str(count), str(size)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]) / 1024


def whole_microscope(channels: int, folder: Path, options: MicroscopeOptions) -> dict[str, float]:
    """The cost of a microscope of layer4 of the bundled model, with the visualisations of `channels` of its 512."""
    net = load_network("box")
    for number in range(150):
        path = folder / "rooms" / net.classes[number % 6] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(render_room(net.classes[number % 6], number, size=160)).save(path)
    start = time.perf_counter()
    make_microscope(
        net,
        images_below(folder / "rooms", net.classes),
        folder / "site",
        dataclasses.replace(options, visualizations=0, layers=["layer4"]),
    )
    rest = time.perf_counter() - start
    layer = dataclasses.replace(next(layer for layer in layers_of(net) if layer.name == "layer4"), channels=channels)
    start, begun = time.perf_counter(), time.process_time()
    visualizations = Visualizations(net, folder / "dreams", options)
    grey = torch.full((channels, 3, visualizations.side, visualizations.side), 0.5)
    visualizations.make(layer, lambda chosen: grey[: len(chosen)])
    wall, share = time.perf_counter() - start, 512 / channels
    return {
        "seconds_per_channel": (time.process_time() - begun) / channels,
        "minutes_for_512": (rest + share * wall) / 60,
        "load": os.getloadavg()[0],
    }


def large_site(folder: Path) -> Path:
    """A microscope of SITE_IMAGES images and SITE_CHANNELS channels of random activations, with its images."""
    rng = np.random.default_rng(0)
    net = dataclasses.replace(network(224), classes=[f"class {i}" for i in range(100)])
    layer = Layer("layer4", "Sequential", SITE_CHANNELS, 32, 1, depth=1.0, receptive_field=435)
    statistics = ChannelStatistics(SITE_CHANNELS, 100, range(SITE_IMAGES))
    arrays = statistics.arrays
    peaks = rng.gamma(1.0, 1.0, (SITE_IMAGES, SITE_CHANNELS)).astype(np.float32)
    order = np.argsort(-peaks, axis=0)
    for kind, chosen in (("best", order[:K]), ("worst", order[::-1][:K])):
        arrays[f"{kind}_image"], arrays[f"{kind}_value"] = chosen, np.take_along_axis(peaks, chosen, 0)
        arrays[f"{kind}_place"] = rng.integers(0, 49, chosen.shape)
    arrays["sample_peak"], arrays["sample_mean"] = peaks, peaks / 2
    arrays["sample_place"] = rng.integers(0, 49, peaks.shape)
    arrays["histogram"] = rng.integers(0, 40, (BINS, SITE_CHANNELS))
    arrays["grid"][:], arrays["count"][:], arrays["class_count"][:] = 7, SITE_IMAGES, 10
    arrays["mean_sum"] = rng.gamma(1.0, 1.0, (100, SITE_CHANNELS))
    evidence = LayerEvidence(
        rng.integers(0, SITE_CHANNELS, (SITE_IMAGES, STRONGEST)),
        rng.random((SITE_IMAGES, STRONGEST), dtype=np.float32),
        rng.integers(0, SITE_CHANNELS, (SITE_IMAGES, STRONGEST)),
        rng.random((SITE_IMAGES, STRONGEST), dtype=np.float32),
        rng.normal(size=(100, SITE_CHANNELS)),
        True,
        peaks,
    )
    top = rng.permuted(np.tile(np.arange(100), (SITE_IMAGES, 1)), axis=1)[:, :TOP]
    heat = rng.integers(0, 256, (SITE_IMAGES, HEAT_SIDE, HEAT_SIDE), dtype=np.uint8)
    every = Evidence(top, np.full((SITE_IMAGES, TOP), 0.2, np.float32), heat, {"layer4": evidence})
    paths = [folder / "images" / f"{i}.jpg" for i in range(SITE_IMAGES)]
    (folder / "images").mkdir(parents=True)
    photo = next((path for path in Path("docs/images/understanding").glob("bedroom.jpg")), None)
    assert photo is not None
    detail = Image.open(photo).convert("RGB").resize((448, 448))
    for path in paths:
        left, upper = rng.integers(0, 224, 2).tolist()
        detail.crop((left, upper, left + 224, upper + 224)).save(path, "JPEG", quality=86)
    options = MicroscopeOptions()
    visualizations = Visualizations(network(224), folder / "visualizations", options)
    for channel in range(SITE_CHANNELS):
        for kind in ("0", "1", PHOTO):
            path = visualizations.path(layer, channel, kind)
            path.parent.mkdir(parents=True, exist_ok=True)
            left, upper = rng.integers(0, 300, 2).tolist()
            side = visualizations.side
            detail.crop((left, upper, left + side, upper + side)).save(path, "JPEG", quality=86)
    labels = [i % 100 for i in range(SITE_IMAGES)]
    indices = np.arange(SITE_IMAGES)
    microscope = Microscope(
        net,
        [layer],
        ImageSet(paths, labels, folder),
        indices,
        Pass({"layer4": statistics}, indices, []),
        every,
        visualizations=2,
        title="1,000 images and channels",
    )
    return write_site(folder, microscope, visualizations)


def open_in_browser(index: Path) -> tuple[float, int] | None:
    """Seconds until the first page is there, and requests outside of its folder; None without a browser."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        return None
    from playwright.sync_api import sync_playwright

    elsewhere: list[str] = []
    inside = (index.parent.as_uri(), "data:")
    times = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(3):
            page = browser.new_page()
            page.on("request", lambda request: request.url.startswith(inside) or elsewhere.append(request.url))
            start = time.perf_counter()
            page.goto(index.as_uri(), wait_until="commit")
            page.wait_for_selector("h1")
            times.append(time.perf_counter() - start)
            page.close()
        browser.close()
    return median(times), len(elsewhere)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="within a minute")
    parser.add_argument(
        "--channels", type=int, default=64, help="that are visualised; 512 takes half an hour of CPU time"
    )
    parser.add_argument("--pass", dest="only_pass", nargs=2, type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only_pass:
        count, size = arguments.only_pass
        run_pass(network(size), count, batches(count, size))
        # Not getrusage: its peak is that of the parent where the parent's was larger.
        print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
        return
    quick = arguments.quick
    figures: dict[str, float] = {}
    figures["pass_vs_forward"] = pass_vs_forward(64 if quick else 256, 128 if quick else 224, 3 if quick else 5)
    figures["top_9_differences"] = top_9_differences(100 if quick else 600, 64)
    few = 100 if quick else 600
    figures["memory_growth_mb"] = peak_memory(10 * few, 64) - peak_memory(few, 64)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if not quick:
            figures |= whole_microscope(arguments.channels, folder / "box", MicroscopeOptions())
        index = large_site(folder / "site")
        size = sum(path.stat().st_size for path in (folder / "site").rglob("*") if path.is_file())
        figures["folder_mb"] = size / 1e6
        opened = open_in_browser(index)
        if opened is not None:
            figures["opens_in_seconds"], figures["requests_elsewhere"] = opened
    for name, value in figures.items():
        print(f"{name:22} {value:8.3f}")
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
