from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from deepdream.dreaming import DreamConfig, Dreamer, channel, mean_square
from deepdream.dreaming.config import PARAMETERIZATIONS, PIXELS
from deepdream.dreaming.parameterization import FourierImage, PhaseImage
from deepdream.models import Network, ResNet
from deepdream.models.spectrum import MARGIN, mean_spectrum
from tests.dreaming.networks import MEAN, STD, photo, small_network

CPU = torch.device("cpu")
IMAGE = photo(9, 12, images=2)


@pytest.fixture(params=PIXELS)
def pixels(request):
    return PARAMETERIZATIONS[request.param](MEAN, STD, torch.float64, CPU, size=(9, 12), decay=1.0)


def test_decoding_pixels_inverts_encoding(pixels):
    torch.testing.assert_close(pixels.decode(pixels.encode(IMAGE)), IMAGE)


def test_the_network_input_of_pixels_is_normalised(pixels):
    mean, std = torch.tensor(MEAN).view(1, 3, 1, 1).double(), torch.tensor(STD).view(1, 3, 1, 1).double()
    given = pixels.network_input(pixels.values(pixels.encode(IMAGE)))
    torch.testing.assert_close(given, (IMAGE - mean) / std, rtol=1e-6, atol=1e-6)


def test_the_clamp_keeps_images_and_maps_the_rest_to_black_and_white(pixels):
    params = pixels.encode(IMAGE)
    torch.testing.assert_close(pixels.clamp(params), params)
    for far, bound in ((1e4, 1.0), (-1e4, 0.0)):
        clamped = pixels.clamp(params + far)
        torch.testing.assert_close(clamped, pixels.encode(torch.full_like(IMAGE, bound)))


def test_decoding_clips(pixels):
    params = pixels.encode(IMAGE)
    assert torch.equal(pixels.decode(params + 1e4), torch.ones_like(IMAGE))
    assert torch.equal(pixels.decode(params - 1e4), torch.zeros_like(IMAGE))


def test_pixels_have_no_noise_of_their_own(pixels):
    with pytest.raises(ValueError, match="image=noise"):
        pixels.noise(1, 0)


@pytest.mark.parametrize("kind", [FourierImage, PhaseImage])
@pytest.mark.parametrize("size", [(24, 32), (33, 25)])
def test_decoding_a_spectrum_inverts_encoding(kind, size):
    fourier = kind(MEAN, STD, torch.float64, CPU, size=size)
    image = photo(*size, images=2)
    torch.testing.assert_close(fourier.decode(fourier.encode(image)), image, atol=1e-9, rtol=0)


def test_noise_is_a_nearly_even_grey_and_repeats_itself():
    fourier = FourierImage(MEAN, STD, torch.float64, CPU, size=(40, 40))
    image = fourier.decode(fourier.noise(2, seed=3))
    assert image.mean().item() == pytest.approx(0.5, abs=0.05)
    assert 0.0005 < image.std().item() < 0.1
    assert torch.equal(fourier.noise(2, seed=3), fourier.noise(2, seed=3))
    assert not torch.equal(image[0], image[1])


def test_a_step_moves_low_frequencies_more_than_high_ones():
    fourier = FourierImage(MEAN, STD, torch.float64, CPU, size=(64, 64))
    changes = []
    for row in (2, 20):
        params = fourier.noise(1, seed=0)
        before = fourier.values(params)
        params[0, 0, row, 3, 0] += 1
        changes.append((fourier.values(params) - before).abs().mean())
    assert changes[0] > 4 * changes[1]


def magnitudes(fourier: PhaseImage, params: torch.Tensor) -> torch.Tensor:
    return fourier._spectrum(params).abs()


def test_phases_leave_the_magnitudes_of_the_photo():
    fourier = PhaseImage(MEAN, STD, torch.float64, CPU, size=(30, 40))
    params = fourier.encode(photo(30, 40, images=1))
    torch.testing.assert_close(magnitudes(fourier, params + 1.3), magnitudes(fourier, params))


