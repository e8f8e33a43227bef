from __future__ import annotations

import pytest
import torch

from deepdream.dreaming import DreamConfig, Dreamer, channel, mean_square
from deepdream.dreaming.fourier import FourierCanvas, PhaseCanvas
from tests.dreaming.networks import MEAN, STD, photo, small_network

CPU = torch.device("cpu")


@pytest.mark.parametrize("kind", [FourierCanvas, PhaseCanvas])
@pytest.mark.parametrize("size", [(24, 32), (33, 25)])
def test_what_is_encoded_is_decoded(kind, size):
    canvas = kind(MEAN, STD, torch.float64, CPU, size, 1.0)
    image = photo(*size, pictures=2)
    torch.testing.assert_close(canvas.decode(canvas.encode(image)), image, atol=1e-9, rtol=0)


def test_noise_is_a_nearly_even_grey_and_repeats_itself():
    canvas = FourierCanvas(MEAN, STD, torch.float64, CPU, (40, 40), 1.0)
    picture = canvas.decode(canvas.noise(2, seed=3))
    assert picture.mean().item() == pytest.approx(0.5, abs=0.05)
    assert 0.0005 < picture.std().item() < 0.1
    assert torch.equal(canvas.noise(2, seed=3), canvas.noise(2, seed=3))
    assert not torch.equal(picture[0], picture[1])


def test_a_step_moves_low_frequencies_more_than_high_ones():
    canvas = FourierCanvas(MEAN, STD, torch.float64, CPU, (64, 64), 1.0)
    changes = []
    for row in (2, 20):
        held = canvas.noise(1, seed=0)
        before = canvas.view(held)
        held[0, 0, row, 3, 0] += 1
        changes.append((canvas.view(held) - before).abs().mean())
    assert changes[0] > 4 * changes[1]


def magnitudes(canvas: PhaseCanvas, held: torch.Tensor) -> torch.Tensor:
    return canvas._spectrum(held).abs()


def test_phases_leave_the_magnitudes_of_the_photo():
    canvas = PhaseCanvas(MEAN, STD, torch.float64, CPU, (30, 40), 1.0)
    held = canvas.encode(photo(30, 40, pictures=1))
    torch.testing.assert_close(magnitudes(canvas, held + 1.3), magnitudes(canvas, held))


def test_random_phases_have_the_photos_spectrum_alike_in_all_directions_and_its_mean_colour():
    striped = 0.5 + 0.3 * torch.sin(torch.arange(32.0, dtype=torch.float64) * torch.pi / 2).expand(1, 3, 32, 32)
    canvas = PhaseCanvas(MEAN, STD, torch.float64, CPU, (32, 32), 1.0)
    held = canvas.encode(striped * torch.tensor([1.2, 1.0, 0.8], dtype=torch.float64)[:, None, None])
    before = magnitudes(canvas, held)[0, 0]
    assert before[0, 8] > 100 * before[8, 0]  # stripes have one direction
    drawn = canvas.noise(1, 0)
    after = magnitudes(canvas, drawn)[0, 0]
    torch.testing.assert_close(after[0, 8], after[8, 0])
    mean = canvas.view(drawn).logit().mean(dim=(2, 3))
    torch.testing.assert_close(mean, canvas.view(held).logit().mean(dim=(2, 3)), atol=1e-6, rtol=0)


@pytest.mark.parametrize("preset", ["visualize", "maco"])
def test_a_visualisation_raises_its_channel(preset):
    config = DreamConfig.preset(preset, objective="mean", layers=["3:2"], steps=20, device="cpu", precision="fp32")
    found = []
    dream = Dreamer(small_network(), config)(photo(64, 64).float(), on_step=lambda r: found.append(float(r.objective)))
    assert dream.shape == (3, 64, 64)
    assert max(found[-3:]) > found[0] + 0.1 * abs(found[0])


def test_colours_of_a_photo_can_be_the_start_of_a_fourier_dream():
    values = {"layers": ["3"], "objective": "mean_square", "start": "picture", "steps": 1, "step_size": 1e-9}
    config = DreamConfig.preset("visualize", **values)
    image = photo(60, 60)
    torch.testing.assert_close(Dreamer(small_network(), config)(image), image, atol=1e-6, rtol=0)


def test_an_objective_of_python_takes_the_place_of_the_configs():
    image = photo(40, 51)
    config = DreamConfig.preset("gordic", layers=["3"], octaves=1, steps=3, device="cpu")
    written = Dreamer(small_network(), config)(image)
    same = Dreamer(small_network(), config, objective=mean_square.at("3"))(image)
    other = Dreamer(small_network(), config, objective=mean_square + 5 * channel("1:2"))(image)
    assert torch.equal(written, same)
    assert not torch.allclose(written, other)
