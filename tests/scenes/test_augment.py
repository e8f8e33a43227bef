from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from deepdream.config import AugmentConfig, typed
from deepdream.scenes.augment import Transform, evaluation_transform, normalize, seeded, training_transform

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8))


PLAIN = OmegaConf.load(Path(__file__).parents[2] / "conf" / "augment" / "plain.yaml")
COLORS = {"brightness": 0.3, "saturation": 0.4, "hue": 0.1, "grayscale": 0.2}


def _training(size: int = 32, **changes: object) -> Transform:
    return training_transform(size, typed(AugmentConfig, PLAIN, changes))


def test_the_same_key_draws_the_same_and_leaves_the_callers_draws_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first = seeded(_training(), PICTURE, 0, 3, 5)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(seeded(_training(), PICTURE, 0, 3, 5), first)
    assert first.shape == (3, 32, 32)
    assert first.dtype == torch.uint8


def test_each_part_of_the_key_matters() -> None:
    keys = [(0, 3, 5), (1, 3, 5), (0, 4, 5), (0, 3, 6)]
    pictures = [seeded(_training(), PICTURE, *key) for key in keys]
    assert all(not torch.equal(a, b) for i, a in enumerate(pictures) for b in pictures[:i])


def test_half_of_the_pictures_are_mirrored() -> None:
    uncropped = {"crop_scale": [1, 1], "crop_ratio": [1.5, 1.5]}
    whole = _training(16, **uncropped, flip=0.5)
    plain = seeded(_training(16, **uncropped, flip=0.0), PICTURE, 0)
    seen = [torch.equal(seeded(whole, PICTURE, 0, i), plain.flip(-1)) for i in range(200)]
    assert 70 < sum(seen) < 130


def test_colours_change_with_the_key_and_stay_where_they_are_not_asked_to() -> None:
    picture = Image.new("RGB", (64, 64), (200, 120, 40))
    plain = seeded(_training(), picture, 0)
    assert plain.unique(dim=-1).flatten().tolist() == pytest.approx([200] * 32 + [120] * 32 + [40] * 32)
    colored = [seeded(_training(**COLORS), picture, 0, i) for i in range(60)]
    assert len({tuple(c[:, 0, 0].tolist()) for c in colored}) > 40
    greys = sum(bool((c[0] == c[1]).all() and (c[1] == c[2]).all()) for c in colored)
    assert 3 <= greys <= 24  # a fifth of them


def test_evaluation_cuts_the_centre_of_the_resized_picture() -> None:
    picture = Image.fromarray(np.zeros((64, 128, 3), np.uint8))
    picture.paste((255, 255, 255), (32, 0, 96, 64))  # the middle half
    out = evaluation_transform(32, 32)(picture)
    assert out.shape == (3, 32, 32)
    assert out.float().mean() > 250


def test_normalize_is_the_textbook_formula_in_channels_last() -> None:
    images = torch.randint(0, 256, (4, 3, 8, 9), dtype=torch.uint8)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    out = normalize(images, mean, std)
    expected = (images.double() / 255 - torch.tensor(mean).double().view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    assert (out.double() - expected).abs().max() == pytest.approx(0, abs=1e-5)
    assert out.is_contiguous(memory_format=torch.channels_last)
