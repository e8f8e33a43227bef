"""How a dream preserves its image: light and large forms, colours, and the part outside a mask."""

from __future__ import annotations

import torch
from torch import Tensor

from deepdream.dreaming.gradients import blur
from deepdream.dreaming.octaves import Size, resize

REACH = 0.8  # from black to white: the largest change of a pixel at preserve=0


class Preservation:
    """Pulls params that are pixels back towards the undreamed image, by the share `preserve` (0 to 1).

    A network trained on few photos pushes mostly light and saturated colour, which drown the forms that it has learned.
    So each step removes the share `preserve` of the change below the frequencies of `band`; and the remaining change
    approaches the limit REACH * (1 - preserve) ever more slowly.

    base: params of the undreamed image, (N, 3, H, W). per_unit: see Parameterization.
    """

    def __init__(self, base: Tensor, per_unit: Tensor, *, preserve: float, band: float) -> None:
        self._base = base
        self._preserve, self._band = preserve, band
        self._reach = REACH * (1 - preserve) * per_unit

    def __call__(self, params: Tensor) -> Tensor:
        """The params after the pull."""
        detail = params - self._base
        detail = detail - self._preserve * blur(detail, self._band)
        return self._base + detail / torch.sqrt(1 + (detail / self._reach.clamp_min(1e-9)).square())


def weaken_color(gradient: Tensor, per_unit: Tensor, color: float) -> Tensor:
    """`gradient` (N, 3, H, W) with its colour scaled by `color` and its lightness unchanged.

    per_unit: of the parameterization, so that equal changes of red, green and blue in the image are grey.
    """
    grey = (gradient / per_unit).mean(dim=1, keepdim=True) * per_unit
    return grey + color * (gradient - grey)


class Mask:
    """Where to dream: opacity of the dream, 1 fully and 0 not at all, (N or 1, 1, H, W).

    A dream runs where the mask is above 0, and is laid over the image with the mask as its opacity. The image stays
    what it was, to the bit, where the mask is 0, whatever the octave mode does to its sharpness.
    """

    def __init__(self, opacity: Tensor, image: Tensor) -> None:
        self._opacity = opacity
        self._image = image
        self.set_size((image.shape[2], image.shape[3]))

    def set_size(self, size: Size) -> None:
        """Begin an octave of `size`."""
        self._inside = (resize(self._opacity, size, antialias=True) > 0).to(self._opacity)

    def inside(self, gradient: Tensor) -> Tensor:
        """`gradient` of the octave's size, 0 where the mask is 0."""
        return gradient * self._inside

    def protect(self, dreamed: Tensor, undreamed: Tensor) -> Tensor:
        """`dreamed` inside the mask, `undreamed` where it is 0; both of the octave's size."""
        return torch.where(self._inside > 0, dreamed, undreamed)

    def composite(self, dream: Tensor) -> Tensor:
        """`dream` (N, 3, h, w) over the image of the same size, with the mask as its opacity."""
        size = (dream.shape[2], dream.shape[3])
        opacity, image = (resize(x, size, antialias=True) for x in (self._opacity, self._image))
        return opacity * dream + (1 - opacity) * image


def checked_mask(mask: Tensor, image: Tensor) -> Mask:
    """The mask (H, W) or (N, H, W), of any size, for a batch (N, 3, H, W) of images. Raises ValueError, in one line."""
    if mask.dim() not in (2, 3) or mask.numel() == 0 or not mask.is_floating_point():
        raise ValueError(f"mask is {mask.dtype} {tuple(mask.shape)}; it must be float (H, W) or (N, H, W)")
    low, high = (float(value) for value in mask.aminmax())
    if not (low >= 0 and high <= 1):
        raise ValueError(f"mask lies in [{low:g}, {high:g}]; it must be in [0, 1]")
    batch = mask[None, None] if mask.dim() == 2 else mask[:, None]
    if len(batch) not in (1, len(image)):
        raise ValueError(f"there are {len(batch)} masks for {len(image)} images; give one, or one for each")
    size = (image.shape[2], image.shape[3])
    return Mask(resize(batch.detach().to(image), size, antialias=True), image)