def test_random_phases_have_the_mean_spectrum_and_mean_colour_of_real_images():
    """Measured again, the spectrum of what MACO begins with is the one that it was given."""
    given = mean_spectrum(photo(64, 64, seed=seed) for seed in range(6))
    phases = PhaseImage(MEAN, STD, torch.float64, CPU, size=(64, 64), spectrum=given)
    image = phases.values(phases.noise(1, 0))
    found = mean_spectrum((image - MARGIN) / (1 - 2 * MARGIN))
    torch.testing.assert_close(torch.tensor(found.mean), torch.tensor(given.mean), atol=1e-3, rtol=0)
    torch.testing.assert_close(torch.tensor(found.rings), torch.tensor(given.rings), atol=0, rtol=0.15)
    assert torch.equal(phases.values(phases.noise(1, 0)), image)


def test_random_phases_need_a_spectrum():
    with pytest.raises(ValueError, match="spectrum"):
        PhaseImage(MEAN, STD, torch.float64, CPU, size=(24, 32)).noise(1, 0)


@pytest.mark.parametrize("preset", ["visualize", "maco"])
def test_a_visualisation_raises_its_channel(preset):
    config = DreamConfig.preset(preset, objective="mean", layers=["3:2"], steps=20)
    found = []
    dreamer = Dreamer(small_network(), config, precision="fp32")
    dream = dreamer(photo(64, 64).float(), on_step=lambda r: found.append(float(r.objective)))
    assert dream.shape == (3, 64, 64)
    assert max(found[-3:]) > found[0] + 0.1 * abs(found[0])


def test_colours_of_a_photo_can_be_the_start_of_a_fourier_dream():
    values = {"layers": ["3"], "objective": "mean_square", "init": "image", "steps": 1, "step_size": 1e-9}
    config = DreamConfig.preset("visualize", **values)
    image = photo(60, 60)
    torch.testing.assert_close(Dreamer(small_network(), config)(image), image, atol=1e-6, rtol=0)


def test_an_objective_of_python_replaces_the_configs():
    image = photo(40, 51)
    config = DreamConfig.preset("gordic", layers=["3"], octaves=1, steps=3)
    written = Dreamer(small_network(), config)(image)
    same = Dreamer(small_network(), config, objective=mean_square.at("3"))(image)
    other = Dreamer(small_network(), config, objective=mean_square + 5 * channel("1:2"))(image)
    assert torch.equal(written, same)
    assert not torch.allclose(written, other)


@pytest.mark.parametrize("values", [{"parameterization": "normalized", "step_size": 0.09}, {"crops": 2, "noise": 0.1}])
def test_a_dream_does_not_depend_on_the_units_of_the_networks_input(values: dict[str, Any]) -> None:
    """The same network behind a change of units: as trained on ImageNet, in Caffe, and on images in [-1, 1]."""
    torch.manual_seed(0)
    model = ResNet(10, 4, width=0.125, zero_init_residual=False).eval()
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    config = DreamConfig.preset("gordic", layers=["layer2"], octaves=1, steps=2, width=None, **values)
    image = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    dreams = []
    for own_mean, own_std in ((mean, std), ((0.485, 0.458, 0.408), (1 / 255,) * 3), ((0.5,) * 3, (0.5,) * 3)):
        same = copy.deepcopy(model)
        same.conv1 = nn.Sequential(Units(own_mean, own_std, mean, std), model.conv1)
        network = Network(same, list("abcd"), own_mean, own_std, 64, "test")
        dreams.append(Dreamer(network, config, device="cpu", precision="fp32")(image))
    assert (dreams[0] - image).abs().mean() > 0.01
    for other in dreams[1:]:
        assert torch.allclose(other, dreams[0], atol=1e-6)


class Units(nn.Module):
    """From one mean and std of images to another."""

    def __init__(self, *colors: tuple[float, ...]) -> None:
        super().__init__()
        self.colors = [torch.tensor(color, dtype=torch.float64).view(1, 3, 1, 1) for color in colors]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean, std, new_mean, new_std = (color.to(x) for color in self.colors)
        return ((x * std + mean) - new_mean) / new_std
