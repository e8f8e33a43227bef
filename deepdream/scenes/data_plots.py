"""A data set as pictures: what is in it, how much of each class, and what the network gets to see of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from deepdream.images import to_image
from deepdream.plots import COLORS, contact_sheet, figure_style
from deepdream.provenance import write_png
from deepdream.scenes.datamodule import SceneDataModule
from deepdream.scenes.integrity import Finding

_THUMBNAILS = 96  # about as many on the sheet of raw pictures
_MOST_SHOWN = 64  # of a batch


def write_pictures_of(data: SceneDataModule, folder: Path) -> list[Path]:
    """Write raw.png, augmented.png, class_counts.png and picture_sizes.png into `folder`; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    images, labels, *_ = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    augmented = batch_sheet(images, labels, data.classes, mean=data.mean, std=data.std)
    written = [write_png(raw_sheet(data), folder / "raw.png"), write_png(augmented, folder / "augmented.png")]
    for name, figure in (("class_counts", draw_counts(data)), ("picture_sizes", draw_sizes(data.findings))):
        written.append(folder / f"{name}.png")
        figure.savefig(written[-1])
    return written


def raw_sheet(data: SceneDataModule) -> Image.Image:
    """Training pictures of every class as they are kept, class by class."""
    pictures = data.split("train")
    of_class: dict[int, list[int]] = {}
    for index, label in enumerate(pictures.labels):
        of_class.setdefault(label, []).append(index)
    count = max(2, min(8, _THUMBNAILS // len(of_class)))
    chosen = [(index, label) for label, indices in sorted(of_class.items()) for index in indices[:count]]
    return contact_sheet(
        [Image.fromarray(pictures.raw(index).permute(1, 2, 0).numpy()) for index, _ in chosen],
        [data.classes[label] for _, label in chosen],
        columns=8 if count > 2 else 12,
        title=f"{data.root.name}: training pictures as they are kept",
    )


def batch_sheet(
    images: Tensor, labels: Tensor, classes: Sequence[str], *, mean: Sequence[float], std: Sequence[float]
) -> Image.Image:
    """A batch as the network gets it: normalised (N, 3, H, W) and its labels, int64 (N,) or shares (N, classes)."""
    images, labels = images[:_MOST_SHOWN].detach().cpu().float(), labels[:_MOST_SHOWN].cpu()
    pictures = images * torch.tensor(std).view(1, 3, 1, 1) + torch.tensor(mean).view(1, 3, 1, 1)
    return contact_sheet(
        [to_image(picture) for picture in pictures],
        [_caption(label, classes) for label in labels],
        size=max(96, min(160, images.shape[-1])),
        title="A training batch as the network gets it",
    )


def _caption(label: Tensor, classes: Sequence[str]) -> str:
    if not label.is_floating_point():
        return classes[int(label)]
    shares, order = label.sort(descending=True)
    parts = [(classes[int(i)], float(share)) for share, i in zip(shares, order, strict=True) if share > 0.005]
    return parts[0][0] if len(parts) == 1 else "\n".join(f"{name} {share:.0%}" for name, share in parts)


def draw_counts(data: SceneDataModule) -> Figure:
    """How many pictures of each class are trained on, held out and tested on."""
    counts = {name: Counter(data.split(name).labels) for name in ("train", "val", "test")}
    names = data.classes
    with figure_style():
        figure = Figure(figsize=(9, 1.8 + 0.26 * len(names)))
        axes = figure.subplots()
        left = [0] * len(names)
        for split, count in counts.items():
            widths = [count[label] for label in range(len(names))]
            axes.barh(names, widths, left=left, color=COLORS[split], label=f"{split}: {sum(widths):,}")
            left = [a + b for a, b in zip(left, widths, strict=True)]
        axes.invert_yaxis()
        axes.margins(y=0.01)
        axes.set_xlabel("pictures")
        axes.set_title(f"{data.root.name}: pictures of each of {len(names)} classes")
        axes.legend(ncols=3, loc="lower right", bbox_to_anchor=(1, 1.06), fontsize=10)
    return figure


def draw_sizes(findings: Iterable[Finding]) -> Figure:
    """Width and height of every picture in pixels; a larger dot stands for more pictures of one size."""
    sizes = Counter(finding.size for finding in findings if finding.used)
    points = [(*map(int, size.split("x")), count) for size, count in sizes.items()]
    widths, heights, counts = zip(*points, strict=True)
    total = sum(counts)
    with figure_style():
        figure = Figure(figsize=(7, 6))
        axes = figure.subplots()
        area = [12 + 600 * count / total for count in counts]
        axes.scatter(widths, heights, s=area, color=COLORS["train"], alpha=0.5, linewidths=0)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:.0f}")
        axes.margins(0.15)
        axes.set_aspect("equal")
        axes.grid(visible=True)
        axes.set_xlabel("width in pixels")
        axes.set_ylabel("height in pixels")
        common, count = sizes.most_common(1)[0]
        axes.set_title(f"Sizes of {total:,} pictures, most often {common} ({count / total:.0%})")
    return figure
