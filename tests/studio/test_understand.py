"""The page Understand: what it shows is what `explain` and the network itself say."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from deepdream import explaining
from deepdream.images import read_image
from deepdream.models import Network, ResNet
from deepdream.rooms import render_room
from deepdream.studio import channel_examples, place_jobs, understand_jobs
from deepdream.studio.computing import Stopped, Task, Turns
from deepdream.studio.place_jobs import Place, Seen, Tile
from deepdream.studio.understand_jobs import Confidence, EvidenceMap, Predicted, View
from tests.studio.conftest import command_of, drop

CLASSES = ["bathroom", "bedroom", "kitchen", "library"]


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    model = ResNet(10, len(CLASSES), width=0.125, zero_init_residual=False).eval()
    return Network(model, CLASSES, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 64, "test network")


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray(render_room("bedroom", 1, size=96)).save(path)
    return path


def reports_of(network: Network, job: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What a job reports, run in this process."""
    found: list[Any] = []
    turns = Turns()
    with turns.taken():
        job(Task(lambda kind, value: found.append(value), turns, lambda name: network), *arguments)
    return found


def pixels(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"), np.float32)


def test_what_is_shown_is_what_explain_says(network: Network, photo: Path) -> None:
    view = View("ckpt", photo, photo, target="kitchen", against="library", precision="fp32")
    predicted, saliency, cam, confidence = reports_of(
        network, understand_jobs.explain, view, ["saliency", "gradcam"], True, True
    )
    assert isinstance(predicted, Predicted)
    assert isinstance(confidence, Confidence)
    image = network.preprocess(read_image(photo))
    shares = network.predict(image)
    assert [row.share for row in predicted.top] == sorted(shares.tolist(), reverse=True)
    assert predicted.top[0].name == CLASSES[int(shares.argmax())]
    assert all(row.before == row.share for row in predicted.top)  # "before the dream" is the same photo
    assert confidence.share == explaining.attribution_confidence(network, image, precision="fp32")
    checks = explaining.cheap_checks()
    expected = explaining.explain(
        network, image, ["saliency", "gradcam"], "kitchen", against="library", checks=checks, precision="fp32"
    )
    for shown, right in zip((saliency, cam), expected, strict=True):
        assert isinstance(shown, EvidenceMap)
        assert (shown.method, shown.evidence) == (right.method, "kitchen against library")
        assert [score.value for score in shown.scores] == list(right.scores.values())
        over = explaining.overlay(network.cropped(read_image(photo)).resize(predicted.size), right.heatmap)
        assert np.abs(pixels(shown.jpeg) - np.asarray(over, np.float32)).mean() < 6  # JPEG


def test_the_shared_network_keeps_nothing_of_an_explanation(network: Network, photo: Path) -> None:
    before = [bool(parameter.requires_grad) for parameter in network.model.parameters()]
    reports_of(network, understand_jobs.explain, View("ckpt", photo, crop=False), ["guided_gradcam"], False, False)
    assert [bool(parameter.requires_grad) for parameter in network.model.parameters()] == before
    assert not network.model._forward_pre_hooks
    assert not any(module._forward_hooks or module._backward_hooks for module in network.model.modules())


def test_a_long_method_ends_at_its_next_pass_when_it_is_stopped(network: Network, photo: Path) -> None:
    passes = []

    class Stopping(Task):
        def give_way(self) -> None:
            passes.append(1)
            self.is_stopped = len(passes) == 3
            super().give_way()

    turns = Turns()
    task = Stopping(lambda kind, value: None, turns, lambda name: network)
    with turns.taken(), pytest.raises(Stopped):
        understand_jobs.explain(task, View("ckpt", photo, precision="fp32"), ["integrated_gradients"], False, False)
    assert len(passes) == 3


def test_a_photo_that_is_too_long_is_refused_as_a_whole(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "strip.png"
    Image.new("RGB", (1300, 20)).save(path)
    with pytest.raises(ValueError, match=r"^the photo is 1300x20; choose its square centre"):
        reports_of(network, understand_jobs.explain, View("ckpt", path, crop=False), ["saliency"], True, False)


@pytest.fixture
def few_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_examples, "ROOMS", 4)
    monkeypatch.setattr(place_jobs, "TILE_STEPS", 2)
    monkeypatch.setattr(place_jobs, "CHANNELS", 3)
    channel_examples._kept.clear()
    place_jobs._tiles.clear()


def test_the_strongest_channels_at_a_place_are_those_of_the_feature_map(
    network: Network, photo: Path, few_rooms: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # without microscopes
    seen, *tiles = reports_of(network, place_jobs.look, View("ckpt", photo), Place(0.9, 0.3, "layer3"))
    assert isinstance(seen, Seen)
    assert (seen.row, seen.column, seen.rows, seen.columns) == (1, 3, 4, 4)
    maps: list[torch.Tensor] = []
    handle = network.model.get_submodule("layer3").register_forward_hook(lambda _m, _i, output: maps.append(output))
    try:
        images = [read_image(photo), *channel_examples._rendered(network)]
        for image in images:
            network.predict(network.preprocess(image))
    finally:
        handle.remove()
    peaks = torch.stack([each[0].amax(dim=(1, 2)) for each in maps[1:]])
    strength = (maps[0][0, :, 1, 3] - peaks.mean(dim=0)) / peaks.std(dim=0, correction=0).clamp_min(1e-6)
    expected = strength.topk(3)
    assert [channel.channel for channel in seen.channels] == expected.indices.tolist()
    assert [channel.strength for channel in seen.channels] == pytest.approx(expected.values.tolist(), rel=1e-3)
    assert [channel.selection for channel in seen.channels] == [f"layer3:{i}" for i in expected.indices.tolist()]
    assert all(len(channel.crops) == 3 for channel in seen.channels)
    assert all(isinstance(tile, Tile) for tile in tiles)
    assert [tile.channel for tile in tiles] == expected.indices.tolist()


def test_a_microscope_lends_its_crops_and_visualisations(
    network: Network, photo: Path, few_rooms: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deepdream.microscope import MicroscopeOptions, images_below, make_microscope
    from deepdream.models.named import digest_of

    known = Network(**{**vars_of(network), "digest": digest_of(network.model)})
    rooms = tmp_path / "rooms"
    rooms.mkdir()
    for number in range(4):
        Image.fromarray(render_room("kitchen", number, size=64)).save(rooms / f"{number}.png")
    folder = tmp_path / "outputs" / "day" / "hour" / "microscope"
    options = MicroscopeOptions(layers=["layer4"], batch_size=4, workers=0, side=32, steps=1, visualizations=1)
    make_microscope(known, images_below(rooms, CLASSES), folder, options)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(channel_examples, "_measured", None)  # must not be called
    seen, *tiles = reports_of(known, place_jobs.look, View("ckpt", photo), Place(0.1, 0.1, "layer4"))
    assert seen.source == "crops and visualisations of its microscope"
    for tile in tiles:
        original = read_image(folder / "visualizations" / "layer4" / f"{tile.channel}-0.jpg")
        assert np.abs(pixels(tile.jpeg) - np.asarray(original, np.float32)).mean() < 6


def vars_of(network: Network) -> dict[str, Any]:
    names = ("model", "classes", "mean", "std", "image_size", "source")
    return {name: getattr(network, name) for name in names}


@pytest.mark.slow
def test_a_click_on_the_photo_shows_channels_that_can_be_dreamed(open_page: Callable[..., Any]) -> None:
    page = open_page()
    page.click("#ask")
    page.wait_for_function("document.querySelectorAll('.u-map img').length == 2")
    assert page.locator("ol.u-bars li").count() >= 2
    page.locator("#u-stage .u-stage").click(position={"x": 60, "y": 60})
    page.wait_for_function("document.querySelectorAll('.u-channel').length == 6")
    first = page.locator(".u-channel").first
    left_out = first.get_attribute("data-choice")
    first.click()
    page.wait_for_selector(f".u-channel[data-choice='{left_out}'][aria-pressed=false]")
    chosen = [each.get_attribute("data-choice") for each in page.locator(".u-channel[aria-pressed=true]").all()]
    assert len(chosen) == 5
    page.click("#u-dream")
    page.wait_for_selector("#command .cm-line")
    assert f"dream.layers=[{','.join(chosen)}]" in command_of(page)
    page.click("#explain")  # what did the dream make the network believe?
    page.wait_for_selector(".u-was")


@pytest.mark.slow
def test_a_dropped_photo_is_explained_and_another_file_is_one_line(
    open_page: Callable[..., Any], photo: Path, tmp_path: Path
) -> None:
    page = open_page()
    page.get_by_role("tab", name="Understand").click()
    page.wait_for_selector("#u-stage img")
    before = page.locator("#u-stage img").first.get_attribute("src")
    drop(page, photo, "#page-understand")
    page.wait_for_function("before => (document.querySelector('#u-stage img')?.src ?? before) != before", arg=before)
    (tmp_path / "no.png").write_bytes(b"no image")
    drop(page, tmp_path / "no.png", "#page-understand")
    page.wait_for_selector("#u-note .u-error")
    assert "Traceback" not in page.inner_text("#u-note")
    assert str(tmp_path) not in page.inner_text("#u-note")
