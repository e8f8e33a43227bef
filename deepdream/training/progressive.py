"""Progressive resolution: small pictures first, which costs less and hurts little."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

STEP = 32  # sides are multiples of it, the stride of the network, but for the full one


def side_at(epoch: int, *, epochs: int, full: int, start: float, until: float) -> int:
    """The side in pixels of the training pictures in `epoch` (from 0) of `epochs`.

    It grows from `start` times `full` in equal steps to `full` at `until` of the run (both 0 to 1), and stays there. It
    follows from the epoch alone, so a run that goes on has the same sizes.
    """
    growing = until * epochs
    progress = min(1.0, epoch / growing) if growing > 0 else 1.0
    if 1.0 in (progress, start):
        return full
    return min(full, max(STEP, STEP * round((start + (1 - start) * progress) * full / STEP)))


def resized(images: Tensor, side: int) -> Tensor:
    """Pictures (N, 3, S, S), made `side` pixels small, each new pixel of all the old ones that it covers."""
    if images.shape[-1] == side:
        return images
    # bfloat16 on a CPU has no such kernel
    return F.interpolate(images.float(), size=(side, side), mode="bilinear", antialias=True).to(images.dtype)
