"""16 bits per channel: written and read back, and in the colours of a profile, against formulas and tifffile."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from deepdream.bit_depth import write_png_16
from deepdream.images import read_image, read_pixels, to_pixels, to_tensor
from deepdream.provenance import read_provenance, write_image
from tests.pictures import (  # noqa: F401  # fixtures of every test
    _libraries_loaded,
    _no_warning_and_no_open_file,
)
from tests.test_color_profiles import SPACES, expected_srgb, gray_profile, linear_to_srgb, profile

DEEP = np.random.default_rng(0).integers(0, 65536, (9, 14, 3), dtype=np.uint16)
ALPHA = np.linspace(0, 65535, 14).astype(np.uint16)[None].repeat(9, axis=0)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_a_float_image_comes_back_with_16_bits_its_alpha_and_its_provenance(tmp_path, name):
    pixels = np.dstack([DEEP, ALPHA])
    pixels[..., :3][ALPHA == 0] = 65535  # what is read where nothing is seen
    path = write_image(to_tensor(pixels), tmp_path / name, bits=16, provenance={"seed": 7})
    assert np.array_equal(read_pixels(path, bits=16), pixels)
    assert read_provenance(path) == {"seed": 7}
    opaque = write_image(to_tensor(DEEP), tmp_path / name, bits=16)
    assert np.array_equal(read_pixels(opaque, bits=16), DEEP)
    assert np.abs(np.asarray(read_image(opaque)) - DEEP / 257).max() <= 1  # other readers see the same image
    if name == "a.tif":
        assert np.array_equal(tifffile.imread(opaque), DEEP)


def test_other_images_are_scaled_to_16_bits(tmp_path):
    values = (DEEP >> 8).astype(np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    assert np.array_equal(read_pixels(tmp_path / "a.png", bits=16), values.astype(np.uint16) * 257)
    assert torch.equal(to_tensor(read_pixels(tmp_path / "a.png", bits=16)), to_tensor(values))
    Image.fromarray(DEEP[..., 0]).save(tmp_path / "grey.png")
    assert np.array_equal(read_pixels(tmp_path / "grey.png", bits=16), DEEP[..., :1].repeat(3, axis=2))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "tif"])
def test_16_bits_are_turned_upright_as_8_are(tmp_path, kind, orientation):
    path = tmp_path / f"a.{kind}"
    if kind == "tif":
        tifffile.imwrite(path, DEEP, photometric="rgb", extratags=[(274, "H", 1, orientation, True)])
    else:
        exif, chunks = Image.Exif(), PngInfo()
        exif[274] = orientation
        chunks.add(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
        with path.open("wb") as file:
            write_png_16(file, DEEP, chunks)
    assert np.array_equal(read_pixels(path, bits=16) >> 8, np.asarray(read_image(path)))


@pytest.mark.parametrize("space", SPACES)
def test_16_bit_colours_are_those_of_the_formula(tmp_path, space):
    tifffile.imwrite(tmp_path / "a.tif", DEEP, photometric="rgb", iccprofile=profile(space))
    found = read_pixels(tmp_path / "a.tif", bits=16)
    expected = expected_srgb(DEEP / 65535, space) * 65535
    # Colorants of a profile are multiples of 1/65536, and the curve of sRGB multiplies a rounding near black by 13.
    assert np.abs(found - expected).max() < 160
    assert np.abs(found - expected).mean() < 15
    assert np.abs(found - DEEP.astype(float)).max() > 5000


def test_16_bit_grey_follows_its_curve(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", DEEP[..., 0], photometric="minisblack", iccprofile=gray_profile(1.5))
    expected = linear_to_srgb((DEEP[..., :1] / 65535) ** 1.5) * 65535
    assert np.abs(read_pixels(tmp_path / "a.tif", bits=16) - expected).max() < 2


def test_premultiplied_alpha_of_a_tiff_is_divided_out(tmp_path):
    premultiplied = np.dstack([DEEP * (ALPHA / 65535)[..., None], ALPHA]).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", premultiplied, photometric="rgb", extrasamples=["assocalpha"])
    found = read_pixels(tmp_path / "a.tif", bits=16).astype(int)
    assert np.array_equal(found[..., 3], ALPHA)
    assert np.abs(found[:, 1:, :3] - DEEP[:, 1:]).max() <= 14  # 1 divided by the least alpha


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_a_truncated_file_of_16_bits_is_refused(tmp_path, name, part):
    path = write_image(torch.rand(3, 90, 110), tmp_path / name, bits=16)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(ValueError, match=r"a\.(png|tif) is "):
        read_pixels(path, bits=16)


def test_rounding_to_16_bits_is_half_up():
    halves = torch.tensor([0.5, 1.5, 65534.5], dtype=torch.float64) / 65535
    assert to_pixels(halves.expand(3, 1, 3), bits=16)[0, :, 0].tolist() == [1, 2, 65535]
