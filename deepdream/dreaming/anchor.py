"""What stays of the photo: its light and large forms, and its colours."""

from __future__ import annotations

from torch import Tensor

from deepdream.dreaming.pyramid import blur


class Anchor:
    """Draws a dream back to the photo where the two should be alike at a distance.

    A network that has seen few photos pushes mostly light and saturated colour, which drown the forms that it has
    learned. So of what the dream has added below the frequencies of `band` the share `keep` is taken away at each step.

    base: the undreamed photo as the canvas holds it, (N, 3, H, W).
    """

    def __init__(self, base: Tensor, *, keep: float, band: float) -> None:
        self._base = base
        self._keep, self._band = keep, band

    def __call__(self, held: Tensor) -> Tensor:
        """What is held after the drawing back."""
        return held - self._keep * blur(held - self._base, self._band)


def weaken_color(gradient: Tensor, per_unit: Tensor, color: float) -> Tensor:
    """`gradient` (N, 3, H, W) with its colour weakened to the share `color`, its light as it is.

    per_unit: of the canvas, so that grey is what is grey in the picture.
    """
    grey = (gradient / per_unit).mean(dim=1, keepdim=True) * per_unit
    return grey + color * (gradient - grey)
