"""The data of a microscope's pages: plain values, written as JavaScript files that a page from disk can load.

A browser lets a page that was opened from disk load scripts, but not read JSON. Each file is therefore one call,
`microscope.add(name, JSON)`:

data/site.js      name of the network, classes, layers, each with some of its channels for the first page
data/layer-I.js   of layer I: for each channel its images, histogram, classes and nearest channels
data/images.js    of each image: name, class, predictions
data/reasons.js   of each image: Grad-CAM, strongest channels, removals, similar images
data/classes.js   of each class: the channels that contribute most

Optional fields, which the pages show where they are there:

    channel.trust     a text for each visualisation and for the dream on a photo, shown under it
    class.concepts    [{title, importance (0 to 1), layer, images: [[image, x, y, side], ...], dream: path or null}]
    site.test         {judge, results: [{layer, shown, share, low, high, questions, channels}]}
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from deepdream.files import write_atomically
from deepdream.microscope.channel_statistics import BINS, ChannelStatistics, K
from deepdream.microscope.evidence import Evidence, LayerEvidence
from deepdream.microscope.image_set import ImageSet
from deepdream.microscope.streaming import Pass
from deepdream.models import Layer, Network

MOST_OF_IMAGE = 0.5  # side of a crop as a share of the image's: effective receptive fields are small (Luo et al. 2016)
CLASSES = 12  # classes of a channel's means
VOTES = 5  # classes that a channel speaks for, and against
NEAREST = 8  # channels
SIMILAR = 8  # images
MAKERS = 12  # channels of a class and layer
STRIP = 24  # channels of a layer on the first page
LARGEST_Z = 32.0
Z_STEPS = 1000

Record = dict[str, Any]
Example = tuple[int, int, float]  # image, place of the peak, peak


@dataclass(frozen=True)
class Microscope:
    """All that the pages show. images: those with a page; `indices` of them in the pass, ascending.

    trust: for each layer and channel a text for each visualisation, the last one for the dream on a photo.
    concepts: for each class. test: of the machine's Borowski test, as test.json has it.
    """

    network: Network
    layers: Sequence[Layer]
    images: ImageSet
    indices: npt.NDArray[np.int64]
    found: Pass
    evidence: Evidence
    visualizations: int = 0
    title: str = ""
    dream_command: str = "python dream.py"
    notes: Sequence[str] = ()
    trust: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    concepts: Mapping[int, Sequence[Record]] = field(default_factory=dict)
    test: Record | None = None


def page_images(found: Pass) -> npt.NDArray[np.int64]:
    """The indices of the images with a page: the samples, and the strongest and weakest of each channel; ascending."""
    chosen = [found.samples]
    for statistics in found.layers.values():
        chosen += [statistics.arrays[f"{kind}_image"].ravel() for kind in ("best", "worst")]
    every = np.unique(np.concatenate(chosen))
    return every[(every >= 0) & ~np.isin(every, found.skipped)]


def write_data(folder: Path, microscope: Microscope) -> None:
    """Write the data files of the pages into `folder`."""
    of_layers = [_layer(microscope, layer) for layer in microscope.layers]
    files: dict[str, Any] = {f"layer-{i}": one for i, one in enumerate(of_layers)}
    files |= {"images": _images(microscope), "reasons": _reasons(microscope), "classes": _classes(microscope)}
    files["site"] = _site(microscope, [layer["order"] for layer in of_layers])
    for name, content in files.items():
        text = json.dumps(content, separators=(",", ":"), allow_nan=False)
        script = f"microscope.add({json.dumps(name)},{text});\n"
        write_atomically(folder / f"{name}.js", script.encode("ascii"))


def read_data(folder: Path, name: str) -> Any:
    """What `write_data` has written to <name>.js in `folder`. Raises ValueError and OSError where there is no such."""
    text = (folder / f"{name}.js").read_text(encoding="ascii")
    return json.loads(text.removeprefix(f"microscope.add({json.dumps(name)},").removesuffix(");\n"))


def crop_side(layer: Layer, image_size: int) -> float:
    """Side of a crop as a share of the image's: the receptive field's, at most MOST_OF_IMAGE."""
    return min(MOST_OF_IMAGE, (layer.receptive_field or 4 * layer.stride) / image_size)


def _site(microscope: Microscope, orders: Sequence[Sequence[int]]) -> Record:
    network = microscope.network
    layers = []
    for layer, order in zip(microscope.layers, orders, strict=True):
        statistics = microscope.found.layers[layer.name]
        layers.append(
            {
                "name": layer.name,
                "kind": layer.kind,
                "channels": layer.channels,
                "depth": short(layer.depth),
                "field": layer.receptive_field,
                "crop": short(crop_side(layer, network.image_size)),
                "grid": statistics.arrays["grid"].tolist(),
                "exact": microscope.evidence.layers[layer.name].exact,
                "strip": order[:: max(1, len(order) // STRIP)][:STRIP],
            }
        )
    return {
        "title": microscope.title,
        "digest": network.digest[:12],
        "classes": network.classes,
        "layers": layers,
        "images": len(microscope.images.paths),
        "seen": int(statistics.arrays["count"][0]),
        "labelled": any(label >= 0 for label in microscope.images.labels),
        "visualizations": microscope.visualizations,
        "dream": microscope.dream_command,
        "notes": list(microscope.notes),
        "test": microscope.test,
    }


def _layer(microscope: Microscope, layer: Layer) -> Record:
    statistics, evidence = microscope.found.layers[layer.name], microscope.evidence.layers[layer.name]
    page = {int(index): number for number, index in enumerate(microscope.indices)}
    class_means = statistics.class_means
    present = statistics.arrays["class_count"] > 0
    entropy = _entropy(class_means[present])
    correlation = _correlation(statistics)
    columns = statistics.arrays["grid"][1]
    rows = statistics.arrays["grid"][0]
    middle = middle_examples(statistics, microscope.found.samples)
    means, stds = statistics.peak_moments
    trust = microscope.trust.get(layer.name)
    channels = []
    for channel in range(layer.channels):
        shown = {
            kind: [
                [
                    page[image],
                    short((place % columns + 0.5) / columns),
                    short((place // columns + 0.5) / rows),
                    short(value),
                ]
                for image, place, value in examples
                if image in page
            ]
            for kind, examples in (
                ("best", _examples(statistics, "best", channel)),
                ("middle", middle[channel]),
                ("worst", _examples(statistics, "worst", channel)),
            )
        }
        record: Record = {
            **shown,
            "histogram": _histogram(statistics, channel),
            "fires": short(statistics.firing[channel]),
            "mean": short(means[channel]),
            "std": short(stds[channel]),
            "entropy": short(entropy[channel]),
            "classes": _largest(class_means[:, channel], CLASSES, of=present),
            "for": _largest(evidence.contributions[:, channel], VOTES),
            "against": _largest(-evidence.contributions[:, channel], VOTES, sign=-1),
            "near": _nearest(correlation, channel),
        }
        if trust is not None:
            record["trust"] = list(trust[channel])
        channels.append(record)
    return {
        "channels": channels,
        "order": _similar_together(correlation).tolist(),
        "z": _class_z(class_means),
    }


def _examples(statistics: ChannelStatistics, kind: str, channel: int) -> list[Example]:
    arrays = (statistics.arrays[f"{kind}_{name}"][:, channel].tolist() for name in ("image", "place", "value"))
    return [(image, place, value) for image, place, value in zip(*arrays, strict=True) if image >= 0]


def middle_examples(statistics: ChannelStatistics, samples: npt.NDArray[np.int64]) -> list[list[Example]]:
    """For each channel the K images around the median of the samples' peaks, strongest first."""
    peaks, places = statistics.arrays["sample_peak"], statistics.arrays["sample_place"]
    order = np.argsort(-peaks, axis=0, kind="stable")
    first = max(0, (len(samples) - K) // 2)
    rows = order[first : first + K]  # (K, C)
    columns = np.arange(peaks.shape[1])
    found = [
        zip(samples[row].tolist(), places[row, c].tolist(), peaks[row, c].tolist(), strict=True)
        for c, row in zip(columns, rows.T, strict=True)
    ]
    return [list(each) for each in found]


def middle_images(statistics: ChannelStatistics, samples: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each channel the readable image whose peak is the median of the samples', (C,)."""
    order = np.argsort(-statistics.arrays["sample_peak"], axis=0, kind="stable")
    middle: npt.NDArray[np.int64] = samples[order[len(samples) // 2]]
    return middle


def _histogram(statistics: ChannelStatistics, channel: int) -> list[float]:
    """Width of a bin, number of the first one from zero, and the counts from there on, without empty ends."""
    counts = statistics.arrays["histogram"][:, channel]
    filled = np.flatnonzero(counts)
    if not len(filled):
        return []
    first, last = int(filled[0]), int(filled[-1])
    width = float(statistics.arrays["range"][channel]) / (BINS / 2)
    return [width, first - BINS // 2, *counts[first : last + 1].tolist()]


def _entropy(class_means: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of each channel's activation over the classes, as a share of the largest: 0 is one class, 1 is all alike."""
    positive = np.maximum(class_means, 0)
    total = positive.sum(axis=0)
    shares = positive / np.where(total > 0, total, 1)
    terms = np.where(shares > 0, shares * np.log(np.where(shares > 0, shares, 1)), 0)
    entropy: npt.NDArray[np.float64] = np.where(total > 0, -terms.sum(axis=0) / max(np.log(len(shares)), 1e-12), 1)
    return entropy


def _correlation(statistics: ChannelStatistics) -> npt.NDArray[np.float64]:
    """Of the means of each two channels over the samples, (C, C); 0 for a channel that has one value."""
    values = statistics.arrays["sample_mean"].astype(np.float64)
    values = values - values.mean(axis=0)
    length = np.linalg.norm(values, axis=0)
    values = values / np.where(length > 0, length, 1)
    correlation: npt.NDArray[np.float64] = (values.T @ values).clip(-1, 1)
    return correlation


def _similar_together(correlation: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """An order of the channels with similar ones side by side: hierarchical clustering, average linkage."""
    if len(correlation) < 3:
        return np.arange(len(correlation))
    distance = 1 - correlation
    np.fill_diagonal(distance, 0)
    order: npt.NDArray[np.int64] = leaves_list(linkage(squareform(distance, checks=False), "average"))
    return order


def _nearest(correlation: npt.NDArray[np.float64], channel: int) -> list[list[float]]:
    others = correlation[channel].copy()
    others[channel] = -np.inf
    order = np.argsort(-others, kind="stable")[: min(NEAREST, len(others) - 1)]
    return [[int(other), short(others[other])] for other in order]


def _class_z(class_means: npt.NDArray[np.float64]) -> str:
    """How far each class's mean lies above the channel's mean of all, in standard deviations: (classes, C).

    As uint16 in little-endian order, (z + LARGEST_Z) * Z_STEPS, in base64.
    """
    std = class_means.std(axis=0)
    z = (class_means - class_means.mean(axis=0)) / np.where(std > 0, std, 1)
    steps = ((z.clip(-LARGEST_Z, LARGEST_Z) + LARGEST_Z) * Z_STEPS).round().astype("<u2")
    return base64.b64encode(steps.tobytes()).decode("ascii")


def _largest(
    values: npt.NDArray[np.float64], count: int, *, sign: int = 1, of: npt.NDArray[np.bool_] | None = None
) -> list[list[float]]:
    """[index, sign * value] of the `count` largest positive values; with `of`, of all values there."""
    order = np.argsort(-values, kind="stable")
    chosen = [i for i in order if (of[i] if of is not None else values[i] > 0)][:count]
    return [[int(i), short(sign * values[i])] for i in chosen]


def _images(microscope: Microscope) -> list[Record]:
    evidence = microscope.evidence
    return [
        {"name": name, "label": label, "top": _pairs(evidence.top[i], evidence.probabilities[i])}
        for i, (name, label) in enumerate(zip(microscope.images.names, microscope.images.labels, strict=True))
    ]


def _reasons(microscope: Microscope) -> list[Record]:
    evidence = microscope.evidence
    similar = evidence.most_similar(SIMILAR)
    layers: list[LayerEvidence] = list(evidence.layers.values())
    return [
        {
            "heat": base64.b64encode(heat.tobytes()).decode("ascii"),
            "strongest": [_pairs(layer.strongest[i], layer.strengths[i]) for layer in layers],
            "removed": [_pairs(layer.removed[i], layer.drops[i]) for layer in layers],
            "similar": similar[i].tolist(),
        }
        for i, heat in enumerate(evidence.heat)
    ]


def _classes(microscope: Microscope) -> list[Record]:
    records: list[Record] = []
    for number in range(len(microscope.network.classes)):
        contributions = [microscope.evidence.layers[layer.name].contributions[number] for layer in microscope.layers]
        record: Record = {"makers": [_largest(values, MAKERS) for values in contributions]}
        if number in microscope.concepts:
            record["concepts"] = list(microscope.concepts[number])
        records.append(record)
    return records


def _pairs(indices: npt.NDArray[np.int64], values: npt.NDArray[np.float32]) -> list[list[float]]:
    return [[int(index), short(value)] for index, value in zip(indices, values, strict=True)]


def short(value: float) -> float:
    """Four significant digits; 0 for what is not finite."""
    return float(f"{value:.4g}") if np.isfinite(value) else 0.0
