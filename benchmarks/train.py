"""Overhead of Lightning, metrics and scheduler: SceneClassifier against a bare PyTorch loop on the same batches.

python benchmarks/train.py [--quick]

ResNet-18 at 128 px and ResNet-50 at 224 px, on a CPU also ResNet-18 in small batches at 64 px, where our convolutions
have weight gradients of their own; on a GPU compiled, ours and the bare loop.

..._vs_bare          throughput of our training over that of a bare loop with the same optimisations (1: no overhead)
..._vs_plain_fp32    throughput of our training at its default precision over that of a plain fp32, NCHW loop
..._share_of_matmul  FLOP/s of our training over those of a large matrix product in the same precision
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from deepdream.hardware import best_device, best_dtype
from deepdream.models import ResNet
from deepdream.schema import compose
from deepdream.training import SceneClassifier, quiet_lightning
from deepdream.training.schedulers import warmup_cosine
from deepdream.training.trainer import lightning_precision

CLASSES = 67
WARMUP = 3
Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Case:
    """A network's depth, the side of its images in pixels, the images of a batch, and the batches of a round."""

    depth: int
    size: int
    batch: int
    steps: int


class Batches:
    """The same batches, `steps` of them, as a loader of Lightning."""

    def __init__(self, batches: list[Batch], steps: int) -> None:
        self._batches = batches
        self._steps = steps

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[Batch]:
        return (self._batches[i % len(self._batches)] for i in range(self._steps))


class Clock(pl.Callback):
    """Seconds from the end of the warmup to the end of the epoch's last step."""

    def __init__(self, device: torch.device) -> None:
        self.seconds = 0.0
        self._start = 0.0
        self._device = device

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        if batch_idx == WARMUP:
            self._start = now(self._device)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: object, batch: Batch, batch_idx: int
    ) -> None:
        if batch_idx == trainer.num_training_batches - 1:
            self.seconds = now(self._device) - self._start


def now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def ours(depth: int, batches: list[Batch], steps: int, device: torch.device) -> float:
    size = batches[0][0].shape[-1]
    overrides = ["output_dir=here", f"model.depth={depth}", f"data.image_size={size}", f"data.resize={size}"]
    classifier = SceneClassifier(compose("train", overrides), [str(i) for i in range(CLASSES)])
    if device.type == "cuda":
        classifier.model.compile()
    clock = Clock(device)
    with tempfile.TemporaryDirectory() as folder:
        trainer = pl.Trainer(
            default_root_dir=folder,
            max_epochs=1,
            accelerator=device.type,
            devices=1,
            precision=lightning_precision("auto", device.type),
            callbacks=[clock],
            logger=CSVLogger(folder),
            log_every_n_steps=20,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(classifier, Batches(batches, steps + WARMUP))
    return clock.seconds


def bare(depth: int, batches: list[Batch], steps: int, device: torch.device, *, plain: bool) -> float:
    """Seconds of a bare PyTorch loop: compiled on a GPU, channels-last, default precision; `plain`: fp32, NCHW."""
    layout = torch.contiguous_format if plain else torch.channels_last
    dtype = torch.float32 if plain else best_dtype("auto", device)
    model = ResNet(depth, CLASSES).to(device=device, memory_format=layout).train()
    if device.type == "cuda" and not plain:
        model.compile()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
    scheduler = warmup_cosine(optimizer, total_steps=steps + WARMUP, steps_per_epoch=steps + WARMUP)
    start = 0.0
    for i, (images, labels) in enumerate(Batches(batches, steps + WARMUP)):
        if i == WARMUP:
            start = now(device)
        images = images.to(device=device, memory_format=layout, non_blocking=True)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            loss = F.cross_entropy(model(images), labels.to(device, non_blocking=True))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    return now(device) - start


def peak(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of a large matrix product, the peak of this machine."""
    side, rounds = (8192, 20) if device.type == "cuda" else (2048, 10)
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    torch.mm(a, b)
    start = now(device)
    for _ in range(rounds):
        torch.mm(a, b)
    return rounds * 2 * side**3 / (now(device) - start)


def work(depth: int, size: int) -> float:
    """FLOPs of a step per image: the forward pass, and twice that for the backward pass."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        ResNet(depth, CLASSES).eval()(torch.zeros(1, 3, size, size))
    return 3.0 * counter.get_total_flops()


def measure(case: Case, rounds: int, device: torch.device) -> dict[str, float]:
    """Print a table of the loops; return their ratios, and the fraction of the peak that ours reaches."""
    batches = [
        (
            torch.randn(case.batch, 3, case.size, case.size).to(memory_format=torch.channels_last),
            torch.randint(CLASSES, (case.batch,)),
        )
        for _ in range(2)
    ]
    if device.type == "cuda":  # as the data loader does
        batches = [(images.pin_memory(), labels.pin_memory()) for images, labels in batches]
    contenders: dict[str, Callable[[], float]] = {
        "deepdream": lambda: ours(case.depth, batches, case.steps, device),
        "bare loop": lambda: bare(case.depth, batches, case.steps, device, plain=False),
        "plain fp32 loop": lambda: bare(case.depth, batches, case.steps, device, plain=True),
    }
    # In turns, so that a machine that slows down slows all of them.
    rates = [{name: case.batch * case.steps / run() for name, run in contenders.items()} for _ in range(rounds)]

    title = f"ResNet-{case.depth}, {case.size} px, batch {case.batch}, {device}"
    table = Table(title=title, title_justify="left")
    table.add_column("loop")
    table.add_column("images/s, median", justify="right")
    table.add_column("lowest to highest", justify="right")
    for name in contenders:
        measured = [rate[name] for rate in rates]
        table.add_row(name, f"{statistics.median(measured):.0f}", f"{min(measured):.0f} to {max(measured):.0f}")
    Console().print(table)

    per_second = statistics.median(rate["deepdream"] for rate in rates) * work(case.depth, case.size)
    name = f"resnet{case.depth}_{case.size}"
    return {
        f"{name}_vs_bare": statistics.median(rate["deepdream"] / rate["bare loop"] for rate in rates),
        f"{name}_vs_plain_fp32": statistics.median(rate["deepdream"] / rate["plain fp32 loop"] for rate in rates),
        f"{name}_share_of_matmul": per_second / peak(device, best_dtype("auto", device)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="ResNet-18 only, fewer steps: under a minute")
    options = parser.parse_args()

    quiet_lightning()
    warnings.filterwarnings("ignore", "You defined a `validation_step` but have no `val_dataloader`")
    device = best_device()
    if device.type == "cuda":
        cases = [Case(depth=18, size=128, batch=512, steps=40), Case(depth=50, size=224, batch=256, steps=40)]
    else:
        cases = [
            Case(depth=18, size=128, batch=64, steps=12),
            Case(depth=18, size=64, batch=16, steps=40),
            Case(depth=50, size=224, batch=16, steps=8),
        ]
    ratios: dict[str, float] = {}
    for case in [replace(cases[0], steps=6)] if options.quick else cases:
        ratios |= measure(case, 2 if options.quick else 3, device)
    print(json.dumps({key: round(value, 3) for key, value in ratios.items()}))


if __name__ == "__main__":
    main()
