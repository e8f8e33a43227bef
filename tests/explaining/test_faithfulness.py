import copy
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr
from torch import Tensor, nn

from deepdream.explaining import explain
from deepdream.explaining.config import CHECKS, METHODS, ExplainConfig
from deepdream.explaining.context import AttributionContext, attribution_context
from deepdream.explaining.faithfulness import (
    deletion_auc,
    infidelity,
    insertion_auc,
    randomised_correlation,
    randomised_correlations,
    sensitivity,
    smooth_randomised_correlation,
)
from deepdream.models import Network
from tests.explaining.networks import patch_map, patch_network, scene, small_resnet

CONFIG = ExplainConfig.preset(curve_steps=256)
SHARE = 64 / 1024  # of the pixels that PatchReader reads


def bright() -> Tensor:
    """An image whose patch is 1, so that the probability of "yes" is 0.9; the rest does not count."""
    image = scene(32)
    image[:, patch_map().bool()] = 1
    return image


def test_the_deletion_auc_of_a_known_map_is_its_closed_form() -> None:
    """The probability falls linearly from 0.9 to 0.1 while the patch is removed, and stays there."""
    with attribution_context(patch_network(), bright(), "yes", config=CONFIG, precision="fp32") as context:
        best = deletion_auc(context, patch_map())
        worst = deletion_auc(context, -patch_map())
    assert best == pytest.approx(0.1 + 0.8 * SHARE / 2, abs=1e-3)
    assert worst == pytest.approx(0.9 - 0.8 * SHARE / 2, abs=1e-3)


def test_the_insertion_auc_of_a_known_map_is_its_closed_form() -> None:
    """From that of the blurred patch the probability rises linearly to 0.9, at the start or at the end."""
    image = bright() * patch_map()
    with attribution_context(patch_network(), image, "yes", config=CONFIG, precision="fp32") as context:
        best, worst = insertion_auc(context, patch_map()), insertion_auc(context, -patch_map())
        sigma = 5 / 224 * 32
        soft = gaussian_filter(patch_map().numpy(), sigma)  # SciPy's
        blurred = 0.1 + 0.8 * float(soft[patch_map().bool()].mean())
    assert blurred < 0.85
    assert best == pytest.approx(0.9 - (0.9 - blurred) * SHARE / 2, abs=2e-3)
    assert worst == pytest.approx(blurred + (0.9 - blurred) * SHARE / 2, abs=2e-3)


def test_infidelity_is_zero_for_the_attribution_that_predicts_every_loss() -> None:
    with attribution_context(patch_network(), bright(), "yes", config=CONFIG, precision="fp32") as context:
        true, scaled = infidelity(context, patch_map()), infidelity(context, 1000 * patch_map())
        wrong = infidelity(context, patch_map().flip(0))
        nothing = infidelity(context, torch.zeros(32, 32))
    assert true == pytest.approx(0, abs=1e-6)
    assert scaled == pytest.approx(true, abs=1e-6)
    assert wrong > 1e-3
    assert nothing > 1e-3


def test_sensitivity_is_the_relative_change_of_the_attribution() -> None:
    def constant(context: AttributionContext) -> Tensor:
        return patch_map()

    def image(context: AttributionContext) -> Tensor:
        return context.image[0, 0]

    with attribution_context(
        patch_network(), torch.ones(3, 32, 32), "yes", config=replace(CONFIG, sensitivity_radius=0.1)
    ) as context:
        assert sensitivity(context, constant) == 0
        # Uniform noise in [-r, r] has a standard deviation of r / sqrt(3).
        assert sensitivity(context, image) == pytest.approx(0.1 / 3**0.5, rel=0.1)


def test_sensitivity_of_an_attribution_that_nearly_vanishes_is_at_most_that_of_opposite_ones() -> None:
    def edges(context: AttributionContext) -> Tensor:
        return context.image[0, 0].diff(dim=1, prepend=context.image[0, 0, :, :1]) + 1e-6

    def opposite(context: AttributionContext) -> Tensor:
        return torch.ones(32, 32) if (context.image == 1).all() else -torch.ones(32, 32)

    with attribution_context(patch_network(), torch.ones(3, 32, 32), "yes", config=CONFIG) as context:
        assert sensitivity(context, edges) == 2
        assert sensitivity(context, opposite) == pytest.approx(2)


def test_the_randomised_check_separates_attributions_of_the_weights_from_those_of_the_image() -> None:
    def edges(context: AttributionContext) -> Tensor:
        return context.image[0].diff(dim=2, prepend=context.image[0, :, :, :1]).abs().sum(dim=0)

    config = replace(CONFIG, integrated_gradients_steps=8, completeness=1.0)
    with attribution_context(small_resnet(), scene(), 0, config=config) as context:
        methods = {"edges": edges, **{name: METHODS[name] for name in ("integrated_gradients", "gradcam")}}
        correlations = {name: randomised_correlations(context, method) for name, method in methods.items()}
    assert list(correlations["edges"]) == ["fc", "layer4", "layer3", "layer2", "layer1", "bn1", "conv1"]
    assert all(value == pytest.approx(1) for value in correlations["edges"].values())
    assert max(map(abs, correlations["integrated_gradients"].values())) < 0.7
    assert abs(correlations["gradcam"]["conv1"]) < 0.9


