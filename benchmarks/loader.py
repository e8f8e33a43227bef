"""What the store of decoded pictures gains and costs, on JPEGs of 500x400.

python benchmarks/loader.py [--quick] [--photos FOLDER]

loader_vs_imagefolder       samples a second of one worker, over torchvision's ImageFolder with PIL, same augmentation
train_from_store_vs_memory  throughput of training from the store, one worker, over the same step on a batch in memory
store_build_vs_pillow       pictures a second of building the store, over Pillow's decode and resize on all cores
store_peak_mb               most memory of a process that only builds the store, which does without torch

The photos are those of FOLDER, any folders of pictures (default: ../shared/scenes6), enlarged to 500x400; without
them, rooms drawn by program.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from deepdream.hardware import let_threads_sleep

let_threads_sleep()  # as the commands do

import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import InterpolationMode, v2

from deepdream.hardware import best_device, best_dtype, cores
from deepdream.models import ResNet
from deepdream.rooms.dataset import CLASSES, draw
from deepdream.scenes import SceneDataModule
from deepdream.scenes.config import AugmentConfig
from deepdream.scenes.image_cache import prepare
from deepdream.scenes.layout import read_lists
from deepdream.schema import preset

PHOTOS = Path(__file__).parents[2] / "shared" / "scenes6" / "Images"
SIZE = (500, 400)
CROP = 160
BATCH = 64
AUGMENT = preset(AugmentConfig, "augment", "plain")

# VmHWM, because ru_maxrss begins with the memory of the process that started this one.
PEAK = """
import resource, sys
from pathlib import Path
from deepdream.scenes.layout import read_lists
from deepdream.scenes.image_cache import prepare
prepare(read_lists(sys.argv[1]), cache=Path(sys.argv[2]), shorter_side=192)
if sys.platform == "linux":
    lines = Path("/proc/self/status").read_text().splitlines()
    print(int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024)
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def write_jpegs(root: Path, photos: Path, count: int) -> None:
    """`count` JPEGs of 500x400 in the official layout, most of them to train on."""
    sources = sorted(photos.glob("*/*.jpg")) if photos.is_dir() else []
    step = max(1, len(sources) // count)
    lists: dict[str, list[str]] = {"TrainImages.txt": [], "TestImages.txt": []}
    for number in range(count):
        if sources:
            source = sources[number * step % len(sources)]
            label, picture = source.parent.name, Image.open(source).convert("RGB")
        else:
            label = CLASSES[number % len(CLASSES)]
            picture = Image.fromarray(draw(label, number, size=256))
        entry = f"{label}/{number:05d}.jpg"
        (root / "Images" / label).mkdir(parents=True, exist_ok=True)
        picture.resize(SIZE, Image.Resampling.BICUBIC).save(root / "Images" / entry, quality=90)
        lists["TestImages.txt" if number % 16 == 15 else "TrainImages.txt"].append(entry)
    for name, entries in lists.items():
        (root / name).write_text("\n".join(entries))


def repeat(root: Path, times: int, target: Path) -> None:
    """The data set `times` over, as links."""
    for name in ("TrainImages.txt", "TestImages.txt"):
        entries = (root / name).read_text().splitlines()
        copies = [(entry, entry.replace("/", f"/{k}_")) for entry in entries for k in range(times)]
        for entry, copy in copies:
            (target / "Images" / copy).parent.mkdir(parents=True, exist_ok=True)
            (target / "Images" / copy).hardlink_to(root / "Images" / entry)
        (target / name).write_text("\n".join(copy for _, copy in copies))


def data_module(root: Path, cache: Path, size: int, *, batch_size: int, workers: int) -> SceneDataModule:
    data = SceneDataModule(
        root,
        image_size=size,
        resize=round(1.14 * size),
        augment=AUGMENT,
        val_per_class=2,
        batch_size=batch_size,
        workers=workers,
        cache=cache,
    )
    data.prepare_data()
    return data


def image_folder(root: Path) -> DataLoader[tuple[torch.Tensor, torch.Tensor]]:
    """What one writes with torchvision alone; it too leaves normalisation to the device."""
    scale, ratio = tuple(AUGMENT.crop_scale), tuple(AUGMENT.crop_ratio)
    transform = v2.Compose(
        [
            v2.RandomResizedCrop(CROP, scale, ratio, InterpolationMode.BILINEAR),
            v2.RandomHorizontalFlip(AUGMENT.flip),
            v2.PILToTensor(),
        ]
    )
    pictures = ImageFolder(str(root / "Images"), transform)
    return DataLoader(pictures, BATCH, shuffle=True, num_workers=1, drop_last=True, persistent_workers=True)


def samples_per_second(loader: Iterable[tuple[torch.Tensor, ...]], epochs: int) -> float:
    """Of one worker that never waits for a network; its start is not counted."""
    batches = itertools.chain.from_iterable(loader for _ in range(epochs))
    next(batches)
    start = time.perf_counter()
    seen = sum(len(batch[0]) for batch in batches)
    return seen / (time.perf_counter() - start)


def training_rate(
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]], depth: int, classes: int, device: torch.device
) -> float:
    """Pictures a second of a training step on these batches, the first two not counted."""
    model = ResNet(depth, classes).to(device=device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    dtype = best_dtype("auto", device)
    seen, start = 0, 0.0
    for number, (images, labels) in enumerate(batches):
        if number == 2:
            seen, start = 0, now(device)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen += len(labels)
    return seen / (now(device) - start)


def now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def from_store(data: SceneDataModule, steps: int, device: torch.device) -> Iterable[tuple[torch.Tensor, torch.Tensor]]:
    loader = data.train_dataloader()
    batches = itertools.chain.from_iterable(loader for _ in itertools.count())
    for images, labels in itertools.islice(batches, steps):
        yield data.on_after_batch_transfer((images.to(device, non_blocking=True), labels.to(device)), 0)


def decode_and_resize(path: Path) -> int:
    with Image.open(path) as file:
        picture = file.convert("RGB")
    factor = 192 / min(picture.size)
    return picture.resize([round(side * factor) for side in picture.size], Image.Resampling.BILINEAR).width


def with_pillow(root: Path) -> float:
    """Pictures a second of Pillow on all cores, in processes that are already there."""
    lists = read_lists(root)
    paths = [lists.images / entry for entry in lists.train + lists.test]
    with multiprocessing.get_context("fork").Pool(cores()) as pool:
        pool.map(decode_and_resize, paths[: 4 * cores()])
        start = time.perf_counter()
        pool.map(decode_and_resize, paths, chunksize=16)
        return len(paths) / (time.perf_counter() - start)


def with_store(root: Path, cache: Path) -> float:
    """Pictures a second of building the store, all of it."""
    shutil.rmtree(cache, ignore_errors=True)
    start = time.perf_counter()
    prepared = prepare(read_lists(root), cache=cache, shorter_side=192)
    return len(prepared.findings) / (time.perf_counter() - start)


def peak_mb(root: Path, cache: Path) -> float:
    """Of a process that builds the store and nothing else."""
    command = [sys.executable, "-c", PEAK, str(root), str(cache)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def compare(contenders: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """The rates of each, in turn, round by round, so that a machine that slows down slows all of them."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            rates[name].append(run())
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer pictures and steps: done within a minute")
    parser.add_argument("--photos", type=Path, default=PHOTOS)
    options = parser.parse_args()
    count, batch_size, steps, rounds, epochs = (256, 16, 5, 1, 2) if options.quick else (1024, 32, 8, 3, 3)
    device = best_device()

    table = Table(title=f"{count} JPEGs of 500x400, {cores()} cores, {device}", title_justify="left")
    for column in ("what", "rate, median", "lowest to highest"):
        table.add_column(column, justify="left" if column == "what" else "right")
    ratios: dict[str, float] = {}

    def note(key: str, contenders: dict[str, Callable[[], float]]) -> None:
        rates = compare(contenders, rounds)
        for name, seen in rates.items():
            table.add_row(name, f"{statistics.median(seen):.0f}/s", f"{min(seen):.0f} to {max(seen):.0f}")
        ours, peer = rates.values()
        ratios[key] = statistics.median(a / b for a, b in zip(ours, peer, strict=True))

    with tempfile.TemporaryDirectory() as folder:
        root, cache = Path(folder, "photos"), Path(folder, "cache")
        write_jpegs(root, options.photos, count)
        note(
            "store_build_vs_pillow",
            {
                "building the store, all cores": lambda: with_store(root, Path(folder, "built")),
                "Pillow, decode and resize, all cores": lambda: with_pillow(root),
            },
        )
        data = data_module(root, cache, CROP, batch_size=BATCH, workers=1)
        note(
            "loader_vs_imagefolder",
            {
                f"from the store, {CROP} px, one worker": lambda: samples_per_second(data.train_dataloader(), epochs),
                f"ImageFolder, {CROP} px, one worker": lambda: samples_per_second(image_folder(root), epochs),
            },
        )
        runs = [("train_from_store_vs_memory", 18, 128, 1)]
        if device.type == "cuda":
            batch_size, steps = 256, 60
            runs.append(("train_resnet50_224_from_store_vs_memory", 50, 224, -1))
        for key, depth, size, workers in runs:
            source = data_module(root, cache, size, batch_size=batch_size, workers=workers)
            batch = next(iter(from_store(source, 1, device)))
            classes = len(source.classes)
            note(
                key,
                {
                    f"ResNet-{depth}, {size} px, from the store": lambda depth=depth, source=source, classes=classes: (
                        training_rate(from_store(source, steps, device), depth, classes, device)
                    ),
                    f"ResNet-{depth}, {size} px, from memory": lambda depth=depth, batch=batch, classes=classes: (
                        training_rate(itertools.repeat(batch, steps), depth, classes, device)
                    ),
                },
            )
        repeat(root, 4, Path(folder, "four"))
        peaks = [peak_mb(root, Path(folder, "peak")), peak_mb(Path(folder, "four"), Path(folder, "peak"))]
    Console().print(table)
    print(
        f"peak memory of building the store: {peaks[0]:.0f} MB for {count} pictures, {peaks[1]:.0f} MB for {4 * count}"
    )
    ratios["store_peak_mb"] = max(peaks)
    print(json.dumps({key: round(value, 3) for key, value in ratios.items()}))


if __name__ == "__main__":
    main()
