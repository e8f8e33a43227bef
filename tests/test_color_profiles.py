"""Tagged images in sRGB, against the formulas of the colour spaces; the profiles are made here, byte by byte."""

from __future__ import annotations

import logging
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from deepdream.images import decode, read_image
from deepdream.scenes.dataset import SceneDataset
from deepdream.scenes.image_cache import prepare_cache
from deepdream.scenes.splits import SceneLists
from tests.pictures import SHARED, assert_rgb, gradient

# The primaries and the white point of each space, as its standard states them (x, y), and the exponent of its curve.
SPACES = {
    "Adobe RGB": (((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), (0.3127, 0.3290), 563 / 256),
    "Display P3": (((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)), (0.3127, 0.3290), None),  # None: the curve of sRGB
    "ProPhoto": (((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), (0.3457, 0.3585), 1.8),
}
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)), (0.3127, 0.3290)
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
D50 = np.array([0.9642, 1.0, 0.8249])


def to_d50(primaries: tuple, white: tuple) -> np.ndarray:
    """The matrix from linear RGB to XYZ, adapted to D50 by Bradford's method, as ICC profiles hold it."""
    xyz = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    white_xyz = np.array([white[0] / white[1], 1, (1 - white[0] - white[1]) / white[1]])
    matrix = xyz * np.linalg.solve(xyz, white_xyz)
    gain = (BRADFORD @ D50) / (BRADFORD @ white_xyz)
    return np.linalg.inv(BRADFORD) @ (gain[:, None] * BRADFORD) @ matrix


def srgb_to_linear(values: np.ndarray) -> np.ndarray:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(values: np.ndarray) -> np.ndarray:
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * np.abs(values) ** (1 / 2.4) - 0.055)


def expected_srgb(values: np.ndarray, space: str) -> np.ndarray:
    """The colours `values` (..., 3) in [0, 1] of a space, in sRGB, clipped."""
    primaries, white, exponent = SPACES[space]
    linear = srgb_to_linear(values) if exponent is None else values**exponent
    matrix = np.linalg.inv(to_d50(*SRGB)) @ to_d50(primaries, white)
    return linear_to_srgb((linear @ matrix.T).clip(0, 1))


def icc(tags: dict[bytes, bytes], space: bytes = b"RGB ") -> bytes:
    """An ICC profile, version 2, of a display."""
    place, table, data = 128 + 4 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += struct.pack(">4sII", name, place + len(data), len(content))
        data += content
    size = place + len(data)
    white = struct.pack(">3i", 63190, 65536, 54061)
    head = struct.pack(">I4xI4s4s4s", size, 0x02400000, b"mntr", space, b"XYZ ") + bytes(12) + b"acsp" + bytes(28)
    return head + white + bytes(128 - len(head) - len(white)) + struct.pack(">I", len(tags)) + table + data


def xyz_tag(values: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(value) * 65536) for value in values))


def curve_tag(exponent: float | None) -> bytes:
    if exponent is None:
        levels = np.rint(srgb_to_linear(np.linspace(0, 1, 1024)) * 65535).astype(">u2")
        return b"curv\0\0\0\0" + struct.pack(">I", 1024) + levels.tobytes()
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(exponent * 256))


def profile(space: str) -> bytes:
    primaries, white, exponent = SPACES[space]
    columns = to_d50(primaries, white).T
    colors = {f"{c}XYZ".encode(): xyz_tag(column) for c, column in zip("rgb", columns, strict=True)}
    curves = {f"{c}TRC".encode(): curve_tag(exponent) for c in "rgb"}
    return icc({b"wtpt": xyz_tag(D50), **colors, **curves})


