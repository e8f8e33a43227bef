"""What a network answers to a set of pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from deepdream.models import Network
from deepdream.scenes.augment import normalize


@dataclass(frozen=True)
class Predictions:
    """probabilities: float32 (N, classes), each row sums to 1. labels: int64 (N,). classes: their names."""

    probabilities: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    classes: list[str]

    @property
    def answers(self) -> npt.NDArray[np.int64]:
        """The most probable class of each picture, (N,)."""
        answers: npt.NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return answers


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

    dtype: bfloat16 or float16 runs the network under autocast. on_batch is told how many pictures are done.
    """
    model = network.model.to(device).to(memory_format=torch.channels_last).eval()
    probabilities, labels = [], []
    done = 0
    for images, batch_labels in batches:
        images = normalize(images.to(device, non_blocking=True), network.mean, network.std)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            logits = model(images)
        probabilities.append(logits.float().softmax(dim=1))
        labels.append(batch_labels)
        done += len(batch_labels)
        if on_batch is not None:
            on_batch(done)
    if not probabilities:
        raise ValueError("there is no picture to evaluate")
    return Predictions(torch.cat(probabilities).cpu().numpy(), torch.cat(labels).numpy(), network.classes)
