"""The folder of a microscope: complete, resumable, and in line with independent computations."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from deepdream import schema
from deepdream.images import to_tensor
from deepdream.microscope import (
    MicroscopeOptions,
    PageTest,
    activation_percentile,
    images_below,
    layer_means,
    make_microscope,
    path_agreement,
)
from deepdream.microscope.making import chosen_layers
from deepdream.microscope.page_questions import _held_out
from deepdream.models import Network
from tests.microscope.conftest import CLASSES, OPTIONS, data_of, make, untrained


def seen(network: Network, rooms: Path):
    images = images_below(rooms, CLASSES)
    paths = [path for path in images.paths if path.name != "damaged.png"]
    return torch.stack([network.preprocess(Image.open(path)) for path in paths])


def test_contributions_of_the_last_layer_add_up_to_the_logits(network: Network, rooms: Path, site: Path) -> None:
    assert [layer["exact"] for layer in data_of(site, "site")["layers"]] == [False, True]
    with torch.no_grad():
        logits = network.model(network.normalize(seen(network, rooms)))
        bias = network.model.fc.bias
    wanted = (logits - bias).mean(dim=0).detach()
    wanted = (wanted - wanted.mean()).numpy()
    channels = data_of(site, "layer-1")["channels"]
    total = np.zeros(len(CLASSES))
    for channel in channels:
        for index, value in channel["for"] + channel["against"]:
            total[index] += value
    assert np.allclose(total, wanted, atol=2e-3)


def test_a_removal_is_what_the_network_predicts_without_the_channel(network: Network, rooms: Path, site: Path) -> None:
    pixels = seen(network, rooms)[3:4]
    image = {**data_of(site, "images")[3], **data_of(site, "reasons")[3]}
    x = network.normalize(pixels)
    with torch.no_grad():
        before = network.model(x).softmax(dim=1)[0]
        for layer, removed in zip((network.model.layer3, network.model.layer4), image["removed"], strict=True):
            assert removed == sorted(removed, key=lambda pair: -pair[1])
            for channel, drop in removed[:3]:
                mask = torch.ones(1, len(layer[-1].bn2.weight), 1, 1)
                mask[:, channel] = 0
                handle = layer.register_forward_hook(lambda module, inputs, output, mask=mask: output * mask)
                after = network.model(x).softmax(dim=1)[0]
                handle.remove()
                top = image["top"][0][0]
                assert float(before[top] - after[top]) == pytest.approx(drop, abs=2e-4)


def test_a_line_of_trust_is_of_the_file_that_is_shown(network: Network, rooms: Path, site: Path) -> None:
    """Percentile and path by the public functions, from all activations at once."""
    pixels = seen(network, rooms)
    every = layer_means(network, ["layer3", "layer4"], pixels)
    channel = 5
    record = data_of(site, "layer-1")["channels"][channel]
    own = [image for image, *_ in record["best"]]
    rest = [i for i in range(len(pixels)) if i not in own]
    dream = to_tensor(Image.open(site / "visualizations" / "layer4" / f"{channel}-0.jpg"))[None]
    means = layer_means(network, ["layer3", "layer4"], dream)
    path = path_agreement(means, *({name: every[name][rows] for name in every} for rows in (own, rest)))
    with torch.no_grad():
        maps = [network.model.layer4(network.model.layer3(_up_to_layer3(network, x))) for x in (dream, pixels)]
    (peak,), real = (each[:, channel].amax(dim=(1, 2)).tolist() for each in maps)
    strength = f"stronger than {activation_percentile(peak, real):.0f} % of the images"
    if peak > max(real):
        strength = f"{peak / max(real):.1f} times as strong as the strongest image"
    known = [f"{value:.1f} in {name}" for name, value in path.items() if np.isfinite(value)]
    assert record["trust"][0].startswith(strength)
    assert len(record["trust"]) == 2  # the seed, and the dream on a photo
    for value in known:
        assert value.partition(" ")[0] in record["trust"][0]


def _up_to_layer3(network: Network, images: torch.Tensor) -> torch.Tensor:
    model = network.model
    children = dict(model.named_children())
    x = network.normalize(images)
    for name, child in children.items():
        if name == "layer3":
            return x
        x = child(x)
    raise AssertionError


def test_a_class_has_concepts_with_crops_of_its_images_and_a_dream(site: Path) -> None:
    images = data_of(site, "images")
    predicted = [image["top"][0][0] for image in images]
    classes = data_of(site, "classes")
    assert [i for i, one in enumerate(classes) if "concepts" in one] == [i for i in range(4) if predicted.count(i) >= 8]
    concepts = [concept for one in classes for concept in one.get("concepts", [])]
    for number, one in enumerate(classes):
        for concept in one.get("concepts", []):
            assert len(concept["images"]) == min(9, predicted.count(number))
            assert {predicted[image] for image, *_ in concept["images"]} == {number}
            assert (site / concept["dream"]).is_file()
            assert all(side / 2 <= at <= 1 - side / 2 for _, *place, side in concept["images"] for at in place)
    assert [c["importance"] for c in concepts[:2]] == sorted([c["importance"] for c in concepts[:2]], reverse=True)


def test_a_judge_chooses_among_images_that_it_is_not_shown() -> None:
    """Of 30 images, 9 strongest and 9 weakest are shown; the next ones on both sides are asked about; 4 is damaged."""
    peaks = np.random.default_rng(0).permutation(30).astype(np.float32)
    peaks[4] = 0
    rank = [i for i in np.argsort(-peaks, kind="stable").tolist() if i != 4]
    arrays = {"best_image": np.array(rank[:9])[:, None], "worst_image": np.array(rank[:-10:-1])[:, None]}
    statistics = SimpleNamespace(arrays={**arrays, "sample_peak": peaks[:, None]})
    indices = np.array([i for i in range(30) if i != 4])
    found = SimpleNamespace(layers={"layer4": statistics}, samples=np.arange(30))
    layer = SimpleNamespace(name="layer4", channels=1)
    (pairs,) = _held_out(SimpleNamespace(found=found, indices=indices), layer)
    assert [(indices[strong], indices[weak]) for strong, weak in pairs] == list(
        zip(rank[9:12], rank[-10:-13:-1], strict=True)
    )


@pytest.mark.slow
def test_a_judge_sees_the_pages_and_may_not_be_their_network(
    network: Network, rooms: Path, site: Path, tmp_path: Path
) -> None:
    shutil.copytree(site, tmp_path / "site")
    printed: list[PageTest] = []
    make(network, rooms, tmp_path / "site", judge=untrained(1), on_test=printed.extend)
    assert [(each.layer, each.shown) for each in printed] == [
        (layer, shown) for layer in ("layer3", "layer4") for shown in ("crops", "visualisations", "both")
    ]
    assert all(each.outcome.questions <= 3 * each.outcome.units for each in printed)
    assert all(each.record["low"] <= each.record["share"] <= each.record["high"] for each in printed)
    assert data_of(tmp_path / "site", "site")["test"] == json.loads((tmp_path / "site" / "test.json").read_text())
    with pytest.raises(ValueError, match="trained independently"):
        make(network, rooms, tmp_path / "site", judge=untrained())


def test_a_folder_of_other_files_is_refused_and_other_settings_begin_anew(
    network: Network, rooms: Path, tmp_path
) -> None:
    images = images_below(rooms, CLASSES)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds other files"):
        make_microscope(network, images, tmp_path / "mine", OPTIONS)
    for pages in (9, 12):
        options = replace(OPTIONS, pages=pages, visualizations=0, removals=0, concepts=0, layers=["layer4"])
        make_microscope(network, images.take(range(20)), tmp_path / "site", options)
    assert data_of(tmp_path / "site", "site")["visualizations"] == 0


def test_the_defaults_of_python_and_of_the_command_are_the_same() -> None:
    config = schema.compose("microscope")
    defaults = MicroscopeOptions()
    assert {key: getattr(config, key) for key in vars(defaults)} == vars(defaults)


def test_layers_without_positions_are_refused(network: Network) -> None:
    with pytest.raises(ValueError, match="avgpool has no positions"):
        chosen_layers(network, ["avgpool"])
    assert [layer.name for layer in chosen_layers(network, ["layer4", "50%", "layer4"])][-1] == "layer4"
