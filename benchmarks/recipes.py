"""What a training recipe reaches at equal epochs.

python benchmarks/recipes.py DATA [--recipes NAME ...] [--epochs N]

plain, whole        `train.py experiment=ablation/plain` and `whole`: the two ends of docs/recipes.md
whole_muon          `experiment=ablation/whole_muon`: whole with Muon instead of SGD
timm                timm's own train.py with its defaults: random crops, colour jitter, label smoothing
timm_randaugment    the same with RandAugment and random erasing, as its documentation trains ResNeXt-50

DATA is in the layout of MIT Indoor Scenes, or class folders. All train a ResNet (--depth) on the same training images,
choose the epoch on the same held-out ones, and are tested once on the test images. timm's learning rate per image of a
batch is that of whole, and its precision is ours. Its train.py is that of the checkout in --peers, ../peers by default.
Printed of each recipe: accuracy on the test images in percent; minutes of training, by the clock and of the CPU.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from deepdream.hardware import has_fast_bf16
from deepdream.scenes.class_folders import read_class_folders
from deepdream.scenes.layout import find_images, read_lists
from deepdream.scenes.splits import SceneLists, hold_out

ROOT = Path(__file__).resolve().parents[1]
SOURCE = "https://github.com/huggingface/pytorch-image-models"
VALIDATE_EVERY = 3  # epochs, as experiment=ablation/plain
RECIPES = ("plain", "whole", "whole_muon", "timm", "timm_randaugment")
TIMM = ["-b=32", "--opt=sgd", "--lr=0.05", "--weight-decay=1e-4", "--sched=cosine", "--warmup-epochs=2"]
RANDAUGMENT = ["--aa=rand-m7-mstd0.5-inc1", "--reprob=0.4", "--remode=pixel"]


class Cost(NamedTuple):
    """Minutes of the clock, and of the CPU: the latter do not depend on what else the machine does."""

    minutes: float
    cpu_minutes: float


def ours(recipe: str, options: argparse.Namespace, folder: Path) -> tuple[float, Cost]:
    """Test accuracy and cost of training with a recipe of conf/experiment/ablation."""
    overrides = {
        "data": "mit_indoor" if find_images(options.data) else "folder",
        "data.root": options.data.resolve(),
        "data.val_per_class": options.val_per_class,
        "data.image_size": options.size,
        "data.resize": options.size,
        "augment.crop_size": options.size if recipe == "plain" else options.crop,
        "model.depth": options.depth,
        "seed": options.seed,
        "trainer.max_epochs": options.epochs,
        "logger": "csv",
        "hydra.run.dir": folder,
    }
    keys = [f"{key}={value}" for key, value in overrides.items()]
    cost = run([ROOT / "train.py", f"experiment=ablation/{recipe}", *keys])
    best, test = folder / "checkpoints" / "best.ckpt", folder / "test"
    run([ROOT / "evaluate.py", f"ckpt={best}", "logger=none", f"hydra.run.dir={test}"])
    return json.loads((test / "figures" / "evaluation.json").read_text())["accuracy"], cost


def timm(recipe: str, options: argparse.Namespace, folder: Path) -> tuple[float, Cost]:
    """Test accuracy and cost of training with timm's scripts."""
    checkout = options.peers / "pytorch-image-models"
    lists = read_lists(options.data) if find_images(options.data) else read_class_folders(options.data)
    link_splits(lists, folder / "data", *hold_out(lists, options.val_per_class, options.seed))
    common = [
        f"--data-dir={folder / 'data'}",
        f"--model=resnet{options.depth}",
        f"--num-classes={len(lists.classes)}",
        f"--img-size={options.size}",
        "--crop-pct=1.0",  # the photos have no pixels to spare
        "--device=cpu" if options.cpu else "--device=cuda",
        "--channels-last",
        *(["--amp", "--amp-dtype=bfloat16"] if has_fast_bf16(torch.device("cpu" if options.cpu else "cuda")) else []),
    ]
    how = [*TIMM, *(RANDAUGMENT if recipe == "timm_randaugment" else [])]
    length = [f"--epochs={options.epochs}", f"--val-interval={VALIDATE_EVERY}", f"--seed={options.seed}"]
    where = ["--val-split=val", f"--output={folder}", "--experiment=run", "--checkpoint-hist=1", "--workers=1"]
    cost = run([checkout / "train.py", *common, *how, *length, *where])
    results = folder / "test.json"
    best = folder / "run" / "model_best.pth.tar"
    run([checkout / "validate.py", *common, "--split=test", f"--checkpoint={best}", f"--results-file={results}",
         "--results-format=json"])  # fmt: skip
    return json.loads(results.read_text())["top1"] / 100, cost


def link_splits(lists: SceneLists, folder: Path, train: Sequence[str], val: Sequence[str]) -> None:
    """Class folders of links to the images of each split, which timm reads."""
    for split, entries in {"train": train, "val": val, "test": lists.test}.items():
        for entry in entries:
            link = folder / split / lists.classes[lists.label(entry)] / Path(entry).name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to((lists.images / entry).resolve())


def run(command: list[str | Path]) -> Cost:
    """What a Python script cost; its output goes to standard error."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *map(str, command)], check=True, stdout=sys.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost((time.perf_counter() - start) / 60, cpu / 60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the data set")
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=RECIPES, help="all by default")
    parser.add_argument("--peers", type=Path, default=ROOT.parent / "peers", help="the folder of the checkouts")
    parser.add_argument("--output", type=Path, help="a folder that keeps the runs")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--depth", type=int, default=18, help="of the ResNet")
    parser.add_argument("--size", type=int, default=128, help="side of the images in pixels")
    parser.add_argument("--crop", type=int, default=96, help="side of the crops of whole and whole_muon in training")
    parser.add_argument("--val-per-class", type=int, default=16, help="training images that choose the epoch")
    parser.add_argument("--cpu", action="store_true", help="train timm on the CPU")
    options = parser.parse_args()
    if not (options.peers / "pytorch-image-models").is_dir():
        left_out = [name for name in options.recipes if name.startswith("timm")]
        options.recipes = [name for name in options.recipes if name not in left_out]
        if left_out:
            print(f"timm is left out; to get it: git clone {SOURCE} {options.peers / 'pytorch-image-models'}")
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        for recipe in options.recipes:
            folder = (options.output or Path(temporary)).resolve() / recipe
            folder.mkdir(parents=True)
            accuracy, cost = (timm if recipe.startswith("timm") else ours)(recipe, options, folder)
            results[recipe] = {"accuracy_percent": round(100 * accuracy, 1)}
            results[recipe] |= {name: round(minutes, 1) for name, minutes in cost._asdict().items()}
            print(
                f"{recipe:20} {100 * accuracy:5.1f} %  {cost.minutes:6.1f} min, of CPU {cost.cpu_minutes:6.1f} min",
                flush=True,
            )
    print(json.dumps(results))


if __name__ == "__main__":
    main()
