"""The predictions of a network for a set of images, and the features that they are computed from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepdream.acceleration import accelerated_copy
from deepdream.images import denormalize
from deepdream.models import Network
from deepdream.scenes.transforms import normalize_uint8

THUMBNAIL = 48  # pixels a side
ARRAYS = ("probabilities", "labels", "features", "thumbnails")  # of Predictions


@dataclass(frozen=True)
class Predictions:
    """The predictions for N images, in order.

    probabilities: float32 (N, classes), each row sums to 1. labels: int64 (N,). classes: their names.
    features: float32 (N, channels), the input of the network's last linear layer; None if it has none.
    thumbnails: uint8 (N, 3, THUMBNAIL, THUMBNAIL), the network's input made small. paths: the N files, if known.
    """

    probabilities: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    classes: list[str]
    features: npt.NDArray[np.float32] | None = None
    thumbnails: npt.NDArray[np.uint8] | None = None
    paths: Sequence[Path] | None = None

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The most probable class of each image, (N,)."""
        predicted: npt.NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return predicted

    @property
    def confidence(self) -> npt.NDArray[np.float32]:
        """The probability of the predicted class, (N,)."""
        confidence: npt.NDArray[np.float32] = self.probabilities.max(axis=1)
        return confidence

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """Whether the predicted class is the true one, (N,)."""
        correct: npt.NDArray[np.bool_] = self.predicted == self.labels
        return correct

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Its arrays by name, for images that are a part of a list."""
        every = {name: getattr(self, name) for name in ARRAYS}
        return {name: array for name, array in every.items() if array is not None}

    @classmethod
    def joined(cls, parts: Iterable[Mapping[str, npt.NDArray[Any]]], classes: list[str]) -> Predictions:
        """Those of a whole list, of the arrays of its parts."""
        every = list(parts)
        whole: dict[str, Any] = {name: np.concatenate([arrays[name] for arrays in every]) for name in every[0]}
        return cls(**whole, classes=classes)


@torch.inference_mode()
def predict(
    network: Network,
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    on_batch: Callable[[int], object] | None = None,
) -> Predictions:
    """The network's predictions for every image of `batches`: uint8 (N, 3, H, W) and int64 (N,).

    Float images are those of a data module of the user's own, normalised by the mean and std of `network`.
    Test-time augmentation brings V views of each image, (N, V, 3, H, W): probabilities and features are their means.
    dtype: of the forward pass. on_batch: called with the number of images done so far. Raises ValueError without
    images.
    """
    model = accelerated_copy(network.model, dtype, device)
    probabilities, labels, features, thumbnails = [], [], [], []
    done = 0
    with _last_linear_input(model) as activations:
        for images, batch_labels in batches:
            count, views = len(images), images.shape[1] if images.dim() == 5 else 1
            first_views = images if views == 1 and images.dim() == 4 else images[:, 0]
            if images.is_floating_point():
                first_views = 255 * denormalize(first_views, network.mean, network.std)
            thumbnails.append(_thumbnails(first_views))
            flat = images.reshape(count * views, *images.shape[-3:])
            probabilities.append(_mean_of_views(_probabilities(network, model, flat, device, dtype), views))
            if activations:
                features.append(_mean_of_views(activations.pop().float().flatten(1), views))
            labels.append(batch_labels)
            done += count
            if on_batch is not None:
                on_batch(done)
    if not probabilities:
        raise ValueError("there is no image to evaluate")
    return Predictions(
        torch.cat(probabilities).cpu().numpy(),
        torch.cat(labels).numpy(),
        network.classes,
        torch.cat(features).cpu().numpy() if features else None,
        torch.cat(thumbnails).numpy(),
    )


@torch.inference_mode()
def predict_batches(
    network: Network, batches: Iterable[Tensor], *, device: torch.device, dtype: torch.dtype = torch.float32
) -> Iterator[npt.NDArray[np.float32]]:
    """The probabilities (N, classes) of each batch, uint8 (N, 3, H, W), as it comes: as `predict`, for any number."""
    model = accelerated_copy(network.model, dtype, device)
    for images in batches:
        yield _probabilities(network, model, images, device, dtype).cpu().numpy()


def _probabilities(
    network: Network, model: nn.Module, images: Tensor, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """Float32 (N, classes) on the device, of images (N, 3, H, W): uint8, or float and normalised."""
    images = images.to(device, non_blocking=True)
    if not images.is_floating_point():
        images = normalize_uint8(images, network.mean, network.std)
    logits = model(images.to(dtype, memory_format=torch.channels_last))
    probabilities: Tensor = logits.float().softmax(dim=1)
    return probabilities


@contextmanager
def _last_linear_input(model: nn.Module) -> Iterator[list[Tensor]]:
    """A list that holds the input of the model's last linear layer after each forward pass; empty if it has none."""
    activations: list[Tensor] = []

    def record(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        activations[:] = [inputs[0]]

    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    handles = [module.register_forward_pre_hook(record) for module in linear[-1:]]
    try:
        yield activations
    finally:
        for handle in handles:
            handle.remove()


def _mean_of_views(values: Tensor, views: int) -> Tensor:
    """(N * views, C) -> (N, C)."""
    return values.reshape(-1, views, *values.shape[1:]).mean(dim=1) if views > 1 else values


def _thumbnails(images: Tensor) -> Tensor:
    """uint8 (N, 3, H, W) -> uint8 (N, 3, THUMBNAIL, THUMBNAIL)."""
    small = F.interpolate(images.float(), (THUMBNAIL, THUMBNAIL), mode="bilinear", antialias=True)
    return small.round().clamp(0, 255).to(torch.uint8).cpu()
