"""Adversarial training: the network learns from images that were perturbed to raise its loss.

Adversarially trained networks have gradients that resemble objects: clearer attribution maps and clearer dreams, given
enough data. Source: Madry et al. 2018; one step from a random start as in Wong et al. 2020, in the L2 norm.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from deepdream.training.batch_statistics import keep_running_statistics
from deepdream.training.losses import Loss, loss_of_outputs

STEP_SIZE = 1.25  # relative to eps; more than 1, as the random start may point in the wrong direction
TINY = 1e-12


class AdversarialPerturbation(nn.Module):
    """Perturbs images to raise the loss, by at most `eps` in root mean square.

    eps: root of the mean squared perturbation over all pixels and channels of an image, on the 0-255 scale.
        This is an L2 ball of radius eps / 255 * sqrt(3 * H * W) for images in [0, 1], so that networks trained with
        one eps at 224 px and at 112 px face perturbations that look alike. The usual radius of 3.0 at 224 px is
        eps = 1.97.
    mean, std: the normalisation of the images, per channel. Pixel values stay within 0 to 255.

    Random numbers come from torch's generator of the device, so they follow from its seed.
    The network stays in training mode: its batch norms normalise by the batch, gradients pass through the batch
    statistics, and running statistics do not change. Its parameters accumulate no gradient.
    """

    mean: Tensor  # buffers, because a copy to a GPU at each step would wait for it
    std: Tensor

    def __init__(self, eps: float, *, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self._eps = eps
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    @torch.no_grad()
    def forward(self, model: nn.Module, loss: Loss, images: Tensor, labels: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W), perturbed, in their dtype."""
        pixels = (images * self.std + self.mean) * 255
        change = self._random_start(pixels)
        gradient = self._gradient(model, loss, pixels + change, labels, images.dtype)
        change = self._within(change + STEP_SIZE * self._eps * gradient / (_rms(gradient) + TINY))
        return self._normalized((pixels + change).clamp(0, 255)).to(images.dtype)

    def _normalized(self, pixels: Tensor) -> Tensor:
        return (pixels / 255 - self.mean) / self.std

    def _random_start(self, pixels: Tensor) -> Tensor:
        """A random direction, with a uniform random length up to eps."""
        direction = torch.randn_like(pixels)
        length = self._eps * torch.rand(len(pixels), 1, 1, 1, device=pixels.device)
        return direction * (length / _rms(direction))

    @torch.enable_grad()
    def _gradient(self, model: nn.Module, loss: Loss, pixels: Tensor, labels: Tensor, dtype: torch.dtype) -> Tensor:
        """The gradient of each image's own loss with respect to its pixels, (N, 3, H, W)."""
        pixels = pixels.detach().requires_grad_()
        with keep_running_statistics(model):
            outputs = model(self._normalized(pixels).to(dtype))
            total = loss_of_outputs(loss, outputs, labels) * len(pixels)
        return torch.autograd.grad(total, pixels)[0]

    def _within(self, change: Tensor) -> Tensor:
        """`change`, scaled down to eps where it is larger."""
        return change * (self._eps / (_rms(change) + TINY)).clamp(max=1)


def _rms(x: Tensor) -> Tensor:
    """Root mean square of each image, (N, 1, 1, 1)."""
    return x.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
