"""Sample photos, noise, resizing, tensors and normalisation."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from PIL import Image

from deepdream.images import (
    SAMPLES,
    denormalize,
    noise_image,
    normalize,
    read_sample,
    resize_to_width,
    to_image,
    to_tensor,
)


def test_samples_are_the_photos_of_scikit_learn():
    assert {read_sample(name).size for name in SAMPLES} == {(640, 427)}
    assert read_sample().tobytes() == read_sample("china").tobytes() != read_sample("flower").tobytes()
    with pytest.raises(ValueError, match="china, flower"):
        read_sample("../china")


def test_noise_is_seeded_and_gaussian_around_grey():
    image = noise_image(200, 300, seed=3)
    assert image.size == (300, 200)
    values = np.asarray(image).astype(float)
    assert abs(values.mean() - 127.5) < 0.5
    assert abs(values.std() - np.sqrt((256**2 - 1) / 12 / 8)) < 0.5
    z = (values - values.mean()) / values.std()
    assert abs((np.abs(z) < 1).mean() - 0.683) < 0.02
    assert abs((z**3).mean()) < 0.05
    assert image.tobytes() == noise_image(200, 300, seed=3).tobytes() != noise_image(200, 300, seed=4).tobytes()


def test_noise_is_the_same_on_every_machine():
    assert np.asarray(noise_image(1, 4, seed=0)).ravel().tolist() == [
        129,
        165,
        133,
        147,
        142,
        145,
        116,
        142,
        108,
        97,
        136,
        109,
    ]


def test_noise_without_pixels_or_too_large_is_refused():
    for size in ((0, 5), (5, -1), (100_000, 100_000)):
        with pytest.raises(ValueError, match="cannot be made"):
            noise_image(*size, seed=0)


def keys_cubic(values: np.ndarray, size: int) -> np.ndarray:
    """Cubic convolution (Keys 1981, a = -0.75) along the first axis, pixel centres at halves, edges repeated."""
    a, n = -0.75, len(values)
    centres = (np.arange(size) + 0.5) * n / size - 0.5
    result = 0.0
    for tap in range(-1, 3):
        index = np.floor(centres).astype(int) + tap
        d = np.abs(centres - index)
        weight = np.where(d <= 1, (a + 2) * d**3 - (a + 3) * d**2 + 1, a * (d**3 - 5 * d**2 + 8 * d - 4))
        result = result + weight[:, None, None] * values[index.clip(0, n - 1)]
    return result


@pytest.mark.parametrize("width", [9, 36, 50, 600])
def test_resize_is_opencvs_cubic(width):
    source = np.random.default_rng(0).integers(0, 256, (25, 36, 3), dtype=np.uint8)
    resized = resize_to_width(Image.fromarray(source), width)
    height = int(25 * (width / 36))
    assert resized.size == (width, height)
    expected = keys_cubic(keys_cubic(source.astype(float), height).transpose(1, 0, 2), width).transpose(1, 0, 2)
    difference = np.abs(np.asarray(resized).astype(float) - expected.clip(0, 255))
    assert difference.max() <= 0.5 + 1e-3


def test_resize_gives_opencvs_numbers():
    # cv2.resize(..., (7, 7), interpolation=cv2.INTER_CUBIC) of OpenCV 5.0.0, first channel.
    ramp = np.array([[0, 40, 250], [90, 10, 200], [255, 255, 0]], dtype=np.uint8)
    resized = resize_to_width(Image.fromarray(np.stack([ramp] * 3, axis=2)), 7)
    assert resized.size == (7, 7)
    assert np.asarray(resized)[..., 0].tolist() == [
        [0, 0, 0, 43, 138, 230, 255],
        [6, 9, 0, 33, 125, 221, 255],
        [39, 27, 0, 0, 96, 212, 255],
        [99, 78, 24, 10, 81, 176, 221],
        [175, 162, 134, 110, 104, 110, 111],
        [237, 237, 251, 225, 139, 48, 2],
        [255, 255, 255, 255, 155, 15, 0],
    ]


@pytest.mark.parametrize(
    ("size", "width", "expected"),
    [((640, 427), 600, (600, 400)), ((600, 399), 600, (600, 399)), ((2000, 5), 600, (600, 1)), ((9000, 2), 6, (6, 1))],
)
def test_height_keeps_the_aspect_ratio_and_is_at_least_one(size, width, expected):
    assert resize_to_width(Image.new("L", size), width).size == expected


def test_resize_that_would_be_huge_is_refused_with_the_width_that_works():
    tower = Image.new("RGB", (5, 2000))
    with pytest.raises(ValueError, match="600x240000") as error:
        resize_to_width(tower, 600)
    width = int(re.search(r"dream\.width=(\d+)", str(error.value))[1])
    assert width == 500
    with pytest.raises(ValueError, match="1 or more"):
        resize_to_width(tower, 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensor_and_back_is_lossless(dtype):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = Image.fromarray(np.dstack([levels, levels.T, levels[::-1]]))
    tensor = to_tensor(image, dtype)
    assert (tensor.shape, tensor.dtype) == ((3, 16, 16), dtype)
    assert torch.equal(tensor[0], torch.arange(256, dtype=dtype).reshape(16, 16) / 255)
    assert to_image(tensor).tobytes() == image.tobytes()


def test_tensor_of_grey_has_three_channels():
    assert to_tensor(Image.new("L", (5, 4), 255)).equal(torch.ones(3, 4, 5))


def test_to_image_rounds_half_up_and_clamps():
    half = torch.tensor([0.5, 1.5, 2.5, 254.5], dtype=torch.float64) / 255
    below = torch.nextafter(torch.tensor(0.5 / 255), torch.tensor(0.0)).double()
    values = torch.cat([half, below[None], torch.tensor([-3.0, 7.0, torch.inf])])
    pixels = np.asarray(to_image(values.expand(3, 1, 8).requires_grad_()))
    assert pixels[0, :, 0].tolist() == [1, 2, 3, 255, 0, 0, 255, 255]


def test_to_image_leaves_its_tensor_alone():
    tensor = torch.full((3, 2, 2), 0.25, dtype=torch.float64)
    to_image(tensor)
    assert torch.equal(tensor, torch.full((3, 2, 2), 0.25, dtype=torch.float64))


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1, 3, 4, 4),
        torch.zeros(4, 4),
        torch.zeros(4, 4, 3),
        torch.zeros(3, 0, 4),
        torch.zeros(3, 4, 4, dtype=torch.uint8),
        torch.full((3, 4, 4), torch.nan),
    ],
)
def test_to_image_refuses_other_shapes_dtypes_and_nan(tensor):
    with pytest.raises(ValueError, match=r"tensor \(3, H, W\)|NaN"):
        to_image(tensor)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_normalisation_and_its_inverse_keep_the_dtype(dtype):
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    images = torch.rand(2, 3, 5, 4, generator=torch.Generator().manual_seed(0)).to(dtype)
    normalized = normalize(images, mean, std)
    assert normalized.dtype == dtype
    mean_, std_ = (torch.tensor(values, dtype=torch.float64).view(3, 1, 1) for values in (mean, std))
    expected = (images.double() - mean_) / std_
    tolerance = {torch.float32: 1e-6, torch.float64: 1e-12, torch.bfloat16: 0.03}[dtype]
    assert (normalized.double() - expected).abs().max() < tolerance
    assert (denormalize(normalized, mean, std).double() - images.double()).abs().max() < tolerance