@pytest.mark.slow
def test_the_randomised_checks_agree_with_quantus() -> None:
    """MPRT and SmoothMPRT of Quantus 0.6 with this network, these images and map, the mean of 40 seeds.

    Quantus draws new weights where we shuffle, so only means over many seeds agree. Recorded, because Quantus installs
    opencv-python, which overwrites opencv-python-headless.
    """
    quantus = {"6": 0.182, "2": 0.096, "0": 0.069}  # by layer from the top; standard errors 0.009, 0.009, 0.011
    quantus_smooth = 0.150  # 8 noisy copies

    with torch.random.fork_rng():
        torch.manual_seed(0)
        first, second, head = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1), nn.Linear(128, 4)
    model = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), head).eval()
    network = Network(model, list("abcd"), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 16, "test")
    images = torch.from_numpy(np.random.default_rng(0).random((4, 3, 16, 16)).astype(np.float32))

    def gradient(context: AttributionContext) -> Tensor:
        image = context.image.detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(context.model(image)[0, context.target], image)
        return slope[0].abs().sum(dim=0)

    config = ExplainConfig.preset(smooth_samples=8, smoothgrad_noise=0.1)
    plain, smooth = [], []
    for target, seed in itertools.product(range(4), range(12)):
        with attribution_context(network, images[target], target, config=config, seed=seed) as context:
            plain.append(randomised_correlations(context, gradient))
            smooth.append(smooth_randomised_correlation(context, gradient))
    for layer, value in quantus.items():
        assert np.mean([each[layer] for each in plain]) == pytest.approx(value, abs=0.04), layer
    assert np.mean(smooth) == pytest.approx(quantus_smooth, abs=0.025)


def test_the_rank_correlation_is_scipys() -> None:
    first, second = torch.rand(8, 8), torch.rand(8, 8)
    with attribution_context(patch_network(), bright(), "yes", config=CONFIG, precision="fp32") as context:
        learned = context.model
        (value,) = randomised_correlations(context, lambda asked: first if asked.model is learned else second).values()
    assert value == pytest.approx(spearmanr(first.flatten(), second.flatten()).statistic)


def test_a_repeated_attribution_costs_a_fraction_of_its_samples() -> None:
    """Counted in images through the network: a quarter, and the few that a method always needs."""
    config = replace(CONFIG, completeness=1e9, lime_precision=None, occlusion_window=0.25, occlusion_stride=0.125)
    with attribution_context(patch_network(), bright(), "yes", config=config) as context:
        for method in ("smoothgrad", "gradient_shap", "integrated_gradients", "occlusion", "lime", "kernel_shap"):
            whole, part = (image_count(asked, method) for asked in (context, context.for_comparison()))
            assert 0.2 * whole < part < 0.35 * whole, method
    with attribution_context(patch_network(), bright(), "yes", config=CONFIG) as context:
        assert image_count(context.for_comparison(), "lime") <= image_count(context, "lime")  # which stops early


def image_count(context: AttributionContext, method: str) -> int:
    """The number of images that `method` puts through the network."""
    count = 0

    def add(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal count
        count += len(inputs[0])

    model = copy.deepcopy(context.model)
    model.register_forward_pre_hook(add)
    METHODS[method](replace(context, model=model))
    return count


def test_every_check_is_a_seeded_number() -> None:
    config = ExplainConfig.preset(curve_steps=10, infidelity_samples=8, sensitivity_samples=2)
    runs = [
        explain(small_resnet(), scene(), ["gradcam"], checks=list(CHECKS), config=config)[0].scores for _ in range(2)
    ]
    assert list(runs[0]) == list(CHECKS)
    assert runs[0] == runs[1]
    assert all(torch.isfinite(torch.tensor(list(runs[0].values()))))


def test_grain_that_weights_do_not_make_is_seen_through_by_smooth_randomisation() -> None:
    """A map of the image itself, under strong grain that changes with the weights: the mean over copies shows it."""

    def grainy(context: AttributionContext) -> Tensor:
        weights = sum(float(weight.flatten()[0]) for weight in context.model.parameters())
        seed = abs(hash((weights, float(context.image.sum()))))
        grain = torch.randn(context.image.shape[2:], generator=torch.Generator().manual_seed(seed % 2**31))
        return context.image[0].mean(dim=0) + 20 * grain

    config = ExplainConfig.preset(smooth_samples=16, smoothgrad_noise=0.01)
    with attribution_context(small_resnet(size=32), scene(32), 0, config=config) as context:
        assert smooth_randomised_correlation(context, grainy) > 2 * randomised_correlation(context, grainy)
