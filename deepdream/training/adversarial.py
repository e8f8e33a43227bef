"""Adversarial training: the network learns from pictures that were changed, a little, to mislead it.

Networks trained so have gradients that look like the things they see: clearer maps and clearer dreams, where there is
enough data. Source: Madry et al. 2018; one step from a random start, as in Wong et al. 2020, in the L2 norm.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from deepdream.training.batch_statistics import keep_running_statistics
from deepdream.training.losses import Loss, in_full_precision

STEP = 1.25  # length of the step, of the largest change; the random start may have begun in the wrong direction
TINY = 1e-12


class Adversary(nn.Module):
    """Changes pictures to raise the loss, by at most `eps` in the root mean square.

    eps: root of the mean of the squared change over all pixels and colours of a picture, in pixel units, 0 to 255.
        An L2 ball whose radius is eps / 255 * sqrt(3 * H * W) for pictures in [0, 1]: a network for eps 2 at 224 px and
        one at 112 px meet changes that look alike. The usual radius of 3.0 at 224 px is eps = 1.97.
    mean, std: how the pictures were normalised. Values stay within 0 to 255.

    Draws come from torch's generator of the device in the training process: they follow from the seed and the draws
    before. The network stays in training mode, so its batch norms normalise by the batch, and gradients pass through
    the batch's statistics; the running ones do not count this pass. Its parameters gather no gradient.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, eps: float, *, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    @torch.no_grad()
    def forward(self, model: nn.Module, loss: Loss, images: Tensor, labels: Tensor) -> Tensor:
        """Normalised pictures (N, 3, H, W), changed."""
        pixels = (images * self.std + self.mean) * 255
        change = self._random_start(pixels)
        uphill = self._gradient(model, loss, pixels + change, labels, images.dtype)
        change = self._within(change + STEP * self.eps * uphill / (_rms(uphill) + TINY))
        return self._normalised((pixels + change).clamp(0, 255)).to(images.dtype)

    def _normalised(self, pixels: Tensor) -> Tensor:
        return (pixels / 255 - self.mean) / self.std

    def _random_start(self, pixels: Tensor) -> Tensor:
        """A random direction, and a length between nothing and eps."""
        direction = torch.randn_like(pixels)
        length = self.eps * torch.rand(len(pixels), 1, 1, 1, device=pixels.device)
        return direction * (length / _rms(direction))

    @torch.enable_grad()
    def _gradient(self, model: nn.Module, loss: Loss, pixels: Tensor, labels: Tensor, dtype: torch.dtype) -> Tensor:
        """Of each picture's own loss."""
        pixels = pixels.detach().requires_grad_()
        with keep_running_statistics(model):
            logits = model(self._normalised(pixels).to(dtype))
            total = loss(in_full_precision(logits), labels) * len(pixels)
        return torch.autograd.grad(total, pixels)[0]

    def _within(self, change: Tensor) -> Tensor:
        """`change`, shortened to eps where it is longer."""
        return change * (self.eps / (_rms(change) + TINY)).clamp(max=1)


def _rms(x: Tensor) -> Tensor:
    """Root mean square of each picture, (N, 1, 1, 1)."""
    return x.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
