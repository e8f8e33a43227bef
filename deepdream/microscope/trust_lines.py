"""The line of trust under each visualisation of a microscope: its activation, and its path through the network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from deepdream.images import to_tensor
from deepdream.microscope.channel_statistics import response
from deepdream.microscope.site_data import Microscope
from deepdream.microscope.trust import Floats, activation_percentile, agreement, unit_ranks
from deepdream.microscope.visualizations import Visualizations
from deepdream.models import Layer, Network
from deepdream.models.probing import evaluating
from deepdream.models.taps import Taps


def trust_lines(microscope: Microscope, layer: Layer, visualizations: Visualizations) -> list[list[str]]:
    """For each channel of `layer` a line for each of its visualisations, in the order of `visualizations.kinds`.

    The percentile and the multiple compare the visualisation's peak with those of the images. The agreement of its path
    (`trust.path_agreement`) is that in the layers of the microscope up to `layer`, between the images that excite the
    channel most and all others with a page.
    """
    path = microscope.layers[: list(microscope.layers).index(layer) + 1]
    arrays = microscope.found.layers[layer.name].arrays
    readable = np.isin(microscope.found.samples, microscope.indices)
    ranks = {one.name: unit_ranks(microscope.evidence.layers[one.name].means.astype(np.float64)) for one in path}
    sums = {name: every.sum(axis=0) for name, every in ranks.items()}
    lines: list[list[str]] = [[] for _ in range(layer.channels)]
    for kind in visualizations.kinds:
        images = [_opened(visualizations, layer, channel, kind) for channel in range(layer.channels)]
        peaks, means = _responses(microscope.network, path, torch.stack(images))
        seen = {name: unit_ranks(values) for name, values in means.items()}
        for channel, line in enumerate(lines):
            real = arrays["sample_peak"][readable, channel]
            best = arrays["best_image"][:, channel]
            own = np.searchsorted(microscope.indices, best[best >= 0])
            agreements = {}
            for name, every in ranks.items():
                exciting = every[own]
                others = (sums[name] - exciting.sum(axis=0)) / max(1, len(every) - len(own))
                if 2 <= len(own) < len(every):
                    agreements[name] = agreement(seen[name][channel], exciting, others)
            line.append(_line(float(peaks[channel, channel]), real, agreements))
    return lines


def _line(peak: float, real: Floats, agreements: dict[str, float]) -> str:
    """The text: how strongly it excites the channel, and how far its path is that of the images."""
    highest = float(real.max())
    text = f"stronger than {activation_percentile(peak, real):.0f} % of the images"
    if peak > highest > 0:
        text = f"{peak / highest:.1f} times as strong as the strongest image"
    known = [(name, value) for name, value in agreements.items() if np.isfinite(value)]
    if not known:
        return text
    values = [(name, f"{value:.1f}" if value >= 0 else "below 0") for name, value in known]
    if len(values) == 1:
        return f"{text}; path {values[0][1]}"
    return f"{text}; path {', '.join(f'{value} in {name}' for name, value in values)}"


def _opened(visualizations: Visualizations, layer: Layer, channel: int, kind: str) -> Tensor:
    with Image.open(visualizations.path(layer, channel, kind)) as file:
        return to_tensor(file.convert("RGB"))


@torch.no_grad()
def _responses(
    network: Network, path: Sequence[Layer], images: Tensor, batch_size: int = 64
) -> tuple[Tensor, dict[str, Floats]]:
    """Of images (N, 3, H, W): the peaks of the last layer of the path, (N, C), and the means of every layer."""
    peaks: list[Tensor] = []
    means: dict[str, list[Tensor]] = {layer.name: [] for layer in path}
    with evaluating(network.model), Taps(network.model, path) as taps:
        for batch in torch.split(images, batch_size):
            maps = taps.run(network.model_input(batch))
            peaks.append(response(maps[path[-1].name]).peak.cpu())
            for name, found in means.items():
                found.append(response(maps[name]).mean.cpu())
    return torch.cat(peaks), {name: torch.cat(found).double().numpy() for name, found in means.items()}
