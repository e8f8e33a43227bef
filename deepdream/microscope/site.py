"""The folder of a microscope: images, sheets of tiles, and the page that shows them from disk, without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image
from torch import Tensor

from deepdream import __version__
from deepdream.files import atomic_path, write_atomically
from deepdream.images import to_tensor
from deepdream.microscope.image_set import ImageSet, batches
from deepdream.microscope.site_data import Microscope, crop_side, middle_images, write_data
from deepdream.microscope.visualizations import QUALITY, Visualizations
from deepdream.models import Layer, Network

TILE = 64  # pixels of a tile in a sheet
INDEX = "index.html"  # the page
SHEET = 16  # tiles a side of a sheet
LARGEST = 256  # pixels a side of an image file

SCRIPTS = ("page", "wall", "channel", "classes", "image", "start")  # in the order in which they are loaded


def write_images(folder: Path, images: ImageSet, network: Network, *, batch_size: int, workers: int) -> None:
    """Write the images as the network sees them: folder/0.jpg ...; those that exist are kept."""
    if all((folder / f"{number}.jpg").is_file() for number in range(len(images.paths))):
        return
    for batch in batches(images, network, batch_size=batch_size, workers=workers):
        for number, pixels in enumerate(batch.images, batch.first):
            image = Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
            image.thumbnail((LARGEST, LARGEST))
            with atomic_path(folder / f"{number}.jpg") as partial:
                image.save(partial, "JPEG", quality=QUALITY)


def write_site(folder: Path, microscope: Microscope, visualizations: Visualizations | None = None) -> Path:
    """Write data, sheets of tiles and the page; returns the path of index.html.

    visualizations: those that are complete; None: the tiles are crops of the strongest images.
    """
    write_data(folder / "data", microscope)
    for number, layer in enumerate(microscope.layers):
        _write_sheets(folder / "sheets", f"{number}-crops", _crops(folder, microscope, layer))
        if visualizations is not None:
            _write_sheets(folder / "sheets", f"{number}-dreams", _dreams(visualizations, layer))
    return write_page(folder, microscope.title)


def write_page(folder: Path, title: str) -> Path:
    """Write index.html with its style and scripts."""
    environment = Environment(
        loader=PackageLoader("deepdream.microscope"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("index.html.j2").render(title=title, scripts=SCRIPTS, version=__version__)
    for name in ("style.css", *(f"{script}.js" for script in SCRIPTS)):
        content = (files("deepdream.microscope") / "templates" / name).read_bytes()
        write_atomically(folder / "page" / name, content)
    index = folder / INDEX
    write_atomically(index, page.encode("utf-8"))
    return index


def _write_sheets(folder: Path, name: str, tiles: Iterator[Image.Image]) -> None:
    """Write the tiles as sheets of SHEET x SHEET: <name>-0.jpg ..."""
    every = list(tiles)
    for number, first in enumerate(range(0, len(every), SHEET * SHEET)):
        part = every[first : first + SHEET * SHEET]
        sheet = Image.new("RGB", (SHEET * TILE, -(-len(part) // SHEET) * TILE), "grey")
        for i, tile in enumerate(part):
            sheet.paste(tile.resize((TILE, TILE), Image.Resampling.LANCZOS), (i % SHEET * TILE, i // SHEET * TILE))
        with atomic_path(folder / f"{name}-{number}.jpg") as partial:
            sheet.save(partial, "JPEG", quality=QUALITY)


def _crops(folder: Path, microscope: Microscope, layer: Layer) -> Iterator[Image.Image]:
    """The crop of each channel's strongest image."""
    arrays = microscope.found.layers[layer.name].arrays
    page = {int(index): number for number, index in enumerate(microscope.indices)}
    opened: dict[int, Image.Image] = {}
    for index, place in zip(arrays["best_image"][0].tolist(), arrays["best_place"][0].tolist(), strict=True):
        if index not in page:
            yield Image.new("RGB", (TILE, TILE), "grey")
            continue
        if index not in opened:
            with Image.open(folder / "images" / f"{page[index]}.jpg") as file:
                opened[index] = file.convert("RGB")
        yield crop_of(opened[index], microscope, layer, place, TILE)


def crop_of(image: Image.Image, microscope: Microscope, layer: Layer, place: int, pixels: int) -> Image.Image:
    """The crop around a flat index of the layer's map, as the page of a channel shows it: pixels x pixels."""
    rows, columns = microscope.found.layers[layer.name].arrays["grid"].tolist()
    side = crop_side(layer, microscope.network.image_size)
    x, y = (place % columns + 0.5) / columns, (place // columns + 0.5) / rows
    left, top = (min(max(at - side / 2, 0), 1 - side) for at in (x, y))
    box = (left * image.width, top * image.height, (left + side) * image.width, (top + side) * image.height)
    return image.resize((pixels, pixels), Image.Resampling.BICUBIC, box=box)


def _dreams(visualizations: Visualizations, layer: Layer) -> Iterator[Image.Image]:
    for channel in range(layer.channels):
        with Image.open(visualizations.path(layer, channel, "0")) as file:
            yield file.convert("RGB")


def starting_photos(folder: Path, microscope: Microscope, layer: Layer, side: int) -> Callable[[list[int]], Tensor]:
    """The photos that the dreams of channels start from, (n, 3, side, side): images that excite each moderately."""
    chosen = middle_images(microscope.found.layers[layer.name], microscope.found.samples)
    pages = np.searchsorted(microscope.indices, chosen).tolist()

    def photos(channels: list[int]) -> Tensor:
        found = []
        for channel in channels:
            with Image.open(folder / "images" / f"{pages[channel]}.jpg") as file:
                found.append(to_tensor(file.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)))
        return torch.stack(found)

    return photos
