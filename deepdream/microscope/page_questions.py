"""The machine's Borowski test of a microscope: do the images of a channel's page tell what excites the channel?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from deepdream.files import write_atomically
from deepdream.microscope.borowski import ForcedChoice, Question, forced_choice, judge_features
from deepdream.microscope.site import crop_of
from deepdream.microscope.site_data import Microscope, Record, short
from deepdream.microscope.visualizations import PHOTO, Visualizations
from deepdream.models import Layer, Network
from deepdream.models.named import digest_of

TESTED = 128  # channels of a layer at most, evenly spread
EACH = 3  # questions of a channel
TEST = "test.json"  # the file in the folder of the microscope


@dataclass(frozen=True)
class PageTest:
    """How often a judge was right. layer: of the channels. shown: which images of a page it saw."""

    layer: str
    shown: str
    outcome: ForcedChoice

    @property
    def record(self) -> Record:
        """As in the file and on the first page; low and high are of the wider of the two 95 % intervals."""
        low, high = max(self.outcome.wilson, self.outcome.bootstrap, key=lambda interval: interval[1] - interval[0])
        return {
            "layer": self.layer,
            "shown": self.shown,
            "share": short(self.outcome.share),
            "low": short(low),
            "high": short(high),
            "questions": self.outcome.questions,
            "channels": self.outcome.units,
        }


def ask_about_pages(
    microscope: Microscope, folder: Path, judge: Network, visualizations: Visualizations | None
) -> list[PageTest]:
    """Let `judge` tell strongly from weakly exciting images by what the pages show; results go to the file TEST too.

    folder: of the finished microscope, whose image files the judge sees. The images of a question are the strongest and
    the weakest of all that are not shown. Shown are the crops, strongest and weakest as on the
    page; the visualisations; and both. What a visualisation looks like as such, whatever its channel, says nothing: the
    mean over those of all tested channels of the layer stands beside each channel's, as what does not excite it.
    Raises ValueError where the judge is the network of the microscope, and where there are too few images.
    """
    if digest_of(judge.model) == digest_of(microscope.network.model):
        raise ValueError(f"judge is {judge.source}, the network of the microscope; name one trained independently")
    files = [folder / "images" / f"{number}.jpg" for number in range(len(microscope.images.paths))]
    opened = [_opened(file) for file in files]
    whole = _features(judge, opened)
    results = []
    for layer in microscope.layers:
        held_out = _held_out(microscope, layer)
        channels = np.linspace(0, layer.channels - 1, min(layer.channels, TESTED)).round().astype(int).tolist()
        channels = [channel for channel in channels if held_out[channel]]
        dreamt = {} if visualizations is None else _dreamt(judge, visualizations, layer, channels)
        typical = F.normalize(torch.cat(list(dreamt.values())).mean(dim=0, keepdim=True), dim=1) if dreamt else None
        crops: list[Question] = []
        dreams: list[Question] = []
        both: list[Question] = []
        for channel in channels:
            best, worst = (
                _features(judge, _crops(microscope, layer, channel, kind, opened, judge.image_size))
                for kind in ("best", "worst")
            )
            for strong, weak in held_out[channel]:
                pair = whole[strong], whole[weak], channel
                crops.append(Question(best, *pair, against=worst))
                if typical is not None:
                    own = dreamt[channel]
                    dreams.append(Question(own, *pair, against=typical))
                    against = torch.cat([worst, typical.expand(len(own), -1)])
                    both.append(Question(torch.cat([best, own]), *pair, against=against))
        asked = {"crops": crops, "visualisations": dreams, "both": both}
        results += [PageTest(layer.name, shown, forced_choice(each)) for shown, each in asked.items() if each]
    if not results:
        raise ValueError(f"{len(files)} images are too few to hold out some of a channel's page; give at least 24")
    record = {"judge": judge.source, "results": [each.record for each in results]}
    write_atomically(folder / TEST, (json.dumps(record, indent=1) + "\n").encode())
    return results


def _dreamt(judge: Network, visualizations: Visualizations, layer: Layer, channels: Sequence[int]) -> dict[int, Tensor]:
    """What `judge` sees in the visualisations of each channel from noise: (kinds, D)."""
    kinds = [kind for kind in visualizations.kinds if kind != PHOTO]
    return {
        channel: _features(judge, [_opened(visualizations.path(layer, channel, kind)) for kind in kinds])
        for channel in channels
    }


def _held_out(microscope: Microscope, layer: Layer) -> list[list[tuple[int, int]]]:
    """For each channel up to EACH pairs: page numbers of the strongest and weakest images that are not shown for it.

    None for a channel that all other images excite alike.
    """
    arrays, samples = microscope.found.layers[layer.name].arrays, microscope.found.samples
    numbers = np.searchsorted(microscope.indices, samples)
    readable = np.isin(samples, microscope.indices)
    found = []
    for channel in range(layer.channels):
        peaks = arrays["sample_peak"][:, channel]
        shown = np.isin(samples, [arrays["best_image"][:, channel], arrays["worst_image"][:, channel]])
        order = np.argsort(-peaks, kind="stable")
        order = order[(readable & ~shown)[order]]
        pairs = zip(order[:EACH], order[: len(order) // 2 : -1][:EACH], strict=False)
        found.append([(int(numbers[s]), int(numbers[w])) for s, w in pairs if peaks[s] > peaks[w]])
    return found


def _crops(
    microscope: Microscope, layer: Layer, channel: int, kind: str, opened: Sequence[Image.Image], pixels: int
) -> list[Image.Image]:
    """The crops of a channel's page, pixels x pixels."""
    arrays = microscope.found.layers[layer.name].arrays
    places = zip(arrays[f"{kind}_image"][:, channel], arrays[f"{kind}_place"][:, channel], strict=True)
    return [
        crop_of(opened[int(np.searchsorted(microscope.indices, image))], microscope, layer, int(place), pixels)
        for image, place in places
        if image >= 0
    ]


def _features(judge: Network, images: Sequence[Image.Image]) -> Tensor:
    return judge_features(judge, torch.stack([judge.preprocess(image) for image in images]))


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as file:
        return file.convert("RGB")
