"""Image parameterizations: the params that a dream optimises, and the image that they stand for.

Pixels are their own params. A spectrum with decorrelated colours moves all frequencies alike, where a step in pixels
moves mostly the high ones, which look like noise. Source: Olah, Mordvintsev, Schubert, "Feature Visualization" (2017),
and lucid's param.fft_image.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from deepdream.models.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from deepdream.models.spectrum import COLORS, MARGIN, Spectrum, decorrelated

LUCID_SCALE = 4.0  # lucid divides its images by this, to keep its step size of 0.05


class Parameterization(ABC):
    """Params of an image, and the image's values (N, 3, H, W) in the units of the parameterization.

    mean, std: of the network's normalisation. size: height and width of the image; spectra need it. decay: of
    spectra. spectrum: the mean one of the network's training images, for random phases. Every method returns a new
    tensor, except that pixels are their own params.
    """

    per_unit: Tensor  # how much the values change where the image changes from 0 to 1: (1, 3, 1, 1)

    def __init__(
        self,
        mean: Sequence[float],
        std: Sequence[float],
        dtype: torch.dtype,
        device: torch.device,
        *,
        size: tuple[int, int] = (1, 1),
        decay: float = 1.0,
        spectrum: Spectrum | None = None,
    ) -> None:
        self._mean = torch.tensor(list(mean), dtype=dtype, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(list(std), dtype=dtype, device=device).view(1, 3, 1, 1)
        self._size = size
        self._decay = decay
        self._mean_spectrum = spectrum

    @abstractmethod
    def encode(self, image: Tensor) -> Tensor:
        """The params of an image (N, 3, H, W) in [0, 1]."""

    def noise(self, images: int, seed: int) -> Tensor:
        """The params of `images` random images. Raises ValueError where the parameterization has none."""
        raise ValueError("pixels have no noise of their own; begin with an image of noise (image=noise)")

    def values(self, params: Tensor) -> Tensor:
        """The image's values (N, 3, H, W). Differentiable; params that are pixels are returned themselves."""
        return params

    @abstractmethod
    def image(self, values: Tensor) -> Tensor:
        """Values as an image in [0, 1], not clipped. Differentiable."""

    def network_input(self, values: Tensor) -> Tensor:
        """Values as the network's input: (image - mean) / std. Differentiable."""
        return (self.image(values) - self._mean) / self._std

    def decode(self, params: Tensor) -> Tensor:
        """The image in [0, 1], clipped."""
        return self.image(self.values(params)).clamp(0, 1)

    @abstractmethod
    def clamp(self, params: Tensor) -> Tensor:
        """The nearest params of an image in [0, 1]."""


class NetworkInput(Parameterization):
    """Pixels as (image - mean) / std, as the network gets them."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._low = -self._mean / self._std
        self._high = (1 - self._mean) / self._std
        self.per_unit = 1 / self._std

    def encode(self, image: Tensor) -> Tensor:
        """(image - mean) / std."""
        return (image - self._mean) / self._std

    def image(self, values: Tensor) -> Tensor:
        """The inverse of `encode`."""
        return values * self._std + self._mean

    def network_input(self, values: Tensor) -> Tensor:
        """The values themselves."""
        return values

    def clamp(self, params: Tensor) -> Tensor:
        """Each colour between its black and its white."""
        return params.clamp(self._low, self._high)


class NormalizedImage(NetworkInput):
    """Pixels as (image - mean) / std, as in pytorch-deepdream: a step moves each colour in units of its std.

    Mean and std are those of ImageNet for every network: a step in units of Caffe's std, 1 / 255, could not be seen.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], *arguments: Any, **options: Any) -> None:
        super().__init__(IMAGENET_MEAN, IMAGENET_STD, *arguments, **options)
        is_of_network = tuple(mean) == IMAGENET_MEAN and tuple(std) == IMAGENET_STD
        self._other = None if is_of_network else NetworkInput(mean, std, *arguments, **options)

    def network_input(self, values: Tensor) -> Tensor:
        """The values themselves, where the network has ImageNet's mean and std."""
        return values if self._other is None else self._other.encode(self.image(values))


