import pytest
import torch
from torch import Tensor, nn

from deepdream.explaining import attribution_confidence
from deepdream.explaining.confidence import change_probabilities
from deepdream.explaining.config import ExplainConfig
from deepdream.models import Network
from tests.explaining.networks import CLASSES, patch_map, patch_network, scene, small_resnet

CONFIG = ExplainConfig.preset(confidence_samples=128, confidence_share=0.1)


class Brightness(nn.Module):
    """Predicts "bright" if the mean of the image is above a threshold."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, images: Tensor) -> Tensor:
        margin = 20 * (images.mean(dim=(1, 2, 3)) - self.threshold)
        return torch.stack([-margin, margin], dim=1)


def test_a_prediction_that_rests_on_all_pixels_has_full_confidence_and_a_marginal_one_none() -> None:
    image = torch.full((3, 32, 32), 0.8)
    sure, unsure = (
        Network(Brightness(threshold), ["dark", "bright"], (0.0,) * 3, (1.0,) * 3, 32, "test")
        for threshold in (0.3, 0.75)
    )
    assert attribution_confidence(sure, image, config=CONFIG) == 1
    assert attribution_confidence(unsure, image, config=CONFIG) == 0


def test_a_prediction_that_rests_on_one_patch_has_little_confidence() -> None:
    image = torch.full((3, 32, 32), 0.7)
    config = ExplainConfig.preset(confidence_share=0.06)  # the size of the patch
    assert patch_network().predict(image)[1] == pytest.approx(0.66, abs=0.01)
    assert attribution_confidence(patch_network(), image, config=config) < 0.05


def test_changes_are_in_proportion_to_the_attribution() -> None:
    attribution = torch.tensor([[1.0, -2.0], [0.0, 3.0]])
    assert change_probabilities(attribution, 0.15).tolist() == [pytest.approx([0.1, 0.2]), pytest.approx([0.0, 0.3])]
    assert change_probabilities(patch_map(), 0.5).mean() == pytest.approx(64 / 1024)  # no pixel changes twice
    assert change_probabilities(torch.zeros(4, 4), 0.1).unique().tolist() == pytest.approx([0.1])


@pytest.mark.slow
def test_the_confidence_is_a_seeded_fraction() -> None:
    values = [attribution_confidence(small_resnet(), scene(), config=CONFIG, seed=seed) for seed in (0, 0, 1)]
    assert values[0] == values[1]
    assert all(0 <= value <= 1 for value in values)


def test_probabilities_are_the_networks_softmax() -> None:
    network = small_resnet()
    probabilities = network.predict(scene())
    assert probabilities.shape == (len(CLASSES),)
    assert float(probabilities.sum()) == pytest.approx(1)
