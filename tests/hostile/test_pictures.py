"""Hostile image files, through every function of the commands that reads one."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from deepdream.apps.inputs import read_photo
from deepdream.apps.reproduce import reproduced
from deepdream.dreaming.config import DreamAppConfig, DreamConfig, FilmConfig
from deepdream.images import decode
from deepdream.provenance import read_provenance, write_png
from deepdream.scenes.integrity import check_image
from deepdream.schema import preset, typed
from tests.hostile import pictures
from tests.hostile.guard import guard, outcome

FAULTS = pictures.all_faults()
MODES = dict(pictures.of_every_mode())


@cache
def _config() -> DreamAppConfig:
    film = preset(FilmConfig, "film", "none")
    paths = dict.fromkeys(("ckpt", "image", "guide", "mask", "output", "reproduce", "channels", "max_pixels"))
    machine = {"device": "auto", "precision": "auto", "compile": False, "devices": 1}
    keys = {
        **paths,
        **machine,
        "mode": "image",
        "seed": 0,
        "report": False,
        "dream": DreamConfig.preset("vivid"),
        "film": film,
    }
    return typed(DreamAppConfig, keys)


def kept_config() -> dict[str, Any]:
    """A sound configuration, as a picture keeps it."""
    return asdict(_config())


def config(path: Path) -> DreamAppConfig:
    """That of `dream.py from=path`."""
    return replace(_config(), reproduce=str(path))


@pytest.mark.parametrize("name", FAULTS)
def test_a_hostile_file_gives_an_image_or_a_one_line_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FAULTS[name]())
    with guard(tmp_path):
        for shorter_side in (None, 16):
            found = outcome(partial(decode, tmp_path / name, least=0.5, shorter_side=shorter_side))
            assert isinstance(found, str) or found.image.mode == "RGB"
        photo = outcome(read_photo, str(tmp_path / name))
        record, image = outcome(check_image, tmp_path, name)
        kept = outcome(read_provenance, tmp_path / name)
    assert (image is None) == (not record.used)
    assert isinstance(photo, Image.Image) or name in photo
    assert isinstance(kept, dict) or name in kept


@pytest.mark.parametrize("name", [name for name, _ in pictures.programs()])
def test_formats_that_need_another_program_are_not_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FAULTS[name]())
    with guard(tmp_path):
        assert "is not an image of a supported format" in outcome(read_photo, str(tmp_path / name))


@pytest.mark.parametrize("name", MODES)
def test_an_image_of_every_mode_is_read_as_rgb(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(MODES[name])
    with guard(tmp_path):
        assert read_photo(str(tmp_path / name)).mode == "RGB"


@pytest.mark.parametrize("name", ["pipe.png", "device.png"])
def test_pipes_and_devices_are_not_waited_for(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "pipe.png":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with guard(tmp_path):
        assert "is not a regular file" in outcome(read_photo, str(path))


# Laid over a sound configuration.
ODD = {
    "code": {"_target_": "os.system", "_args_": ["touch ran"]},
    "code in a key that is there": {"dream": {"_target_": "os.system"}},
    "a value of the environment, deep": {"dream": {"objective": [{"term": "${oc.env:HOME}"}]}},
    "text where a part should be": {"dream": "vivid", "film": 1},
    "a list where a path should be": {"ckpt": ["a"]},
    "octaves without end": {"dream": {"octaves": 10**9}},
    "a missing value": {"image": "???"},
}


@pytest.mark.parametrize("kind", ODD)
def test_what_a_picture_says_of_its_making_is_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setenv("HOME", "/a-secret-place")
    kept = kept_config()
    for key, value in ODD[kind].items():
        kept[key] = {**kept[key], **value} if isinstance(value, dict) else value
    path = write_png(Image.new("RGB", (4, 4)), tmp_path / "dream.png", provenance={"config": kept})
    with guard(tmp_path):
        found = outcome(reproduced, config(path))
    assert isinstance(found, str)
    assert "a-secret-place" not in found


@pytest.mark.parametrize(
    "image",
    [
        "!!python/object/apply:os.system ['touch ran']",
        "$(touch ran)",
        "`touch ran`",
        "$HOME",
        "${oc.env:HOME}/photo.jpg",
        "${oc.decode:${oc.env:HOME}}",
        "${image}",
    ],
)
def test_code_in_a_name_is_a_name(tmp_path: Path, image: str) -> None:
    kept = {"config": {**kept_config(), "image": image}, "checkpoint": "none"}
    path = write_png(Image.new("RGB", (4, 4)), tmp_path / "dream.png", provenance=kept)
    with guard(tmp_path):
        assert reproduced(config(path)).image == image
