"""What of a photo survives its dream: transparency, 16 bits, its format; and which files of a folder are dreamed."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from deepdream.apps import dream, folders, inputs, reproduce
from deepdream.apps.dreamed import channel_grid
from deepdream.dreaming.config import DreamAppConfig, DreamConfig, FilmConfig
from deepdream.images import noise_image, over_white, read_pixels, to_tensor
from deepdream.models import Network, load_network
from deepdream.provenance import bits_of_output, read_provenance, write_image
from deepdream.scenes.class_folders import read_class_folders
from deepdream.schema import preset, typed
from tests.pictures import SHARED
from tests.test_color_profiles import profile

HEIGHT, WIDTH = 40, 48
NOISE = np.asarray(noise_image(HEIGHT, WIDTH, 0))
ALPHA = np.linspace(0, 255, WIDTH).astype(np.uint8)[None].repeat(HEIGHT, axis=0)
ALPHA[:, :12] = 0


@cache
def box() -> Network:
    return load_network("box")


def config(image: Path | str, *, film: str = "none", mask: str | None = None, **settings: Any) -> DreamAppConfig:
    """That of a dream of a moment."""
    quick = {"layers": ["layer2"], "width": None, "octaves": 2, "steps": 1, **settings}
    keys = ("ckpt", "guide", "output", "reproduce", "channels", "max_pixels")
    return typed(
        DreamAppConfig,
        {
            **dict.fromkeys(keys),
            "device": "cpu",
            "precision": "fp32",
            "compile": False,
            "devices": 1,
            "report": False,
            "mode": "image",
            "seed": 0,
            "image": str(image),
            "mask": mask,
            "dream": DreamConfig.preset("inceptionism", **quick),
            "film": preset(FilmConfig, "film", film),
        },
    )


def dreamed(output: Path, **keys: Any) -> Path:
    asked = dream._with_bits(config(**keys), output)
    dream._dream_image(asked, box(), output, [])
    return output


@pytest.mark.parametrize("name", ["dream.png", "dream.webp"])
def test_what_is_transparent_is_not_dreamed_and_stays_transparent(tmp_path: Path, name: str) -> None:
    found = []
    for hidden in (0, 77):  # the colour under alpha 0, which nobody has seen
        pixels = np.dstack([np.where(ALPHA[..., None] > 0, NOISE, hidden).astype(np.uint8), ALPHA])
        Image.fromarray(pixels).save(tmp_path / "photo.png")
        found.append(np.asarray(Image.open(dreamed(tmp_path / name, image=tmp_path / "photo.png"))))
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0][..., 3], ALPHA)
    changed = (found[0][..., :3] != NOISE).any(axis=2)
    assert changed[ALPHA > 0].mean() > 0.9
    assert (found[0][ALPHA == 0][:, :3] == 255).all()


def test_a_jpeg_of_a_transparent_dream_is_over_white(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([NOISE, ALPHA])).save(tmp_path / "photo.png")
    lossless, jpeg = (
        Image.open(dreamed(tmp_path / name, image=tmp_path / "photo.png")) for name in ("d.webp", "d.jpg")
    )
    assert np.abs(np.asarray(over_white(lossless), float) - np.asarray(jpeg)).mean() < 3


def test_transparent_parts_keep_their_share_when_resized(tmp_path: Path) -> None:
    pixels = np.full((20, 30, 4), (200, 40, 90, 255), np.uint8)
    pixels[:, :15] = 0
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    found = inputs.source_pixels(str(tmp_path / "photo.png"), config(tmp_path / "photo.png", width=90))
    assert found.shape == (60, 90, 4)
    assert abs((found[..., 3] / 255).mean() - 0.5) < 0.01
    assert np.abs(found[found[..., 3] > 20][:, :3].astype(int) - (200, 40, 90)).max() <= 1  # nothing of black or white


def test_a_drawn_mask_is_the_shape_that_is_seen(tmp_path: Path) -> None:
    def mask_of(pixels: np.ndarray) -> np.ndarray:
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "mask.png")
        return inputs.mask(str(tmp_path / "mask.png"), box(), NOISE.copy()).numpy()

    shape, white = ALPHA / 255, np.full_like(NOISE, 255)
    for color in (0, 130, 255):  # a shape in one colour on a transparent ground
        assert np.allclose(mask_of(np.dstack([white * 0 + color, ALPHA])), shape)
    grey = NOISE[..., :1].repeat(3, axis=2)
    assert np.allclose(mask_of(grey), grey[..., 0] / 255, atol=1e-6)
    expected = np.where(ALPHA > 0, grey[..., 0], 255) / 255 * shape
    assert np.allclose(mask_of(np.dstack([grey, ALPHA])), expected, atol=1e-6)


@pytest.mark.skipif(not (SHARED / "inputs").exists(), reason="the inputs are not beside this checkout")
def test_the_mask_in_the_alpha_channel_of_a_file_is_that_shape() -> None:
    path = SHARED / "inputs" / "mask_alpha.png"
    found = inputs.mask(str(path), box(), np.zeros((170, 256, 3), np.uint8))
    assert torch.equal(found, to_tensor(np.array(Image.open(path)))[3])
    assert 0 < found.mean() < 1


def test_a_mask_and_transparency_are_combined(tmp_path: Path) -> None:
    Image.new("L", (10, 10), 128).save(tmp_path / "mask.png")
    found = inputs.mask(str(tmp_path / "mask.png"), box(), np.dstack([NOISE, ALPHA]))
    assert torch.allclose(found, torch.from_numpy((ALPHA > 0) * (128 / 255)).float(), atol=1e-5)


@pytest.mark.parametrize(("name", "bits"), [("d.png", 16), ("d.tif", None)])
def test_a_photo_of_16_bits_keeps_its_depth(tmp_path: Path, name: str, bits: int | None) -> None:
    photo = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH, 3), dtype=np.uint16)
    write_image(to_tensor(photo), tmp_path / "photo.png", bits=16)
    Image.fromarray(np.where(ALPHA > 0, 255, 0).astype(np.uint8)).save(tmp_path / "mask.png")
    path = dreamed(tmp_path / name, image=tmp_path / "photo.png", bits=bits, mask=str(tmp_path / "mask.png"))
    found = read_pixels(path, bits=16)
    assert np.array_equal(found[:, :12], photo[:, :12])  # to the bit outside the mask
    assert (found % 257 != 0).mean() > 0.9
    kept = read_provenance(path)["config"]
    assert kept["dream"]["bits"] == 16
    again = dataclasses.replace(config(tmp_path / "photo.png"), reproduce=str(path), output=str(tmp_path / "again.tif"))
    dream._dream_image(reproduce.reproduced(again), box(), tmp_path / "again.tif", [])
    assert np.array_equal(read_pixels(tmp_path / "again.tif", bits=16), found)


def test_a_dream_of_a_tagged_photo_by_an_earlier_version_is_not_reproduced_in_other_colours(tmp_path: Path) -> None:
    for name, options in {"a.png": {"icc_profile": profile("Adobe RGB")}, "b.png": {}}.items():
        Image.fromarray(NOISE).save(tmp_path / name, **options)
        kept = dataclasses.asdict(config(tmp_path / name))
        del kept["dream"]["bits"], kept["logger"], kept["tags"]
        path = write_image(Image.fromarray(NOISE), tmp_path / f"dream_{name}", provenance={"config": kept})
        asked = dataclasses.replace(config("china"), reproduce=str(path))
        if options:
            with pytest.raises(ValueError, match=r"ignored the colour profile .* reproduce it with deepdream 0\.2\.0"):
                reproduce.reproduced(asked)
        else:
            assert reproduce.reproduced(asked).image == str(tmp_path / name)


def test_16_bits_in_a_file_that_has_8_are_refused(tmp_path: Path) -> None:
    for name in ("d.jpg", "d.webp"):
        with pytest.raises(ValueError, match=r"dream.bits=16 needs a name in \.png or \.tif"):
            bits_of_output(tmp_path / name, 16)
    with pytest.raises(ValueError, match=r"film=zoom makes a film and does not use dream\.bits=16"):
        config("china", film="zoom", bits=16)
    with pytest.raises(ValueError, match=r"dream\.bits is 12"):
        config("china", bits=12)


def test_every_kind_of_photo_in_a_folder_is_dreamed_and_the_rest_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    photos = tmp_path / "photos"
    (photos / "more.jpg").mkdir(parents=True)  # a folder
    Image.fromarray(np.dstack([NOISE, ALPHA])).save(photos / "a.webp", lossless=True)
    for name in ("b.heic", "c.jfif", "d.avif", "e.JP2", "f.jpg"):
        Image.fromarray(NOISE).save(photos / name)
    for name in ("raw.CR2", "raw.cr2", "notes.txt", "README", ".DS_Store"):
        (photos / name).write_bytes(b"?")
    paths = inputs.images_in(str(photos))
    assert [path.name for path in paths] == ["a.webp", "b.heic", "c.jfif", "d.avif", "e.JP2", "f.jpg"]
    line = "4 files are not used: 2 .cr2, 1 .txt, 1 without a suffix"
    assert f"note: {line}" in capsys.readouterr().out.splitlines()
    folders.dream_folder(config(photos), box(), paths, tmp_path / "dreams")
    assert len(list((tmp_path / "dreams").iterdir())) == 6
    with Image.open(tmp_path / "dreams" / "a.webp.png") as first:
        assert np.array_equal(np.asarray(first)[..., 3], ALPHA)

    assert sorted(inputs.images_below(str(photos))) == ["a", "b", "c", "d", "e", "f"]
    assert f"note: {line}" in capsys.readouterr().out
    (tmp_path / "set").mkdir()
    photos.rename(tmp_path / "set" / "room")
    lists = read_class_folders(tmp_path / "set")
    assert len(lists.train) + len(lists.test) == 6
    assert line in lists.notes


@pytest.mark.parametrize("image", ["noise", "flower"])
def test_a_channel_grid_is_of_any_image_that_a_dream_takes(image: str) -> None:
    asked = dataclasses.replace(config(image, layers=["layer3"], width=48), mode="channels", channels=2)
    grid = channel_grid(asked, box())
    assert len(set(grid.channels)) == 2
    assert grid.image.width >= 64
