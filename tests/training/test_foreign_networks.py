"""SceneClassifier around networks that are not our ResNet."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from deepdream.training import SceneClassifier
from deepdream.training.adversarial import AdversarialPerturbation
from tests.training.configs import train_config

SMALL = ("data.image_size=64", "data.resize=64")


def classifier(*overrides: str) -> SceneClassifier:
    """For two classes, with metrics that log nowhere."""
    made = SceneClassifier(train_config(*SMALL, *overrides), ["a", "b"])
    made.log_dict = lambda *_, **__: None
    return made


def test_auxiliary_classifiers_take_part_in_training_alone() -> None:
    model = ("model=torchvision", "model.name=googlenet", "+model.aux_logits=true", "+model.dropout=0")
    made = classifier(*model, "+model.dropout_aux=0")
    images, labels = torch.randn(4, 3, 64, 64), torch.tensor([0, 1, 0, 1])
    outputs = made.model(images)
    first, *auxiliary = (cross_entropy(logits, labels) for logits in outputs)
    assert made.training_step((images, labels), 0).item() == pytest.approx((first + 0.3 * sum(auxiliary)).item())
    perturbed = AdversarialPerturbation(1.0, mean=[0.5] * 3, std=[0.2] * 3)(made.model, made._loss, images, labels)
    assert made._loss(made(perturbed), labels) != first
    assert made.eval()(images).shape == (4, 2)


def test_the_checkpoint_describes_the_network_by_plain_values() -> None:
    made = classifier("model=timm", "model.name=resnet10t", "+model.drop_rate=0.1")
    assert made.hparams["model"] == {"architecture": "timm/resnet10t", "drop_rate": 0.1}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("model.name=vit_b_32",), r"does not take images of 64x64 px: Wrong image height.*\+model.image_size=64"),
        (("model.name=inception_v3",), "does not take images of 64x64 px"),
        (("model.name=squeezenet9",), r"torchvision has no network 'squeezenet9'\. Did you mean"),
    ],
)
def test_a_network_that_does_not_fit_the_images_is_an_error_in_one_line(
    overrides: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        classifier("model=torchvision", *overrides)
    assert "\n" not in str(caught.value)


def test_a_network_that_returns_no_logits_is_an_error() -> None:
    features = ("model=custom", "model._target_=tests.training.test_foreign_networks.features")
    with pytest.raises(ValueError, match=r"returned \(2, 3\) for 2 images; it must return logits of shape \(N, 2\)"):
        classifier(*features)


def features(num_classes: int) -> torch.nn.Module:
    """Ignores the number of classes."""
    return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
