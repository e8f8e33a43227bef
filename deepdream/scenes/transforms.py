"""Transforms of images on their way to the network.

In the workers, on uint8, one image at a time: crop, flip, TrivialAugment, erasing for training; resize and centre crop
for evaluation. On the device, a batch at a time: colour jitter, normalisation, channels-last, CutMix and MixUp.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.transforms import InterpolationMode, v2

from deepdream.scenes.config import TTA, AugmentConfig

Transform = Callable[[Tensor], Tensor]
Mixing = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

P = ParamSpec("P")
R = TypeVar("R")

GREY = (124, 116, 104)  # the mean colour of photos, which fills what an augmentation leaves empty

# RGB -> YIQ: luma, and the plane of the colours. A rotation of that plane changes the hue and keeps the luma.
YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
RGB = np.linalg.inv(YIQ)


class BatchDraws(NamedTuple):
    """The random draws of a batch whose augmentation the device finishes.

    colors: see `color_matrix`, (N, 3, 3) float32; None without colour jitter. seed: of CutMix and MixUp.
    """

    colors: Tensor | None
    seed: tuple[int, ...]


def training_transform(image_size: int, augment: AugmentConfig) -> Transform:
    """Random crop, flip, TrivialAugment and erasing: uint8 (3, H, W) -> uint8 (3, S, S).

    S is `augment.crop_size`, or `image_size`. A random crop shows objects larger than the centre crop of evaluation
    does, so a network trained on smaller crops sees them at the size of evaluation (Touvron et al., "FixRes", 2019).

    The crop is that of Szegedy et al. (2015), then TrivialAugment (Müller & Hutter 2021) and random erasing (Zhong et
    al. 2017). Parts that the config leaves at 0 cost nothing.
    """
    scale, ratio = tuple(augment.crop_scale), tuple(augment.crop_ratio)
    steps: list[nn.Module] = [
        v2.RandomResizedCrop(augment.crop_size or image_size, scale, ratio, InterpolationMode.BILINEAR),
        v2.RandomHorizontalFlip(augment.flip),
    ]
    if augment.trivial_augment:
        steps.append(v2.TrivialAugmentWide(fill=GREY))
    if augment.erase:
        steps.append(v2.RandomErasing(augment.erase, scale=(0.02, 0.2), value=GREY))
    return v2.Compose(steps)  # type: ignore[no-any-return]


def has_color_jitter(augment: AugmentConfig) -> bool:
    """Whether images change in brightness, saturation or hue, or become grey."""
    return any((augment.brightness, augment.saturation, augment.hue, augment.grayscale))


def color_matrix(augment: AugmentConfig, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """A random change of brightness, saturation and hue, or to grey, as a matrix (3, 3) for RGB pixels.

    All four are linear in RGB if the hue turns in the colour plane of YIQ (as in NVIDIA DALI's ColorTwist; torchvision
    turns it in HSV). A batch then costs one small product on the device: torchvision's jitter of single images took
    80 % of the workers' time.
    """
    brightness = 1 + augment.brightness * rng.uniform(-1, 1)
    saturation = 1 + augment.saturation * rng.uniform(-1, 1)
    angle = 2 * np.pi * augment.hue * rng.uniform(-1, 1)
    if rng.uniform() < augment.grayscale:
        saturation = 0.0
    cos, sin = saturation * np.cos(angle), saturation * np.sin(angle)
    turned = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    return (brightness * RGB @ turned @ YIQ).astype(np.float32)  # type: ignore[no-any-return]


def evaluation_transform(image_size: int, resize: int, tta: str = "none") -> Transform:
    """Shorter side to `resize`, then the centre crop: uint8 (3, H, W) -> uint8 (3, image_size, image_size).

    tta: test-time augmentation. "flip" and "multicrop" return (V, 3, image_size, image_size), V views whose predictions
        are to be averaged: the centre crop, or the four corners and the centre, each also mirrored.
    """
    views: dict[str, nn.Module] = {
        "none": v2.CenterCrop(image_size),
        "flip": _Views(v2.CenterCrop(image_size)),
        "multicrop": _Views(v2.FiveCrop(image_size)),
    }
    if tta not in views:
        raise ValueError(f"tta is {tta!r}; it must be one of {', '.join(TTA)}")
    return v2.Compose([v2.Resize(resize, InterpolationMode.BILINEAR), views[tta]])  # type: ignore[no-any-return]


class _Views(nn.Module):
    """One or several crops of an image, then each of them mirrored: (3, H, W) -> (V, 3, S, S)."""

    def __init__(self, crop: nn.Module) -> None:
        super().__init__()
        self.crop = crop

    def forward(self, image: Tensor) -> Tensor:
        crops = self.crop(image)
        views = torch.stack(crops if isinstance(crops, tuple) else (crops,))
        return torch.cat([views, views.flip(-1)])


def mixing(augment: AugmentConfig, num_classes: int) -> Mixing | None:
    """CutMix (Yun et al. 2019) and MixUp (Zhang et al. 2018), equally often; None where both are off.

    Maps normalised images (N, 3, H, W) and labels int64 (N,) to mixed images and soft labels, float32 (N, num_classes).
    """
    kinds: list[nn.Module] = []
    if augment.cutmix_alpha:
        kinds.append(v2.CutMix(alpha=augment.cutmix_alpha, num_classes=num_classes))
    if augment.mixup_alpha:
        kinds.append(v2.MixUp(alpha=augment.mixup_alpha, num_classes=num_classes))
    if not kinds or not augment.mix_probability:
        return None
    mix = v2.RandomApply([v2.RandomChoice(kinds)], augment.mix_probability)

    def mixed(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        images, labels = mix(images, labels)
        return images, labels if labels.is_floating_point() else F.one_hot(labels, num_classes).float()

    return mixed


def call_seeded(seed: Sequence[int], function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """`function(...)` with PyTorch's CPU generator seeded by `seed`; the caller's random state stays as it was."""
    state = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(state)
        return function(*args, **kwargs)


def normalize_uint8(
    images: Tensor, mean: Sequence[float], std: Sequence[float], colors: Tensor | None = None
) -> Tensor:
    """(x / 255 - mean) / std of uint8 images (N, 3, H, W), as float32 in channels-last order.

    colors: (N, 3, 3), multiplied to the RGB values of each image before; the product stays within 0 to 255.

    Beside `deepdream.images.normalize`, for floats in [0, 1], because every batch passes here: conversion, scaling and
    shift are one fused multiply-add per value, x * (1 / (255 std)) - mean / std.
    """
    scale = 1 / (255 * torch.tensor(std, device=images.device).view(1, 3, 1, 1))
    shift = torch.tensor(mean, device=images.device).view(1, 3, 1, 1) * 255 * scale
    pixels = images.contiguous(memory_format=torch.channels_last).float()
    if colors is not None:
        pixels = torch.einsum("nij,njhw->nihw", colors, pixels).clamp_(0, 255)
    return torch.addcmul(-shift, pixels.contiguous(memory_format=torch.channels_last), scale)
