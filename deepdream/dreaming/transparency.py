"""Transparency of a feature visualisation: opaque where the objective depended on the image while it was made.

Source: Fel et al., "Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained Optimization"
(MACO, 2023), section 3.3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from deepdream.dreaming.dreamer import StepReport
from deepdream.dreaming.gradients import blur

SIGMA = 0.01  # of the blur, as a share of the shorter side: single pixels of the gradient are noise


class Transparency:
    """Accumulates the gradients of a dream's steps: `dreamer(image, on_step=transparency)`.

    A dream in several octaves begins anew with each, because its size changes.
    """

    def __init__(self) -> None:
        self._total: Tensor | None = None

    def __call__(self, report: StepReport) -> None:
        """Add the absolute gradient of a step, averaged over the colours; each step of an image counts equally."""
        size = report.gradient.abs().mean(dim=1, keepdim=True)  # (N, 1, H, W)
        size = size / size.mean(dim=(2, 3), keepdim=True).clamp_min(torch.finfo(size.dtype).tiny)
        self._total = size if report.step == 0 or self._total is None else self._total + size

    def opacity(self, share: float) -> Tensor:
        """(N, H, W) in [0, 1]: 1 in the `share` of the image that mattered most, below it in proportion.

        Departs from the paper: blurred by one percent of the shorter side, and steps count equally, so that the first,
        with its large gradients, does not decide. Raises ValueError before the first step.
        """
        if self._total is None:
            raise ValueError("there is no step yet to take the transparency from; pass this object as on_step")
        smooth = blur(self._total, max(0.5, SIGMA * min(self._total.shape[2:])))[:, 0]  # (N, H, W)
        flat = smooth.flatten(1)
        rank = 1 + round((1 - share) * (flat.shape[1] - 1))
        opaque = flat.kthvalue(rank, dim=1).values  # torch.quantile takes at most 16 million pixels
        return (smooth / opaque.clamp_min(torch.finfo(smooth.dtype).tiny)[:, None, None]).clamp(0, 1)


def over(images: Tensor, opacity: Tensor, color: float = 1.0) -> Tensor:
    """Images (N, 3, H, W) with `opacity` (N, H, W) over an even grey, by default white."""
    alpha = opacity[:, None].to(images)
    return alpha * images + (1 - alpha) * color
