"""What a network answers to a set of pictures, and what it knew just before it answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepdream.acceleration import accelerated_copy
from deepdream.models import Network
from deepdream.scenes.transforms import normalize

THUMBNAIL = 48  # pixels a side


@dataclass(frozen=True)
class Predictions:
    """Of N pictures, in order.

    probabilities: float32 (N, classes), each row sums to 1. labels: int64 (N,). classes: their names.
    features: float32 (N, channels), the input of the network's last linear layer; None where it has none.
    thumbnails: uint8 (N, 3, THUMBNAIL, THUMBNAIL), of what the network saw.
    """

    probabilities: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    classes: list[str]
    features: npt.NDArray[np.float32] | None = None
    thumbnails: npt.NDArray[np.uint8] | None = None

    @property
    def answers(self) -> npt.NDArray[np.int64]:
        """The most probable class of each picture, (N,)."""
        answers: npt.NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return answers

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether each answer is right, (N,)."""
        right: npt.NDArray[np.bool_] = self.answers == self.labels
        return right


@torch.inference_mode()
def predict(
    network: Network,
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    on_batch: Callable[[int], None] | None = None,
) -> Predictions:
    """The network's probabilities for every picture of `batches`: uint8 (N, 3, H, W) and int64 (N,).

    Pictures may come as V views each, (N, V, 3, H, W): their probabilities and features are averaged.
    dtype: what the network computes in. on_batch is told how many pictures are done.
    """
    model = accelerated_copy(network.model, dtype, device)
    probabilities, labels, features, thumbnails = [], [], [], []
    done = 0
    with _penultimate(model) as seen:
        for images, batch_labels in batches:
            count, views = len(images), images.shape[1] if images.dim() == 5 else 1
            thumbnails.append(_thumbnails(images if views == 1 and images.dim() == 4 else images[:, 0]))
            images = images.reshape(count * views, *images.shape[-3:]).to(device, non_blocking=True)
            view = normalize(images, network.mean, network.std).to(dtype, memory_format=torch.channels_last)
            logits = model(view)
            probabilities.append(_mean_of_views(logits.float().softmax(dim=1), views))
            if seen:
                features.append(_mean_of_views(seen.pop().float().flatten(1), views))
            labels.append(batch_labels)
            done += count
            if on_batch is not None:
                on_batch(done)
    if not probabilities:
        raise ValueError("there is no picture to evaluate")
    return Predictions(
        torch.cat(probabilities).cpu().numpy(),
        torch.cat(labels).numpy(),
        network.classes,
        torch.cat(features).cpu().numpy() if features else None,
        torch.cat(thumbnails).numpy(),
    )


@contextmanager
def _penultimate(model: nn.Module) -> Iterator[list[Tensor]]:
    """A list that gets, at each forward pass, what the model's last linear layer is given."""
    seen: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        seen[:] = [inputs[0]]

    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    handles = [module.register_forward_pre_hook(keep) for module in linear[-1:]]
    try:
        yield seen
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
