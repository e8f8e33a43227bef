"""From the configuration of a dream to its pixels and their provenance, for the command and for Python."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image

from deepdream import dreaming, images
from deepdream.apps import inputs, reproduce
from deepdream.dreaming.config import CHANNELS, DreamAppConfig

if TYPE_CHECKING:
    from torch import Tensor

    from deepdream.dreaming import Dreamer, StepReport
    from deepdream.models import Network


@dataclass(frozen=True)
class DreamedImage:
    """A dream and what it was made from.

    before: the image, (3, H, W) in [0, 1]. after: its dream, (3, H, W), or (4, H, W) with alpha.
    provenance: what a file of it stores.
    """

    before: Tensor
    after: Tensor
    dreamer: Dreamer
    guide: Tensor | None
    seconds: float
    provenance: dict[str, Any]


def dream_image(
    config: DreamAppConfig, network: Network, on_step: Callable[[StepReport], object] | None = None
) -> DreamedImage:
    """The dream of the one image that `config` names. Raises what `Dreamer` and `read_image` raise."""
    import torch

    source = inputs.source_pixels(config.image, config)
    rgba = images.to_tensor(source)
    before, alpha = rgba[:3], rgba[3:]  # no alpha: (0, H, W)
    guide, mask = inputs.guide(config), inputs.mask(config.mask, network, source)
    transparency = dreaming.Transparency()

    def after_step(step: StepReport) -> None:
        if config.dream.transparency is not None:
            transparency(step)
        if on_step is not None:
            on_step(step)

    start = time.monotonic()
    dreamer = inputs.dreamer(config, network)
    after = dreamer(before, seed=config.seed, guide=guide, mask=mask, on_step=after_step)
    seconds = time.monotonic() - start
    if (share := config.dream.transparency) is not None:
        opacity = transparency.opacity(1 - share).to(before)
        alpha = alpha * opacity if len(alpha) else opacity
    provenance = reproduce.provenance(config, network, dreamer)
    dream = torch.cat([after, alpha]) if len(alpha) else after
    return DreamedImage(before, dream, dreamer, guide, seconds, provenance)


@dataclass(frozen=True)
class ChannelGrid:
    """Visualisations of the channels of a layer that respond most to an image.

    image: one beside the other, each with its channel below. provenance: what a file of it stores.
    """

    image: Image.Image
    layer: str
    channels: list[int]
    provenance: dict[str, Any]


def channel_grid(config: DreamAppConfig, network: Network) -> ChannelGrid:
    """The grid of the strongest channels of the first layer. Raises what `dream_image` raises."""
    from deepdream.plots import contact_sheet

    whole = dataclasses.replace(config, dream=dataclasses.replace(config.dream, width=None, bits=None))
    image = images.to_tensor(inputs.source_image(config.image or inputs.DEFAULT_PHOTO, whole))
    of_layer = dataclasses.replace(config.dream, layers=config.dream.layers[:1])
    dreamer = inputs.dreamer(dataclasses.replace(config, dream=of_layer), network)
    (layer,), side = dreamer.config.layers, config.dream.width or network.image_size
    channels = dreaming.strongest_channels(network, layer, image, config.channels or CHANNELS)
    found = dreaming.visualize_channels(dreamer, layer, channels, side, seed=config.seed)
    captions = [f"{layer}:{channel}" for channel in channels]
    columns = max(1, round((len(channels) * 4 / 3) ** 0.5))  # about 4:3
    grid = contact_sheet([images.to_image(each) for each in found], captions, columns=columns, size=side)
    return ChannelGrid(grid, layer, channels, reproduce.provenance(config, network, dreamer))
