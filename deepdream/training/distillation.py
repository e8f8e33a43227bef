"""Knowledge distillation: a network learns the probabilities of trained networks, beside the labels.

Their mistakes say which classes resemble each other, and which image shows several; a label does not. Sources: Hinton
et al. 2015; the teachers see the same augmented images as the student, as in Beyer et al. 2022.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from deepdream.models import Network
from deepdream.training.progressive import resized


class Teachers:
    """Trained networks, and the loss of a student that learns from them.

    networks: each has all of `classes` among its own, by name and in any order; its others do not count.
    classes: the names of the student's outputs.
    mean, std, image_size: of the student's images, as in `Network`. A network of another image size gets the images
        larger or smaller in the same proportion, so that objects have the size that it has learned.
    temperature: the logits of teachers and student are divided by it; above 1 the smaller probabilities count more.

    The networks stay in eval mode and do not change. They are no part of the student's modules or checkpoints.
    Raises ValueError, in one line, for a network without one of the classes.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        *,
        classes: Sequence[str],
        mean: Sequence[float],
        std: Sequence[float],
        image_size: int,
        temperature: float,
    ) -> None:
        self._networks = networks
        self._columns = [_columns(network, classes) for network in networks]
        self._mean, self._std = (torch.tensor(values).view(1, 3, 1, 1) for values in (mean, std))
        self._scales = [network.image_size / image_size for network in networks]
        self._temperature = temperature

    def to(self, device: torch.device) -> None:
        """Move the networks to `device`."""
        for network in self._networks:
            network.model.to(device)
        self._columns = [columns.to(device) for columns in self._columns]
        self._mean, self._std = self._mean.to(device), self._std.to(device)

    @torch.no_grad()
    def probabilities(self, images: Tensor) -> Tensor:
        """The mean of the softened probabilities of the networks, float32 (N, classes).

        images: as the student sees them, normalised, (N, 3, S, S).
        """
        pixels = images.float() * self._std + self._mean
        softened = []
        for network, columns, scale in zip(self._networks, self._columns, self._scales, strict=True):
            logits = network.model(network.model_input(resized(pixels, round(scale * pixels.shape[-1]))))
            softened.append((logits[:, columns].float() / self._temperature).softmax(dim=1))
        return torch.stack(softened).mean(dim=0)

    def loss(self, logits: Tensor, probabilities: Tensor) -> Tensor:
        """The Kullback-Leibler divergence of the student from `probabilities`, a scalar: the mean over the images.

        It is multiplied by the square of the temperature, so that its gradients keep their size beside those of labels.
        """
        student = (logits.float() / self._temperature).log_softmax(dim=1)
        return F.kl_div(student, probabilities, reduction="batchmean") * self._temperature**2


def _columns(network: Network, classes: Sequence[str]) -> Tensor:
    """The outputs of `network` that stand for `classes`, in this order."""
    index = {name: column for column, name in enumerate(network.classes)}
    if missing := [name for name in classes if name not in index]:
        lacks = f"{missing[0]!r}" + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
        raise ValueError(
            f"distillation.teachers: {network.source} has no class {lacks}; a teacher needs every class of the data "
            "set, so train it on the same images"
        )
    return torch.tensor([index[name] for name in classes])
