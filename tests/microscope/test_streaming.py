"""The streaming pass finds what one over all activations at once finds, and continues after a kill."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from deepdream.microscope.channel_statistics import BINS, ChannelStatistics, K, response
from deepdream.microscope.image_set import Batch
from deepdream.microscope.streaming import Pass, StreamingPass, sample_indices
from deepdream.models import Network

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 12, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 3)
    )
    with torch.no_grad():
        model[0].bias[3] = -100  # a channel that never fires: every image is a tie
        model[0].weight[5] = 0  # and one that has the same value everywhere
    return Network(model.eval(), ["a", "b", "c"], (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), 32, "mine")


def pixels(count: int) -> torch.Tensor:
    images = torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    images[count // 2] = images[1]  # equal images: ties
    return images


def batches(images: torch.Tensor, size: int, start: int = 0, unreadable: int | None = None):
    for first in range(start, len(images), size):
        part = images[first : first + size]
        yield Batch(first, part, torch.tensor([first + i != unreadable for i in range(len(part))]))


def maps_of(network: Network, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return network.model[:2](network.normalize(images.float() / 255))


def test_the_strongest_and_weakest_images_are_those_of_brute_force_ties_included(network: Network) -> None:
    images = pixels(53)
    layer = network.layers()[1]
    labels = [i % 3 for i in range(53)]
    run = StreamingPass(network, [layer], labels, samples=sample_indices(53, 20))
    found = run.run(batches(images, 8, unreadable=7), device=CPU).layers[layer.name].arrays
    maps = maps_of(network, images).numpy()
    kept = [i for i in range(53) if i != 7]
    peaks = maps.max(axis=(2, 3))
    for channel in range(12):
        for kind, sign in (("best", -1), ("worst", 1)):
            wanted = sorted(kept, key=lambda i: (round(sign * float(peaks[i, channel]), 4), i))[:K]
            assert found[f"{kind}_image"][:, channel].tolist() == wanted, (channel, kind)
            assert np.allclose(found[f"{kind}_value"][:, channel], peaks[wanted, channel], atol=1e-4)
        best = found["best_image"][0, channel]
        place = found["best_place"][0, channel]
        assert maps[best, channel].flat[place] == pytest.approx(peaks[best, channel], abs=1e-4)
    means = maps.mean(axis=(2, 3))
    of_class = [np.mean([means[i] for i in kept if labels[i] == k], axis=0) for k in range(3)]
    statistics = run.found.layers[layer.name]
    assert np.allclose(statistics.class_means, of_class, atol=1e-4)
    assert np.allclose(statistics.firing, (maps[kept] > 0).mean(axis=(0, 2, 3)), atol=1e-4)
    assert np.allclose(statistics.peak_moments[1], peaks[kept].std(axis=0), atol=1e-3)
    assert (found["histogram"].sum(axis=0) == 52).all()
    assert run.found.skipped == [7]
    assert np.allclose(found["sample_peak"], peaks[sample_indices(53, 20)], atol=1e-4)


def test_a_histogram_does_not_depend_on_the_order_of_the_images() -> None:
    values = torch.tensor([0.001, 3.0, -7.9, 0.5, 100.0, -0.002, 0.0]).view(-1, 1, 1, 1)
    histograms = []
    for order in (list(range(7)), [4, 2, 0, 1, 3, 5, 6]):
        statistics = ChannelStatistics(1, 1, [])
        for index in order:
            one = response(values[index : index + 1])
            statistics.update(one, torch.tensor([index]), torch.tensor([0]))
        histograms.append(statistics.arrays["histogram"][:, 0])
        assert statistics.arrays["range"][0] == 128
    assert (histograms[0] == histograms[1]).all()
    edges = np.linspace(-128, 128, BINS + 1)
    assert (histograms[0] == np.histogram(values.numpy(), edges)[0]).all()


def test_parts_join_to_the_pass_over_all_images(network: Network) -> None:
    images, layer, labels = pixels(53), network.layers()[1], [i % 3 for i in range(53)]
    samples = sample_indices(53, 20)
    whole = StreamingPass(network, [layer], labels, samples=samples).run(batches(images, 8, unreadable=17), device=CPU)
    arrays = []
    for part in (range(8), range(8, 40), range(40, 53)):
        own = samples[np.isin(samples, part)]
        seen = batches(images[: part.stop], 8, part.start, unreadable=17)
        arrays.append(StreamingPass(network, [layer], labels, samples=own).run(seen, device=CPU).arrays())
    joined = Pass.joined(arrays, [layer], len(network.classes))
    assert np.array_equal(joined.samples, samples)
    assert joined.skipped == whole.skipped == [17]
    for name, array in whole.layers[layer.name].arrays.items():
        of_parts = joined.layers[layer.name].arrays[name]
        if name in ("peak_sum", "peak_square", "mean_sum"):  # in another order
            assert np.allclose(of_parts, array, rtol=1e-12), name
        else:
            assert np.array_equal(of_parts, array), name


def test_maps_of_any_layout_have_the_place_of_their_peak() -> None:
    maps = torch.zeros(1, 2, 3, 4)
    maps[0, 0, 2, 1], maps[0, 1, 0, 3] = 5, -1
    found = response(maps)
    assert found.place.tolist() == [[2 * 4 + 1, 0]]
    assert found.firing.tolist() == [[1, 0]]
    assert dataclasses.astuple(found)[4] == (3, 4)
