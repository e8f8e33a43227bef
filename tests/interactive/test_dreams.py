"""dream and visualize in one line: the files of dream.py, byte for byte, from paths and from images in memory."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
from PIL import Image

import deepdream as dd
from deepdream.apps.arguments import as_overrides
from deepdream.dreaming.config import DreamConfig
from deepdream.explaining.config import ExplainConfig
from deepdream.images import to_tensor
from deepdream.interactive.settings import OUTER, DreamSettings, ExplainSettings, as_arguments, configuration
from deepdream.models import Network, load_network
from deepdream.provenance import read_provenance
from deepdream.schema import compose, schema_of
from tests.conftest import run_app

QUICK = {"octaves": 2, "steps": 1, "layers": ["layer2"], "width": None}


@pytest.fixture(scope="module")
def network() -> Network:
    return load_network("box")


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    Image.fromarray(pixels).resize((96, 72)).save("my photo.png")
    return Path("my photo.png")


def arguments_of(shown: dd.Dream) -> list[str]:
    return shlex.split(shown.command.partition(" dream ")[2])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "settings"), [("gordic", {"width": 80}), ("channel_grid", {"width": 64, "channels": 2})]
)
def test_the_saved_file_is_that_of_the_command(
    network: Network, photo: Path, preset: str, settings: dict[str, Any]
) -> None:
    dream = dd.dream(photo, preset, network=network, seed=3, **{**QUICK, **settings})
    assert dream.save("python.png") == Path("python.png")
    result = run_app("dream", *arguments_of(dream), "output=command.png", cwd=Path.cwd())
    assert result.returncode == 0, result.stderr
    assert Path("python.png").read_bytes() == Path("command.png").read_bytes() == dream._repr_png_()


@pytest.mark.slow
def test_the_dream_of_an_image_in_memory_is_made_again_from_its_file(network: Network, photo: Path) -> None:
    from_file = dd.dream(photo, network=network, **QUICK)
    array = np.array(Image.open(photo))
    for image in (Image.open(photo), array, to_tensor(array)):
        dream = dd.dream(image, network=network, mask=Image.new("L", (8, 8), "white"), **QUICK)
        assert dream.tensor.equal(from_file.tensor)
        assert "image=IMAGE mask=MASK" in dream.command
    dream.save("out/a.png")
    result = run_app("dream", "from=out/a.png", "output=b.png", cwd=Path.cwd())
    assert result.returncode == 0, result.stderr
    assert np.array_equal(np.asarray(Image.open("out/a.png")), np.asarray(Image.open("b.png")))


def test_a_profile_and_an_orientation_of_an_image_in_memory_are_kept(network: Network, photo: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6  # turned by a quarter
    Image.open(photo).convert("CMYK").save("turned.jpg", exif=exif)
    Image.open(photo).convert("L").save("grey.png", exif=exif)
    assert dd.dream(Image.open("turned.jpg"), network=network, **QUICK).image.size == (72, 96)
    grey = dd.dream(Image.open("grey.png"), network=network, **QUICK)
    assert grey.tensor.equal(dd.dream("grey.png", network=network, **QUICK).tensor)


def test_sixteen_bits_go_through(network: Network, photo: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 2**16, (72, 96, 3), np.uint16)
    dream = dd.dream(deep, network=network, bits=16, preserve=1.0, color=0.0, **QUICK)
    assert not (dream.tensor * 255 % 1 < 0.01).all()
    assert read_provenance(dream.save("deep.tif"))["config"]["dream"]["bits"] == 16
    with pytest.raises(ValueError, match="holds 8 bits"):
        dream.save("deep.jpg")


def test_a_visualization_needs_no_image(network: Network) -> None:
    seen = []
    found = dd.visualize("layer4:12", network=network, width=64, steps=2, on_step=seen.append)
    assert len(seen) == 2
    assert arguments_of(found)[:2] == ["ckpt=box", "dream=visualize"]
    assert found.image.size == (64, 64)
    assert found.image.convert("L").getextrema() != (128, 128)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"widht": 3}, "unknown key `widht`. Did you mean `width`?"),
        ({"ckpt": "a.ckpt"}, "unknown key `ckpt`; here it is `network`"),
        ({"steps": 0}, "dream.steps is 0; it must be 1 or more"),
        ({"preset": "gordik"}, "unknown choice `dream=gordik`. Did you mean `dream=gordic`?"),
        ({"image": 3}, "image is a int; it must be a path, a PIL image, an array or a tensor"),
        ({"image": np.zeros((4, 4))}, "image is an array float64 (4, 4); it must be uint8"),
        ({"image": "."}, "image is ., a folder; `python -m deepdream dream image=FOLDER` dreams it"),
    ],
)
def test_a_wrong_argument_is_one_line(network: Network, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        dd.dream(**{"image": "kitchen", "network": network, **given})
    assert "\n" not in str(error.value)


def test_a_dream_does_not_replace_its_photo(network: Network, photo: Path) -> None:
    with pytest.raises(ValueError, match="one of the inputs"):
        dd.dream(photo, network=network, **QUICK).save(photo)


@pytest.mark.parametrize(
    "settings",
    [
        {"layers": ["layer3:5@10,14", "relu4_3|layer3|75%", "-0.5*layer2"], "width": None},
        {"objective": {"mean_square": 1, "total_variation": -0.5}, "compile": True, "max_pixels": 20_000},
        {"objective": [{"term": "direction", "vector": [0.5, -1.0], "layers": ["layer2"]}], "target": "bob's, [room]"},
        {"target": "null room", "init": "image", "crop_spread": None, "step_size": 1e-05},
    ],
)
def test_the_command_has_the_same_configuration(settings: dict[str, Any]) -> None:
    overrides = as_overrides("dream", as_arguments("dream", settings))
    assert compose("dream", overrides) == configuration("dream", settings, {}, preset=None)


@pytest.mark.parametrize(
    ("app", "inner", "settings"), [("dream", DreamConfig, DreamSettings), ("explain", ExplainConfig, ExplainSettings)]
)
def test_the_keywords_are_the_keys(app: str, inner: type, settings: type) -> None:
    outer = {key: hint for key, hint in get_type_hints(schema_of(app)).items() if key in OUTER[app]}
    keys = {**get_type_hints(inner), **outer}
    given_otherwise = {"target"} if app == "explain" else set()
    hints = get_type_hints(settings)
    assert hints.keys() == keys.keys() - given_otherwise
    lists = {"layers": str | list[str], "methods": str | list[str]}
    assert hints == {key: lists.get(key, keys[key]) for key in hints}
