from collections.abc import Callable

import numpy as np
import pytest
import torch
from torchvision.transforms.v2.functional import adjust_brightness, adjust_saturation

from deepdream.scenes.config import AugmentConfig
from deepdream.scenes.transforms import (
    Transform,
    call_seeded,
    color_matrix,
    evaluation_transform,
    has_color_jitter,
    normalize_uint8,
    training_transform,
)

IMAGE = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 60, 90), np.uint8))


COLORS = {"brightness": 0.3, "saturation": 0.4, "hue": 0.1, "grayscale": 0.2}


def _training(size: int = 32, **changes: object) -> Transform:
    return training_transform(size, AugmentConfig.preset(**changes))


def test_the_same_seed_gives_the_same_result_and_leaves_the_callers_random_state_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first = call_seeded((0, 3, 5), _training(), IMAGE)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(call_seeded((0, 3, 5), _training(), IMAGE), first)
    assert first.shape == (3, 32, 32)
    assert first.dtype == torch.uint8


def test_each_part_of_the_seed_matters() -> None:
    keys = [(0, 3, 5), (1, 3, 5), (0, 4, 5), (0, 3, 6)]
    images = [call_seeded(key, _training(), IMAGE) for key in keys]
    assert all(not torch.equal(a, b) for i, a in enumerate(images) for b in images[:i])


def test_half_of_the_images_are_mirrored() -> None:
    uncropped = {"crop_scale": [1, 1], "crop_ratio": [1.5, 1.5]}
    whole = _training(16, **uncropped, flip=0.5)
    plain = call_seeded((0,), _training(16, **uncropped, flip=0.0), IMAGE)
    seen = [torch.equal(call_seeded((0, i), whole, IMAGE), plain.flip(-1)) for i in range(200)]
    assert 70 < sum(seen) < 130


def _color_matrix(seed: int, **changes: float) -> torch.Tensor:
    return torch.from_numpy(color_matrix(AugmentConfig.preset(**changes), np.random.default_rng(seed)))


def _jittered(matrix: torch.Tensor) -> torch.Tensor:
    """IMAGE, as 0 to 255."""
    return normalize_uint8(IMAGE[None], (0, 0, 0), (1, 1, 1), matrix[None])[0] * 255


def test_colour_jitter_is_off_by_default_and_differs_from_image_to_image() -> None:
    assert not has_color_jitter(AugmentConfig.preset())
    assert torch.allclose(_color_matrix(0), torch.eye(3), atol=1e-6)
    matrices = [_color_matrix(seed, **COLORS) for seed in range(60)]
    assert len({tuple(m.flatten().tolist()) for m in matrices}) == 60
    greys = sum(torch.allclose(m[0], m[1], atol=1e-5) and torch.allclose(m[0], m[2], atol=1e-5) for m in matrices)
    assert 3 <= greys <= 24  # 20 % of them


@pytest.mark.parametrize(("key", "adjust"), [("brightness", adjust_brightness), ("saturation", adjust_saturation)])
def test_brightness_and_saturation_are_those_of_torchvision(
    key: str, adjust: Callable[[torch.Tensor, float], torch.Tensor]
) -> None:
    draws = np.random.default_rng(5).uniform(-1, 1, 2).tolist()
    factor = 1 + 0.4 * dict(zip(("brightness", "saturation"), draws, strict=True))[key]
    expected = adjust(IMAGE / 255, factor) * 255
    assert (_jittered(_color_matrix(5, **{key: 0.4})) - expected).abs().max() < 0.2  # its luma weights are rounded


def test_a_turned_hue_keeps_the_luma_and_a_whole_turn_the_colours() -> None:
    luma = torch.tensor([0.299, 0.587, 0.114])
    turned = _color_matrix(3, hue=0.3)
    assert torch.allclose(luma @ turned, luma, atol=1e-4)
    assert torch.allclose(turned.sum(dim=1), torch.ones(3), atol=1e-3)  # grey stays grey
    assert (turned - torch.eye(3)).abs().max() > 0.1


def test_evaluation_crops_the_centre_of_the_resized_image() -> None:
    image = torch.zeros(3, 64, 128, dtype=torch.uint8)
    image[:, :, 32:96] = 255  # the middle half
    out = evaluation_transform(32, 32)(image)
    assert out.shape == (3, 32, 32)
    assert out.float().mean() > 250


def test_normalize_is_the_textbook_formula_in_channels_last() -> None:
    images = torch.randint(0, 256, (4, 3, 8, 9), dtype=torch.uint8)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    out = normalize_uint8(images, mean, std)
    expected = (images.double() / 255 - torch.tensor(mean).double().view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    assert (out.double() - expected).abs().max() == pytest.approx(0, abs=1e-5)
    assert out.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.medium
def test_trivial_augment_and_erasing_change_the_images_they_should() -> None:
    uncropped = {"crop_scale": [1, 1], "crop_ratio": [1.5, 1.5], "flip": 0.0}
    plain = call_seeded((0,), _training(**uncropped), IMAGE)
    erased = [call_seeded((0, i), _training(**uncropped, erase=0.5), IMAGE) for i in range(100)]
    changed = [float((e != plain).any(dim=0).float().mean()) for e in erased]
    assert 30 < sum(share > 0 for share in changed) < 70
    assert max(changed) <= 0.25
    varied = [call_seeded((0, i), _training(**uncropped, trivial_augment=True), IMAGE) for i in range(60)]
    assert len({v.numpy().tobytes() for v in varied}) > 30


def test_an_unknown_view_is_refused() -> None:
    with pytest.raises(ValueError, match="tta is 'five'; it must be one of none, flip, multicrop"):
        evaluation_transform(32, 32, "five")
