import copy

import pytest
import torch
from torch import Tensor, nn

from deepdream.models import ResNet
from deepdream.training.adversarial import AdversarialPerturbation
from deepdream.training.losses import make_loss

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


def _normalized(pixels: Tensor) -> Tensor:
    return (pixels / 255 - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)


def _pixels(images: Tensor) -> Tensor:
    return (images * torch.tensor(STD).view(1, 3, 1, 1) + torch.tensor(MEAN).view(1, 3, 1, 1)) * 255


@pytest.fixture
def model() -> ResNet:
    torch.manual_seed(0)
    return ResNet(10, 4).train()


@pytest.mark.parametrize("labels", [torch.arange(6) % 4, torch.full((6, 4), 0.25)], ids=["hard", "mixed"])
def test_the_perturbation_has_the_requested_size_in_pixel_units(model: ResNet, labels: Tensor) -> None:
    pixels = torch.rand(6, 3, 32, 32) * 100 + 75  # far from black and white
    images = AdversarialPerturbation(3.0, mean=MEAN, std=STD)(
        model, make_loss("cross_entropy"), _normalized(pixels), labels
    )
    changed = _pixels(images)
    rms = (changed - pixels).square().mean(dim=(1, 2, 3)).sqrt()
    assert rms.max() <= 3.001
    assert rms.min() > 2.0


def test_perturbed_pixels_stay_between_0_and_255(model: ResNet) -> None:
    pixels = torch.randint(0, 2, (6, 3, 32, 32)) * 255.0
    images = AdversarialPerturbation(20.0, mean=MEAN, std=STD)(
        model, make_loss("cross_entropy"), _normalized(pixels), torch.arange(6) % 4
    )
    assert _pixels(images).min() > -0.01
    assert _pixels(images).max() < 255.01


def test_a_perturbation_raises_the_loss_more_than_noise_of_the_same_size(model: ResNet) -> None:
    images, labels = _normalized(torch.rand(6, 3, 32, 32) * 255), torch.arange(6) % 4
    loss = make_loss("cross_entropy")
    changed = AdversarialPerturbation(4.0, mean=MEAN, std=STD)(model, loss, images, labels)
    noise = torch.randn_like(images)
    noise = noise * (changed - images).norm() / noise.norm()
    with torch.no_grad():
        plain, perturbed, noisy = (loss(model(x), labels) for x in (images, changed, images + noise))
    assert perturbed - plain > 3 * abs(noisy - plain)


def test_the_network_does_not_change(model: ResNet) -> None:
    before = copy.deepcopy(model.state_dict())
    AdversarialPerturbation(2.0, mean=MEAN, std=STD)(
        model, make_loss("bce"), torch.randn(4, 3, 32, 32), torch.arange(4)
    )
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert model.training


def test_the_perturbation_follows_from_the_seed(model: ResNet) -> None:
    perturb, images = AdversarialPerturbation(2.0, mean=MEAN, std=STD), torch.randn(4, 3, 32, 32)

    def changed(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return perturb(model, make_loss("cross_entropy"), images, torch.arange(4))

    assert torch.equal(changed(1), changed(1))
    assert not torch.equal(changed(1), changed(2))


def test_each_image_is_perturbed_for_itself() -> None:
    """Without batch norm, the perturbation of an image does not depend on the rest of the batch."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4)).double()
    perturb = AdversarialPerturbation(2.0, mean=MEAN, std=STD).double()
    images = torch.randn(3, 3, 8, 8, dtype=torch.float64) * 0.1
    model(images)
    start = torch.zeros(3, 3, 8, 8, dtype=torch.float64)
    perturb._random_start = lambda pixels: start[: len(pixels)]  # the draw depends on the batch's size
    loss = make_loss("cross_entropy")
    whole = perturb(model, loss, images, torch.arange(3))
    alone = perturb(model, loss, images[:1], torch.arange(1))
    torch.testing.assert_close(whole[:1], alone)
