"""Progressive resolution: smaller training images in the first epochs, to save time."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

STRIDE = 32  # of the network, in pixels; image sides are multiples of it, except for the full one


def side_at(epoch: int, *, epochs: int, full: int, start: float, until: float) -> int:
    """Side in pixels of the training images in `epoch` (from 0) of `epochs`.

    It grows in equal steps from `start` times `full` to `full`, which it reaches at the fraction `until` of the run
    (both 0 to 1). It depends on the epoch alone, so a resumed run has the same sizes.
    """
    growing = until * epochs
    progress = min(1.0, epoch / growing) if growing > 0 else 1.0
    if 1.0 in (progress, start):
        return full
    return min(full, max(STRIDE, STRIDE * round((start + (1 - start) * progress) * full / STRIDE)))


def resized(images: Tensor, side: int) -> Tensor:
    """Images (N, 3, S, S) scaled to (N, 3, side, side), bilinear with antialiasing."""
    if images.shape[-1] == side:
        return images
    # There is no bfloat16 kernel for the CPU.
    return F.interpolate(images.float(), size=(side, side), mode="bilinear", antialias=True).to(images.dtype)
