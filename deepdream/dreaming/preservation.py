"""What stays of the photo: its light and large forms, and its colours."""

from __future__ import annotations

import torch
from torch import Tensor

from deepdream.dreaming.pyramid import blur

REACH = 0.8  # of black to white: how far a dream may go from the photo where little of it is kept


class Anchor:
    """Draws a dream back to the photo, by the share `keep`: 0 not at all, 1 to the photo itself.

    A network that has seen few photos pushes mostly light and saturated colour, which drown the forms that it has
    learned. So of what the dream has added below the frequencies of `band` the share `keep` is taken away at each step;
    and what is left cannot go further from the photo than REACH * (1 - keep), which it nears ever more slowly.

    base: the undreamed photo as the canvas holds it, (N, 3, H, W). per_unit: see Canvas.
    """

    def __init__(self, base: Tensor, per_unit: Tensor, *, keep: float, band: float) -> None:
        self._base = base
        self._keep, self._band = keep, band
        self._reach = REACH * (1 - keep) * per_unit

    def __call__(self, held: Tensor) -> Tensor:
        """What is held after the drawing back."""
        detail = held - self._base
        detail = detail - self._keep * blur(detail, self._band)
        return self._base + detail / torch.sqrt(1 + (detail / self._reach.clamp_min(1e-9)).square())


def weaken_color(gradient: Tensor, per_unit: Tensor, color: float) -> Tensor:
    """`gradient` (N, 3, H, W) with its colour weakened to the share `color`, its light as it is.

    per_unit: of the canvas, so that grey is what is grey in the picture.
    """
    grey = (gradient / per_unit).mean(dim=1, keepdim=True) * per_unit
    return grey + color * (gradient - grey)