class PixelImage(Parameterization):
    """Pixels from 0 to 255, as in the original notebook; the gradient passes through the division by std.

    The notebook subtracts the mean from them: the same steps and bounds, shifted by a constant.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.per_unit = torch.full_like(self._std, 255)

    def encode(self, image: Tensor) -> Tensor:
        """255 image."""
        return image * 255

    def image(self, values: Tensor) -> Tensor:
        """The inverse of `encode`."""
        return values / 255

    def clamp(self, params: Tensor) -> Tensor:
        """Between 0 and 255."""
        return params.clamp(0, 255)


class FourierImage(Parameterization):
    """The spectrum of the image before its sigmoid: (N, 3, H, W // 2 + 1, 2), real and imaginary part.

    Frequency f counts 1 / max(f, 1 / longer side)^decay: decay 1 is that of natural images.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        dtype, device, (height, width) = self._mean.dtype, self._mean.device, self._size
        self._mix = torch.tensor(COLORS, dtype=dtype, device=device)
        rows = torch.fft.fftfreq(height, dtype=dtype, device=device)[:, None]
        columns = torch.fft.rfftfreq(width, dtype=dtype, device=device)[None]
        self._frequency = (rows.square() + columns.square()).sqrt()
        floored = self._frequency.clamp_min(1 / max(self._size))
        self._scale = (height * width) ** 0.5 / floored**self._decay / LUCID_SCALE  # (H, W // 2 + 1)
        self.per_unit = torch.ones_like(self._std)

    def encode(self, image: Tensor) -> Tensor:
        """The spectrum of an image in [0, 1]."""
        return torch.view_as_real(torch.fft.rfft2(decorrelated(image)) / self._scale)

    def noise(self, images: int, seed: int, *, sd: float = 0.01) -> Tensor:
        """A spectrum of Gaussian noise, with which lucid begins: a nearly even grey."""
        shape = (images, 3, self._size[0], self._size[1] // 2 + 1, 2)
        sample = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        return (sd * sample).to(self._scale)

    def values(self, params: Tensor) -> Tensor:
        """The image in (0, 1)."""
        plain = torch.fft.irfft2(self._spectrum(params) * self._scale, s=self._size)
        return torch.sigmoid(torch.einsum("ij,njhw->nihw", self._mix, plain))

    def image(self, values: Tensor) -> Tensor:
        """The values themselves."""
        return values

    def decode(self, params: Tensor) -> Tensor:
        """The inverse of `encode`, clipped to [0, 1]."""
        return (self.values(params) - MARGIN).div(1 - 2 * MARGIN).clamp(0, 1)

    def clamp(self, params: Tensor) -> Tensor:
        """The params themselves: the sigmoid keeps the image in (0, 1)."""
        return params

    def _spectrum(self, params: Tensor) -> Tensor:
        return torch.view_as_complex(params)


class PhaseImage(FourierImage):
    """Only the phases of the spectrum (N, 3, H, W // 2 + 1, 1); its magnitudes never change.

    Source: Fel et al., "Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained Optimization"
    (MACO, 2023). Random phases have the magnitudes of the mean spectrum, as in the paper; those of an image keep its
    own, so that a dream can begin with it. Departs from the paper: `deepdream.models.spectrum` says how.
    """

    def encode(self, image: Tensor) -> Tensor:
        """The phases; the magnitudes are stored in this object."""
        spectrum = torch.view_as_complex(super().encode(image))
        self._magnitude = spectrum.abs()
        return spectrum.angle()[..., None]

    def noise(self, images: int, seed: int, *, sd: float = 1.0) -> Tensor:
        """Uniformly random phases; the magnitudes and the mean colour are those of the mean spectrum."""
        if self._mean_spectrum is None:
            raise ValueError("random phases need the mean spectrum of some images")
        magnitude = self._mean_spectrum.magnitudes(self._size).to(self._scale)
        mean = torch.tensor(self._mean_spectrum.mean, dtype=self._scale.dtype, device=self._scale.device)
        magnitude[:, 0, 0] = mean.abs() * self._size[0] * self._size[1]
        self._magnitude = (magnitude / self._scale).expand(images, -1, -1, -1)
        shape = (images, 3, self._size[0], self._size[1] // 2 + 1, 1)
        sample = torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        phases = (2 * torch.pi * sd * (sample - 0.5)).to(self._scale)
        phases[:, :, 0, 0, 0] = torch.where(mean < 0, torch.pi, 0.0)
        return phases

    def _spectrum(self, params: Tensor) -> Tensor:
        phases, height, width = params[..., 0], *self._size
        # Where a spectrum holds a frequency twice, its phases are opposite; others would lose magnitude in `irfft2`.
        rows = torch.arange(height, device=phases.device)
        twice = (rows > height // 2)[:, None].repeat(1, phases.shape[3])
        twice[:, 1 : (width + 1) // 2] = False
        phases = torch.where(twice, -phases.index_select(2, -rows % height), phases)
        return torch.polar(self._magnitude, phases)