def gray_profile(exponent: float) -> bytes:
    return icc({b"wtpt": xyz_tag(D50), b"kTRC": curve_tag(exponent)}, b"GRAY")


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
@pytest.mark.parametrize("space", SPACES)
def test_tagged_colours_are_those_of_the_formula(tmp_path, space, name):
    Image.fromarray(gradient()).save(tmp_path / name, icc_profile=profile(space), lossless=True)
    expected = expected_srgb(gradient() / 255, space) * 255
    # One level: lcms computes 8-bit images in 16-bit integers. ProPhoto's darkest levels lie far apart.
    assert_rgb(read_image(tmp_path / name), np.rint(expected), tolerance=2 if space == "ProPhoto" else 1)
    assert np.abs(expected - gradient()).max() > 20


def test_training_evaluation_and_the_integrity_check_read_the_same_colours(tmp_path):
    (tmp_path / "images" / "room").mkdir(parents=True)
    Image.fromarray(gradient(48, 72)).save(tmp_path / "images" / "room" / "a.png", icc_profile=profile("Adobe RGB"))
    expected = np.asarray(read_image(tmp_path / "images" / "room" / "a.png"))
    lists = SceneLists(tmp_path / "images", ("room",), {"room/a.png": 0}, ("room/a.png",), ())
    cache = prepare_cache(lists, cache_dir=tmp_path / "cache", shorter_side=48)
    for images in (None, cache.images):
        data = SceneDataset(lists, lists.train, lambda image, _: image, 0, cache=images, rows=[0])
        assert np.array_equal(data.raw(0).permute(1, 2, 0).numpy(), expected)


@pytest.mark.skipif(not (SHARED / "inputs").exists(), reason="the inputs are not beside this checkout")
def test_a_photo_in_adobe_rgb_looks_like_its_twin_in_srgb():
    tagged, plain = (
        np.asarray(read_image(SHARED / "inputs" / name), float) for name in ("flower_adobe.jpg", "flower.jpg")
    )
    assert np.abs(tagged - plain).mean() < 2  # two JPEGs, 1.8 by the formula too; 11.3 without the profile


def test_srgb_leaves_the_pixels_as_they_are(tmp_path):
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    rounded = icc(  # the one of 1998, in most photos: its white point and curve are rounded otherwise
        {
            b"wtpt": xyz_tag(np.array([0.9505, 1, 1.0891])),
            b"rXYZ": xyz_tag(np.array([0.43607, 0.22249, 0.01392])),
            b"gXYZ": xyz_tag(np.array([0.38515, 0.71687, 0.09708])),
            b"bXYZ": xyz_tag(np.array([0.14307, 0.06061, 0.7141])),
            **{f"{c}TRC".encode(): curve_tag(None) for c in "rgb"},
        }
    )
    for made in (own, rounded):
        Image.fromarray(gradient()).save(tmp_path / "a.png", icc_profile=made)
        assert_rgb(read_image(tmp_path / "a.png"), gradient())
        Image.fromarray(gradient()[..., 0]).save(tmp_path / "grey.png", icc_profile=made)
        assert_rgb(read_image(tmp_path / "grey.png"), gradient()[..., :1].repeat(3, axis=2))


def test_tagged_grey_follows_its_curve(tmp_path):
    grey = gradient()[..., 0]
    expected = np.rint(linear_to_srgb((grey / 255) ** 1.0) * 255)[..., None].repeat(3, axis=2)
    Image.fromarray(grey).save(tmp_path / "a.png", icc_profile=gray_profile(1.0))
    assert_rgb(read_image(tmp_path / "a.png"), expected, tolerance=3)  # 3 near black, where the curve is steep
    alpha = Image.fromarray(gradient()[..., 1])
    Image.merge("LA", [Image.fromarray(grey), alpha]).save(tmp_path / "a.png", icc_profile=gray_profile(1.0))
    weight = gradient()[..., 1:2] / 255
    assert_rgb(read_image(tmp_path / "a.png"), np.rint(expected * weight + 255 * (1 - weight)), tolerance=3)


