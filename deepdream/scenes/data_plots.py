"""Plots of a data set: its images, a batch as the network sees it, class counts and image sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from deepdream.images import decode, denormalize, to_image
from deepdream.plots import COLORS, contact_sheet, figure_style, rendered
from deepdream.provenance import write_png
from deepdream.scenes.datamodule import SceneDataModule
from deepdream.scenes.integrity import MIN_SHARE, ImageRecord

_RAW_IMAGES = 96  # about as many on the sheet of raw images
_BATCH_IMAGES = 64  # at most, of a batch
_PAIRS = 48  # at most, of near-duplicates


def write_data_plots(data: SceneDataModule, folder: Path) -> list[Path]:
    """Write raw.png, augmented.png, class_counts.png and image_sizes.png into `folder`; returns their paths.

    Where there are near-duplicates, also duplicates.png.
    """
    folder.mkdir(parents=True, exist_ok=True)
    images, labels, *_ = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    augmented = batch_sheet(images, labels, data.classes, mean=data.mean, std=data.std)
    written = [write_png(raw_sheet(data), folder / "raw.png"), write_png(augmented, folder / "augmented.png")]
    if data.duplicates:
        written.append(write_png(duplicates_sheet(data), folder / "duplicates.png"))
    for name, figure in (("class_counts", plot_class_counts(data)), ("image_sizes", plot_image_sizes(data.records))):
        written.append(write_png(rendered(figure), folder / f"{name}.png"))
    return written


def raw_sheet(data: SceneDataModule) -> Image.Image:
    """Training images of every class before augmentation, class by class."""
    dataset = data.split("train")
    of_class: dict[int, list[int]] = {}
    for index, label in enumerate(dataset.labels):
        of_class.setdefault(label, []).append(index)
    count = max(2, min(8, _RAW_IMAGES // len(of_class)))
    chosen = [(index, label) for label, indices in sorted(of_class.items()) for index in indices[:count]]
    return contact_sheet(
        [Image.fromarray(dataset.raw(index).permute(1, 2, 0).numpy()) for index, _ in chosen],
        [data.classes[label] for _, label in chosen],
        columns=8 if count > 2 else 12,
        title=f"{data.root.name}: training images before augmentation",
    )


def duplicates_sheet(data: SceneDataModule) -> Image.Image:
    """Near-duplicates side by side, the training image first: the closest pairs, and the least close ones."""
    pairs = data.duplicates
    if len(pairs) > _PAIRS:
        pairs = pairs[: _PAIRS // 2] + pairs[-_PAIRS // 2 :]
    files = [(data.images / path, pair.bits) for pair in pairs for path in (pair.train, pair.test)]
    return contact_sheet(
        [decode(file, least=MIN_SHARE).image for file, _ in files],
        [f"{file.parent.name}/{file.name}\n{bits} bits" for file, bits in files],
        columns=8,
        title=f"{data.root.name}: {len(data.duplicates)} near-duplicates, on the left the training image",
    )


def batch_sheet(
    images: Tensor, labels: Tensor, classes: Sequence[str], *, mean: Sequence[float], std: Sequence[float]
) -> Image.Image:
    """A batch as the network sees it: normalised images (N, 3, H, W); labels int64 (N,) or soft (N, classes)."""
    images, labels = images[:_BATCH_IMAGES].detach().cpu().float(), labels[:_BATCH_IMAGES].cpu()
    return contact_sheet(
        [to_image(image) for image in denormalize(images, mean, std)],
        [_caption(label, classes) for label in labels],
        size=max(96, min(160, images.shape[-1])),
        title="A training batch as the network sees it",
    )


def _caption(label: Tensor, classes: Sequence[str]) -> str:
    if not label.is_floating_point():
        return classes[int(label)]
    shares, order = label.sort(descending=True)
    parts = [(classes[int(i)], float(share)) for share, i in zip(shares, order, strict=True) if share > 0.005]
    return parts[0][0] if len(parts) == 1 else "\n".join(f"{name} {share:.0%}" for name, share in parts)


def plot_class_counts(data: SceneDataModule) -> Figure:
    """The number of training, validation and test images of each class."""
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
        axes.set_xlabel("images")
        axes.set_title(f"{data.root.name}: images per class ({len(names)} classes)")
        axes.legend(ncols=3, loc="lower right", bbox_to_anchor=(1, 1.06), fontsize=10)
    return figure


def plot_image_sizes(records: Iterable[ImageRecord]) -> Figure:
    """Width against height of every image in pixels; the area of a dot grows with the number of images of one size."""
    sizes = Counter(record.size for record in records if record.used)
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
        axes.set_title(f"Sizes of {total:,} images; most common: {common} ({count / total:.0%})")
    return figure
