"""The folder of a microscope: complete, resumable, and in line with independent computations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from deepdream import schema
from deepdream.microscope import MicroscopeOptions, images_below, make_microscope
from deepdream.microscope.making import chosen_layers
from deepdream.microscope.visualizations import Visualizations
from deepdream.models import Network
from tests.microscope.conftest import CLASSES, OPTIONS


def data_of(site: Path, name: str):
    text = (site / "data" / f"{name}.js").read_text()
    prefix = f'microscope.add("{name}",'
    assert text.startswith(prefix)
    return json.loads(text.removeprefix(prefix).removesuffix(");\n"))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and ".microscope" not in p.parts
    }


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
    image = data_of(site, "images")[3]
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


def test_a_stopped_run_continues_with_equal_files(
    network: Network, rooms: Path, site: Path, tmp_path, monkeypatch
) -> None:
    class Stopped(Exception):
        pass

    make, made = Visualizations.path, []
    images = images_below(rooms, CLASSES)

    def stop_after(count: int):
        def path(self, layer, channel, kind):
            if len(made) > count:
                raise Stopped
            made.append(channel)
            return make(self, layer, channel, kind)

        return path

    for count in (70, 150):
        made.clear()
        monkeypatch.setattr(Visualizations, "path", stop_after(count))
        with pytest.raises(Stopped):
            make_microscope(
                network,
                images,
                tmp_path / "site",
                MicroscopeOptions(**OPTIONS),
                title="<b>test</b>",
                notes=["a <i>note</i>"],
            )
        assert (tmp_path / "site" / "index.html").is_file()
    monkeypatch.setattr(Visualizations, "path", make)
    make_microscope(
        network, images, tmp_path / "site", MicroscopeOptions(**OPTIONS), title="<b>test</b>", notes=["a <i>note</i>"]
    )
    assert contents(tmp_path / "site") == contents(site)


def test_a_folder_of_other_files_is_refused_and_other_settings_begin_anew(
    network: Network, rooms: Path, tmp_path
) -> None:
    images = images_below(rooms, CLASSES)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds other files"):
        make_microscope(network, images, tmp_path / "mine", MicroscopeOptions(**OPTIONS))
    for pages in (9, 12):
        options = MicroscopeOptions(**{**OPTIONS, "pages": pages, "visualizations": 0, "layers": ["layer4"]})
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