def test_transparency_and_palettes_are_kept_apart_from_the_colours(tmp_path):
    alpha = gradient()[..., 1:2]
    Image.fromarray(np.dstack([gradient(), alpha])).save(tmp_path / "a.png", icc_profile=profile("Adobe RGB"))
    colors, weight = expected_srgb(gradient() / 255, "Adobe RGB") * 255, alpha / 255
    assert_rgb(read_image(tmp_path / "a.png"), np.rint(colors * weight + 255 * (1 - weight)), tolerance=2)
    palette = Image.fromarray(gradient()).quantize(16)
    palette.save(tmp_path / "p.png", icc_profile=profile("Adobe RGB"))
    expected = expected_srgb(np.asarray(palette.convert("RGB")) / 255, "Adobe RGB") * 255
    assert_rgb(read_image(tmp_path / "p.png"), np.rint(expected), tolerance=1)


def cmyk_profile() -> bytes:
    """A printer with two levels of each ink: L* is 100, less 100 for each of the inks, and a* = b* = 0."""
    corners = np.indices((2, 2, 2, 2)).reshape(4, -1).sum(axis=0)
    lab = [(round(max(0.0, 1 - inks / 4) * 0xFF00), 0x8000, 0x8000) for inks in corners]
    identity = struct.pack(">HH", 0, 65535)
    table = struct.pack(">4s4xBBBB", b"mft2", 4, 3, 2, 0) + struct.pack(
        ">9i", *(65536 * (n % 4 == 0) for n in range(9))
    )
    table += struct.pack(">HH", 2, 2) + identity * 4 + np.array(lab, ">u2").tobytes() + identity * 3
    made = bytearray(icc({b"wtpt": xyz_tag(D50), b"A2B0": table, b"A2B1": table}, b"CMYK"))
    made[12:16], made[20:24] = b"prtr", b"Lab "
    return bytes(made)


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_tagged_cmyk_is_printed_by_its_profile(tmp_path, name):
    options = {"quality": 100} if name == "a.jpg" else {}
    Image.new("CMYK", (16, 16), (255, 0, 0, 0)).save(tmp_path / name, icc_profile=cmyk_profile(), **options)
    linear = ((75 + 16) / 116) ** 3  # L* = 75, CIE 1976
    grey = np.rint(linear_to_srgb(np.array(linear)) * 255)
    assert_rgb(read_image(tmp_path / name), np.full((16, 16, 3), grey), tolerance=3)  # without it: cyan


@pytest.mark.parametrize(
    ("mode", "broken"),
    [
        ("RGB", b"x" * 99),
        ("RGB", profile("Adobe RGB")[:200]),
        ("RGB", cmyk_profile()),
        ("RGB", gray_profile(1.0)),
        ("CMYK", profile("Adobe RGB")),
    ],
    ids=["words", "cut", "of CMYK", "of grey", "of RGB"],
)
def test_a_profile_that_cannot_be_used_is_ignored_with_a_line(tmp_path, caplog, mode, broken):
    image = Image.fromarray(gradient()).convert(mode)
    image.save(tmp_path / "a.tif", icc_profile=broken)
    with caplog.at_level(logging.WARNING):
        assert_rgb(read_image(tmp_path / "a.tif"), np.asarray(image.convert("RGB")))
    (line,) = caplog.messages
    assert line.startswith(f"{tmp_path / 'a.tif'}: its colour profile is ignored (")
    assert "\n" not in line
    assert decode(tmp_path / "a.tif").profile_fault


def test_lab_is_read(tmp_path):
    """L* of 0 to 100 in bytes, no colour: the grey of CIE 1976."""
    lightness = np.arange(0, 256, 5, dtype=np.uint8)[None]
    lab = np.dstack([lightness, np.zeros_like(lightness), np.zeros_like(lightness)])
    Image.frombytes("LAB", (lab.shape[1], 1), lab.tobytes()).save(tmp_path / "a.tif")
    star = lightness / 255 * 100
    linear = np.where(star > 8, ((star + 16) / 116) ** 3, star / 903.3)
    expected = np.rint(linear_to_srgb(linear) * 255)[..., None].repeat(3, axis=2)
    assert_rgb(read_image(tmp_path / "a.tif"), expected, tolerance=2)
