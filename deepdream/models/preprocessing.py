"""How an architecture's published weights want their images: size, mean, std and interpolation, from their metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from deepdream.models.architectures import import_timm
from deepdream.models.network import Network

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)
# torchvision trained these on images in [-1, 1]; its `transform_input` undoes the mean and std of its other networks.
IN_MINUS_ONE_TO_ONE = ("googlenet", "inception_v3")
INTERPOLATIONS = ("nearest", "bilinear", "bicubic")

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Preprocessing:
    """From an image to the input of a network; the default is that of most networks of ImageNet.

    image_size: side in pixels of the centre crop. resize: pixels of the shorter side before it.
    mean, std: of red, green and blue, for images in [0, 1].
    """

    image_size: int = 224
    resize: int = 256
    mean: Color = IMAGENET_MEAN
    std: Color = IMAGENET_STD
    interpolation: str = "bilinear"


def network_with(
    preprocessing: Preprocessing,
    model: nn.Module,
    classes: Sequence[str],
    *,
    source: str,
    digest: str,
    record: Mapping[str, Any],
) -> Network:
    """The network `model`, which `building.build_model` makes of `record`, with its weights and its preprocessing."""
    return Network(
        model,
        list(classes),
        preprocessing.mean,
        preprocessing.std,
        preprocessing.image_size,
        source,
        digest,
        {"model": dict(record)},
        resize=preprocessing.resize,
        interpolation=preprocessing.interpolation,
    )


def published_preprocessing(architecture: str) -> Preprocessing:
    """The preprocessing of the default weights of "torchvision/NAME" or "timm/NAME"; the usual one of any other.

    timm's `crop_mode` and test sizes are not used: the crop is the centre, at the size of the training.
    """
    library, _, name = architecture.partition("/")
    if library == "torchvision":
        return _of_torchvision(name)
    return _of_timm(name) if library == "timm" else Preprocessing()


def _of_torchvision(name: str) -> Preprocessing:
    from torchvision.models import get_model_weights  # takes as long as torch: a dream of our own network does without

    transforms = get_model_weights(name).DEFAULT.transforms()
    found = Preprocessing(
        image_size=transforms.crop_size[0],
        resize=transforms.resize_size[0],
        mean=tuple(transforms.mean),
        std=tuple(transforms.std),
        interpolation=_known(transforms.interpolation.value),
    )
    return replace(found, mean=HALF, std=HALF) if name in IN_MINUS_ONE_TO_ONE else found


def _of_timm(name: str) -> Preprocessing:
    config = import_timm().get_pretrained_cfg(name)
    return Preprocessing() if config is None else timm_preprocessing(config.to_dict())


def timm_preprocessing(config: dict[str, Any]) -> Preprocessing:
    """The preprocessing in a `pretrained_cfg` of timm. Raises KeyError, TypeError or ValueError for a damaged one."""
    usual = Preprocessing()
    size = int(config.get("input_size", (3, usual.image_size, usual.image_size))[-1])
    red, green, blue = map(float, config.get("mean", usual.mean))
    red_std, green_std, blue_std = map(float, config.get("std", usual.std))
    return Preprocessing(
        image_size=size,
        resize=int(size / float(config.get("crop_pct") or 0.875)),
        mean=(red, green, blue),
        std=(red_std, green_std, blue_std),
        interpolation=_known(str(config.get("interpolation"))),
    )


def _known(interpolation: str) -> str:
    return interpolation if interpolation in INTERPOLATIONS else "bilinear"
