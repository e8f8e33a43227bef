"""What does the network see at a place of a photo? The strongest channels there, and what they respond to elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deepdream import dreaming, images
from deepdream.hardware import best_device
from deepdream.studio.channel_examples import ChannelExamples, examples_of
from deepdream.studio.understand_jobs import View, jpeg_of, seen_by

if TYPE_CHECKING:
    from deepdream.models import Layer, Network
    from deepdream.studio.computing import Task

CHANNELS = 6  # strongest ones at a place
DEFAULT_DEPTH = 0.75  # of the layer that is looked at first: parts of objects, and still 8 x 8 places
TILE_SIDE, TILE_STEPS = 96, 32  # of a visualisation that is made now
TILE_BATCH = 2  # visualisations at a time, so that the first are there soon, and a stop is
KEPT_TILES = 500  # visualisations


@dataclass(frozen=True)
class Place:
    """A place in what the network sees, x and y in [0, 1], and the layer to look at; None: the one at DEFAULT_DEPTH."""

    x: float
    y: float
    layer: str | None = None


@dataclass(frozen=True)
class Seen:
    """The strongest channels of a layer at a place.

    layers: names of the network's blocks, to choose from. row, column, rows, columns: of the place in the layer's map.
    source: where the crops are from. channels: strongest first.
    """

    layer: str
    layers: tuple[str, ...]
    row: int
    column: int
    rows: int
    columns: int
    source: str
    channels: tuple[SeenChannel, ...]


@dataclass(frozen=True)
class SeenChannel:
    """A channel at the place. strength: in standard deviations above its mean peak in real images.

    selection: as `dream.layers` takes it. crops: JPEGs of the places in real images that excite it most.
    """

    selection: str
    channel: int
    strength: float
    crops: tuple[bytes, ...]


@dataclass(frozen=True)
class Tile:
    """The visualisation of a channel, as a JPEG."""

    channel: int
    jpeg: bytes


def look(task: Task, view: View, place: Place) -> None:
    """Job: report the Seen, and then a Tile for each of its channels."""
    network = task.network(view.ckpt)
    network.model.to(best_device(view.device))
    chosen, names = _layer(network, place.layer)
    examples = examples_of(task, network, chosen)
    task.give_way()
    channels, row, column, grid = _strongest(network, view, place, chosen, examples)
    seen = [
        SeenChannel(f"{chosen.name}:{channel}", channel, strength, tuple(map(jpeg_of, examples.crops(channel))))
        for channel, strength in channels
    ]
    task.report(Seen(chosen.name, names, row, column, *grid, examples.source, tuple(seen)))
    for channel, image in _visualizations(task, network, view, chosen, examples, [c for c, _ in channels]):
        task.report(Tile(channel, image))


def _layer(network: Network, name: str | None) -> tuple[Layer, tuple[str, ...]]:
    """The layer called `name`, and the names of the blocks to choose from, in the order of the network."""
    from deepdream.models.layers import choose_layers, layer_at

    layers = network.layers()
    names = tuple(dict.fromkeys(layer_at(share / 20, layers).name for share in range(1, 21)))
    (chosen,) = choose_layers([name if name in names else layer_at(DEFAULT_DEPTH, layers).name], layers)
    return chosen, names


def _strongest(
    network: Network, view: View, place: Place, layer: Layer, examples: ChannelExamples
) -> tuple[list[tuple[int, float]], int, int, tuple[int, int]]:
    """The CHANNELS strongest channels at the place with their strengths; row and column, and the size of the map."""
    import torch

    from deepdream.models.probing import evaluating
    from deepdream.models.taps import Taps

    _, network_image = seen_by(network, images.read_image(view.photo), view.crop)
    with torch.no_grad(), evaluating(network.model), Taps(network.model, [layer]) as taps:
        found = taps.run(network.model_input(network_image))[layer.name][0].float().cpu()  # (C, H, W)
    rows, columns = found.shape[1:]
    row, column = (min(int(at * count), count - 1) for at, count in ((place.y, rows), (place.x, columns)))
    strength = (found[:, row, column] - examples.mean) / examples.std.clamp_min(1e-6)
    strongest = strength.topk(min(CHANNELS, len(strength)))
    pairs = list(zip(strongest.indices.tolist(), strongest.values.tolist(), strict=True))
    return pairs, row, column, (rows, columns)


_tiles: dict[tuple[str, str, int], bytes] = {}  # visualisations that this process has made, oldest first


def _visualizations(
    task: Task, network: Network, view: View, layer: Layer, examples: ChannelExamples, channels: list[int]
) -> Iterator[tuple[int, bytes]]:
    """Each channel's visualisation: from the microscope, or made before, or made now."""
    missing = []
    for channel in channels:
        image = examples.visualization(channel)
        if image is not None:
            yield channel, jpeg_of(image)
        elif (made := _tiles.get((examples.key, layer.name, channel))) is not None:
            yield channel, made
        else:
            missing.append(channel)
    if not missing:
        return
    config = dreaming.DreamConfig.preset(
        "visualize", layers=[layer.name], width=TILE_SIDE, steps=TILE_STEPS, jitter=4, pad=8
    )
    dreamer = dreaming.Dreamer(network, config, device=view.device, precision=view.precision)
    for first in range(0, len(missing), TILE_BATCH):
        task.give_way()
        batch = missing[first : first + TILE_BATCH]
        for channel, pixels in zip(
            batch, dreaming.visualize_channels(dreamer, layer.name, batch, TILE_SIDE), strict=True
        ):
            image = images.to_image(pixels)
            _tiles[examples.key, layer.name, channel] = jpeg_of(image)
            yield channel, _tiles[examples.key, layer.name, channel]
    while len(_tiles) > KEPT_TILES:
        del _tiles[next(iter(_tiles))]
