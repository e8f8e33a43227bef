"""Network: a model with its classes and preprocessing; all stations after training take it and nothing else.

`load_network` makes one of a checkpoint and of published weights; your own model is wrapped by hand:

    Network(model, classes, mean, std, image_size, source="my model")
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from deepdream.images import normalize, to_tensor
from deepdream.models.layers import Layer, dtype_and_device
from deepdream.models.probing import InputSizes, Probe, evaluating, probe, with_receptive_fields
from deepdream.models.spectrum import SPECTRUM_OF_ROOMS, Spectrum, spectrum_of_record
from deepdream.schema import did_you_mean

RESIZE_OVER_CROP = 256 / 224  # torchvision's ratio, for a network whose own is not known
MOST_CLASSES = 12  # that an error message lists


@dataclass(frozen=True)
class Network:
    """A classifier with what its inputs and predictions mean.

    model: maps normalised images (N, 3, H, W) to logits (N, len(classes)); in eval mode. Its feature maps may have any
        layout, and its images one size only.
    classes: the name of each logit; `index_names` if only their number is known.
    mean, std: of red, green and blue, for images in [0, 1].
    image_size: side in pixels of the centre crop of its evaluation.
    source: the path or name that it was loaded from.
    digest: SHA-256 of its file; empty if it has none.
    hyper_parameters: what else is known of it, as plain values: of a checkpoint its data and version, and as `model`
        the arguments of `build_model`.
    resize: pixels of the shorter side before the centre crop; None: in the ratio of the training, or torchvision's.
    interpolation: of that resize: nearest, bilinear or bicubic.
    notes: what its user should know about how it was loaded, in a line each.

    >>> network = Network(nn.Identity(), ["bar", "pantry"], (0, 0, 0), (1, 1, 1), 32, source="mine")
    >>> network.class_index("Pantry"), network.class_index("0"), network.class_name(1)
    (1, 0, 'pantry')
    """

    model: nn.Module
    classes: list[str]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    image_size: int
    source: str
    digest: str = ""
    hyper_parameters: Mapping[str, Any] | None = None
    resize: int | None = None
    interpolation: str = "bilinear"
    notes: tuple[str, ...] = ()

    @property
    def has_class_names(self) -> bool:
        """Whether its classes have names of their own, not only an index."""
        return self.classes != index_names(len(self.classes))

    def normalize(self, images: Tensor) -> Tensor:
        """(images - mean) / std of images (..., 3, H, W), float in [0, 1]; in their dtype, on their device."""
        return normalize(images, self.mean, self.std)

    def model_input(self, images: Tensor, *, fit: bool = True) -> Tensor:
        """`images`, (3, H, W) or (N, 3, H, W) in [0, 1], normalised, in the dtype and on the device of the weights.

        fit: images that the model does not take are resized to what it takes (see `input_sizes`).
        Returns (N, 3, H, W), free of any autograd history.
        """
        images = images.detach().clone().to(dtype_and_device(self.model))  # a clone of an inference tensor can have
        images = self.normalize(images if images.dim() == 4 else images[None])  # a gradient
        if not fit or images.shape[2:] == (self.image_size, self.image_size):  # which every model takes
            return images
        return self.input_sizes.fitted(images)

    def preprocess(self, image: Image.Image, *, crop: bool = True) -> Tensor:
        """`image` as the evaluation shows it to the network: float32 (3, H, W) in [0, 1].

        crop: the square centre, bit-equal to `scenes.transforms.evaluation_transform`; False keeps the whole image,
            with the shorter side at `image_size`.
        """
        image = image.convert("RGB")
        if crop:
            from torchvision.transforms import InterpolationMode  # takes as long as torch: a dream does without
            from torchvision.transforms.v2 import functional as transforms

            pixels = transforms.pil_to_tensor(image)
            resized = transforms.resize(pixels, [self.resize_side], InterpolationMode(self.interpolation))
            cropped: Tensor = transforms.center_crop(resized, [self.image_size])
            return cropped.to(torch.float32) / 255
        scale = self.image_size / min(image.size)
        width, height = (max(1, round(side * scale)) for side in image.size)
        return to_tensor(image.resize((width, height), Image.Resampling[self.interpolation.upper()]))

    def cropped(self, image: Image.Image) -> Image.Image:
        """The square centre that `preprocess` crops, at the image's own resolution."""
        side = max(1, round(min(image.size) / self._resize_over_crop))
        left, top = (image.width - side) // 2, (image.height - side) // 2
        return image.crop((left, top, left + side, top + side))

    @torch.no_grad()
    def predict(self, images: Tensor) -> Tensor:
        """Softmax probabilities, float32 on the CPU: (classes,) of one image (3, H, W), (N, classes) of (N, 3, H, W).

        images: float in [0, 1], as `preprocess` returns them. The model runs in eval mode and keeps its own mode.
        """
        with evaluating(self.model):
            logits = self.model(self.model_input(images))
        probabilities: Tensor = logits.float().softmax(dim=1).cpu()
        return probabilities if images.dim() == 4 else probabilities[0]

    def class_index(self, target: str | int) -> int:
        """The index of class `target`: its name, its name in another case, or its index; tried in this order.

        Raises ValueError, with the similar or all names, if there is no such class, and if several have that name.
        """
        if isinstance(target, str) and (found := _indices(target, self.classes)):
            if len(found) > 1:
                several = ", ".join(f"{self.classes[index]!r} is {index}" for index in found)
                raise ValueError(
                    f"{self.source} has several classes {target!r}: {several}; name it exactly, or give the index"
                )
            return found[0]
        if isinstance(target, int) or re.fullmatch(r"-?\d+", target):
            index, count = int(target), len(self.classes)
            if index < 0 or (count and index >= count):
                last = f" to {count - 1}" if count else " or more"
                raise ValueError(f"target is {index}; the index of a class is 0{last}")
            return index
        if not self.has_class_names:
            raise ValueError(f"target is {target!r}, but {self.source} does not name its classes; give an index")
        classes = ", ".join(self.classes[:MOST_CLASSES]) + (" ..." if len(self.classes) > MOST_CLASSES else "")
        near = did_you_mean(target, self.classes) or f"; its classes are {classes}"
        raise ValueError(f"{self.source} has no class {target!r}{near}")

    def class_name(self, index: int) -> str:
        """The name of a class; "class 3" if the network has no names."""
        return self.classes[index] if index < len(self.classes) else f"class {index}"

    def layers(self) -> list[Layer]:
        """Every module whose output is a feature map, in the order of their last run in a forward pass.

        >>> model = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU())
        >>> network = Network(model, ["bar", "pantry"], (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), 32, source="mine")
        >>> [(layer.name, layer.channels, layer.stride) for layer in network.layers()]
        [('0', 8, 2), ('1', 8, 2)]
        """
        return with_receptive_fields(self.model, self.probe.layers)

    def _repr_html_(self) -> str:
        """What a notebook shows: its name, classes and input, and under them its layers."""
        names = ", ".join(self.classes[:MOST_CLASSES]) + (" ..." if len(self.classes) > MOST_CLASSES else "")
        columns = ("name", "kind", "channels", "stride", "receptive_field")
        cells = ("".join(f"<td>{getattr(layer, column)}</td>" for column in columns) for layer in self.layers())
        head = "".join(f"<th>{column.replace('_', ' ')}</th>" for column in columns)
        table = f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"
        return (
            f"<p><b>{escape(self.source)}</b>: {len(self.classes)} classes ({escape(names)}), images of "
            f"{self.image_size} pixels</p><details><summary>layers</summary>{table}</details>"
        )

    @cached_property
    def probe(self) -> Probe:
        """The layers without their receptive fields, and `input_sizes`; measured once, see `models.probing`.

        Raises ValueError for a model that takes neither images of several sizes nor those of `image_size`.
        """
        return probe(self.model, self.image_size)

    @property
    def input_sizes(self) -> InputSizes:
        """The sizes of the images that the model takes; its `fitted` resizes others."""
        return self.probe.input_sizes

    @cached_property
    def spectrum(self) -> Spectrum:
        """The mean spectrum of its training images; of a network that does not know them, that of photos of rooms.

        Raises ValueError where its checkpoint holds something else.
        """
        record = ((self.hyper_parameters or {}).get("data") or {}).get("spectrum")
        return SPECTRUM_OF_ROOMS if record is None else spectrum_of_record(record)

    @property
    def resize_side(self) -> int:
        """Pixels of the shorter side before the centre crop."""
        return round(self.image_size * self._resize_over_crop)

    @cached_property
    def _resize_over_crop(self) -> float:
        if self.resize is not None:
            return self.resize / self.image_size
        data = (self.hyper_parameters or {}).get("data") or {}
        if data.get("resize") and data.get("image_size"):
            return float(data["resize"]) / float(data["image_size"])
        return RESIZE_OVER_CROP


def class_argument(classes: Sequence[str], index: int) -> str:
    """What `Network.class_index` finds class `index` by: its name, or its index where others have that name too."""
    return classes[index] if _indices(classes[index], classes) == [index] else str(index)


def _indices(target: str, classes: Sequence[str]) -> list[int]:
    """The classes of exactly this name; if there are none, those in another case or Unicode form."""
    exact = [index for index, name in enumerate(classes) if name == target]
    return exact or [index for index, name in enumerate(classes) if _folded(name) == _folded(target)]


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def index_names(count: int) -> list[str]:
    """Names for classes without names: "class 0", "class 1" ..."""
    return [f"class {index}" for index in range(count)]
