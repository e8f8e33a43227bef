"""Real images that excite the channels of a layer: from a microscope of the network, or from a small set of images.

None of them needs a download: the test images of the run that trained the network; for any other network synthetic
rooms and the two sample photos.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from PIL import Image

from deepdream import images, rooms
from deepdream.apps.checkpoints import run_folder
from deepdream.apps.microscope import FIRST_ROOM
from deepdream.microscope import site_data
from deepdream.microscope.streaming import StreamingPass, sample_indices
from deepdream.models.named import digest_of
from deepdream.studio.runs import microscopes, test_images

if TYPE_CHECKING:
    from torch import Tensor

    from deepdream.models import Layer, Network
    from deepdream.studio.computing import Task

CROPS = 3  # of a channel
CROP_SIDE = 96  # pixels of a crop in the page
ROOMS = 24  # rendered rooms
TEST_IMAGES = 96  # of a run
BATCH = 8
KEPT = 8  # layers whose examples are kept

Crop = tuple[int, float, float]  # number of the image, middle of the crop, x and y in [0, 1]


class ChannelExamples(Protocol):
    """What is known of a layer's channels."""

    @property
    def key(self) -> str:
        """Of the network."""

    @property
    def source(self) -> str:
        """Of the images, in words."""

    @property
    def mean(self) -> Tensor:
        """Of each channel's peaks over real images, (C,)."""

    @property
    def std(self) -> Tensor:
        """The same of their standard deviation."""

    def crops(self, channel: int) -> list[Image.Image]:
        """The places in the CROPS images that excite the channel most, strongest first."""

    def visualization(self, channel: int) -> Image.Image | None:
        """The visualisation of the channel, if there is one."""


_kept: dict[tuple[str, str, str], ChannelExamples] = {}  # what this process has measured, oldest first


def examples_of(task: Task, network: Network, layer: Layer) -> ChannelExamples:
    """The examples of a layer: of the newest microscope that has it, or else measured now, which takes seconds."""
    key = network.digest or digest_of(network.model)
    for folder in microscopes(key):
        site = site_data.read_data(folder / "data", "site")
        for number, about in enumerate(site["layers"]):
            if about["name"] == layer.name:
                return FromMicroscope(key, folder, site, number)
    known = key, network.source, layer.name
    if known not in _kept:
        _kept[known] = _measured(task, network, layer, key)
        while len(_kept) > KEPT:
            del _kept[next(iter(_kept))]
    return _kept[known]


class FromMicroscope:
    """The examples of a microscope, from its files."""

    source = "crops and visualisations of its microscope"

    def __init__(self, key: str, folder: Path, site: dict[str, Any], number: int) -> None:
        import torch

        self.key = key
        self._folder = folder
        self._layer: str = site["layers"][number]["name"]
        self._side: float = site["layers"][number]["crop"]
        self._channels = site_data.read_data(folder / "data", f"layer-{number}")["channels"]
        self.mean = torch.tensor([channel["mean"] for channel in self._channels])
        self.std = torch.tensor([channel["std"] for channel in self._channels])

    def crops(self, channel: int) -> list[Image.Image]:
        """See `ChannelExamples`."""
        found = self._channels[channel]["best"][:CROPS]
        return [_crop(self._image(number), x, y, self._side) for number, x, y, _ in found]

    def visualization(self, channel: int) -> Image.Image | None:
        """See `ChannelExamples`."""
        path = self._folder / "visualizations" / self._layer / f"{channel}-0.jpg"
        return images.read_image(path) if path.is_file() else None

    def _image(self, number: int) -> Image.Image:
        return images.read_image(self._folder / "images" / f"{number}.jpg")


@dataclass
class FromImages:
    """Examples that were measured. best: for each channel its crops. images: those that any crop is from."""

    key: str
    source: str
    mean: Tensor
    std: Tensor
    best: list[list[Crop]]
    images: dict[int, Image.Image]
    side: float

    def crops(self, channel: int) -> list[Image.Image]:
        """See `ChannelExamples`."""
        return [_crop(self.images[number], x, y, self.side) for number, x, y in self.best[channel][:CROPS]]

    def visualization(self, channel: int) -> Image.Image | None:
        """None: there is none yet."""
        return None


def _measured(task: Task, network: Network, layer: Layer, key: str) -> FromImages:
    """One pass of the network over the images."""
    import torch

    from deepdream.microscope.image_set import Batch

    found, source = _images(network)
    seen: list[Image.Image] = []

    def batches() -> Iterator[Batch]:
        batch: list[Tensor] = []
        first = 0
        for image in found:
            task.give_way()
            pixels = network.preprocess(image).mul(255).round().to(torch.uint8)
            seen.append(images.to_image(pixels.float() / 255))
            batch.append(pixels)
            if len(batch) == BATCH:
                yield Batch(first, torch.stack(batch), torch.ones(len(batch), dtype=torch.bool))
                first, batch = len(seen), []
        if batch:
            yield Batch(first, torch.stack(batch), torch.ones(len(batch), dtype=torch.bool))

    every = list(batches())  # before the taps are open
    streaming = StreamingPass(network, [layer], [0] * len(seen), samples=sample_indices(len(seen), 1))
    device = next(network.model.parameters()).device
    statistics = streaming.run(every, device=device).layers[layer.name]
    arrays = statistics.arrays
    rows, columns = arrays["grid"].tolist()
    best: list[list[Crop]] = [
        [
            (number, (place % columns + 0.5) / columns, (place // columns + 0.5) / rows)
            for number, place in zip(numbers, places, strict=True)
            if number >= 0
        ]
        for numbers, places in zip(arrays["best_image"].T.tolist(), arrays["best_place"].T.tolist(), strict=True)
    ]
    mean, std = (torch.from_numpy(each).float() for each in statistics.peak_moments)
    shown = {number for each in best for number, _, _ in each[:CROPS]}
    side = site_data.crop_side(layer, network.image_size)
    return FromImages(key, source, mean, std, best, {number: seen[number] for number in shown}, side)


def _images(network: Network) -> tuple[Iterator[Image.Image], str]:
    """Images that need no download, and what they are."""
    paths = test_images(run_folder(network.source)) if Path(network.source).is_file() else []
    if paths:
        some = [paths[index] for index in sample_indices(len(paths), TEST_IMAGES)]
        return _readable(some), f"crops of {len(some)} test images of its run"
    return _rendered(network), "crops of synthetic rooms and two photos; make a microscope for crops of your own images"


def _readable(paths: list[Path]) -> Iterator[Image.Image]:
    for path in paths:
        try:
            yield images.read_image(path)
        except (OSError, ValueError):
            continue


def _rendered(network: Network) -> Iterator[Image.Image]:
    """Rooms of the classes that the network knows, or of all, and the sample photos."""
    for name in images.SAMPLES:
        yield images.read_sample(name)
    known = [name for name in rooms.CLASSES if name in network.classes] or list(rooms.CLASSES)
    for number in range(ROOMS):
        name = known[number % len(known)]
        yield Image.fromarray(rooms.render_room(name, FIRST_ROOM + number, size=max(64, network.image_size)))


def _crop(image: Image.Image, x: float, y: float, side: float) -> Image.Image:
    """A square around (x, y), moved inside; side: as a share of the image's."""
    left, top = (min(max(at - side / 2, 0), 1 - side) for at in (x, y))
    box = (left * image.width, top * image.height, (left + side) * image.width, (top + side) * image.height)
    return image.convert("RGB").resize((CROP_SIDE, CROP_SIDE), Image.Resampling.BICUBIC, box=box)
