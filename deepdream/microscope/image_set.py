"""The images of a microscope: files, their classes where these are known, and batches of them in order."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from deepdream.images import decode
from deepdream.models import Network
from deepdream.scenes.class_folders import find_images_below
from deepdream.scenes.integrity import MIN_SHARE
from deepdream.scenes.layout import find_images, read_list

UNKNOWN = -1  # the label of an image whose class is not known


@dataclass(frozen=True)
class ImageSet:
    """Images in order. labels: the class of each by its index in the network's, or UNKNOWN.

    root: the folder that the names of the images start from.
    """

    paths: Sequence[Path]
    labels: Sequence[int]
    root: Path

    def __post_init__(self) -> None:
        if not self.paths:
            raise ValueError(f"there is no image in {self.root}; expected files like photo.jpg or photo.png")

    @property
    def names(self) -> list[str]:
        """The path of each image below the root."""
        return [path.relative_to(self.root).as_posix() for path in self.paths]

    def take(self, indices: Sequence[int]) -> ImageSet:
        """Some of the images."""
        return replace(self, paths=[self.paths[i] for i in indices], labels=[self.labels[i] for i in indices])


def images_below(folder: Path, classes: Sequence[str]) -> ImageSet:
    """The image files below `folder`; in the layout of MIT Indoor Scenes those of TestImages.txt.

    An image in a folder that is called like one of `classes` is labelled with it.
    Raises FileNotFoundError where `folder` is none, and ValueError where it has no image.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"images is {folder}, which is not a folder")
    root, lists = folder, folder / "TestImages.txt"
    images = find_images(folder)
    if lists.is_file() and images is not None:
        root, entries = images, list(read_list(lists))
    else:
        entries = list(find_images_below(folder))
    index = {name.lower(): i for i, name in reversed(list(enumerate(classes)))}
    labels = [index.get(Path(entry).parent.name.lower(), UNKNOWN) for entry in entries]
    return ImageSet([root / entry for entry in entries], labels, root)


@dataclass(frozen=True)
class Batch:
    """first: index of its first image. images: uint8 (N, 3, S, S), as the network sees them. readable: bool (N,)."""

    first: int
    images: Tensor
    readable: Tensor


def batches(
    images: ImageSet, network: Network, *, batch_size: int, workers: int, part: range | None = None
) -> Iterator[Batch]:
    """The images, or a part of them that begins at a multiple of `batch_size`: the same batches in either case."""
    part = range(len(images.paths)) if part is None else part
    shown = replace(network, model=nn.Identity())  # loading processes need no weights
    shown.__dict__.pop("probe", None)
    dataset = _Shown(images.paths[part.start : part.stop], shown)
    loader: DataLoader[tuple[Tensor, bool]] = DataLoader(
        dataset, batch_size, num_workers=workers, worker_init_fn=_ignore_ctrl_c
    )
    first = part.start
    for batch, readable in loader:
        yield Batch(first, batch, readable)
        first += len(batch)


class _Shown(Dataset[tuple[Tensor, bool]]):
    """Each image as the network sees it, and whether it can be read; one that cannot is empty."""

    def __init__(self, paths: Sequence[Path], network: Network) -> None:
        self._paths = paths
        self._network = network

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> tuple[Tensor, bool]:
        size = self._network.image_size
        try:
            image = decode(self._paths[index], least=MIN_SHARE).image
        except (OSError, ValueError):
            return torch.zeros(3, size, size, dtype=torch.uint8), False
        return self._network.preprocess(image).mul(255).round().to(torch.uint8), True


def _ignore_ctrl_c(worker: int) -> None:
    """A terminal sends Ctrl-C to every process; the main process ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
