"""Attributions equal those of the grad-cam and lime packages, and have the properties that the papers prove."""

import numpy as np
import pytest
import torch
from lime.lime_image import LimeImageExplainer
from pytorch_grad_cam import GradCAM, GradCAMPlusPlus
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from scipy.stats import spearmanr

from deepdream.explaining import explain
from deepdream.explaining.config import ExplainConfig
from deepdream.explaining.context import attribution_context
from deepdream.explaining.perturbation_methods import kernel_shap_values, lime_weights, mean_colours, superpixels
from tests.explaining.networks import patch_network, scene, small_resnet

CONFIG = ExplainConfig.preset()


@pytest.mark.parametrize(("method", "package"), [("gradcam", GradCAM), ("gradcam_plus_plus", GradCAMPlusPlus)])
@pytest.mark.parametrize("target", [0, 3])
def test_grad_cam_is_the_grad_cam_packages(method: str, package: type, target: int) -> None:
    network, image = small_resnet(size=128), scene(128)
    ours = explain(network, image, [method], target, precision="fp32")[0].heatmap
    with package(network.model, [network.model.layer4]) as cam:
        theirs = cam(network.model_input(image), [ClassifierOutputTarget(target)])[0]
    ours = (ours - ours.min()) / (ours.max() - ours.min())  # the package moves the least value to 0
    assert theirs.std() > 0.05
    assert ours.numpy() == pytest.approx(theirs, abs=2e-4)


@pytest.mark.medium
def test_lime_ranks_superpixels_as_the_lime_package_does() -> None:
    network, image = small_resnet(), scene()
    with attribution_context(network, image, 1, config=CONFIG, precision="fp32") as context:
        segments = superpixels(context)
        ours = lime_weights(context, segments).numpy()

        def classify(images: np.ndarray) -> np.ndarray:
            batch = torch.from_numpy(images).permute(0, 3, 1, 2).to(context.image)
            with torch.no_grad():
                return network.model(batch).softmax(dim=1).numpy()

        pixels = context.image[0].permute(1, 2, 0).numpy().astype(np.float64)
        theirs = LimeImageExplainer(random_state=0).explain_instance(
            pixels, classify, (1,), top_labels=None, num_samples=1000, segmentation_fn=lambda _: segments.numpy()
        )
    weights = np.zeros(len(ours))
    for segment, weight in theirs.local_exp[1]:
        weights[segment] = weight
    assert len(ours) > 20
    assert spearmanr(ours, weights).statistic >= 0.8
    assert ours == pytest.approx(weights, abs=0.35 * np.abs(weights).max())


@pytest.mark.medium
@pytest.mark.parametrize("target", [0, 1, pytest.param(2, marks=pytest.mark.slow)])  # 2 takes 18 s
def test_integrated_gradients_add_up_to_the_gain_of_the_logit(target: int) -> None:
    network, image = small_resnet(), scene()
    attribution = explain(network, image, ["integrated_gradients"], target)[0].attribution
    with torch.no_grad():
        pixels = network.model_input(image)
        gain = float((network.model(pixels) - network.model(torch.zeros_like(pixels)))[0, target])
    assert abs(gain) > 0.05
    assert float(attribution.sum()) == pytest.approx(gain, rel=0.01)


def test_kernel_shap_gives_each_superpixel_its_shapley_value() -> None:
    """PatchReader's probability is linear in the pixels, so a superpixel's value is its own contribution alone."""
    image = 0.5 + 0.5 * scene(32)
    with attribution_context(patch_network(), image, "yes", config=CONFIG, precision="fp32") as context:
        segments = superpixels(context)
        values = kernel_shap_values(context, segments)
        gain = 0.8 / (3 * 64) * (image - mean_colours(context.image, segments)[0])[:, 8:16, 16:24].sum(dim=0)
    expected = torch.zeros(len(values)).scatter_add_(0, segments[8:16, 16:24].flatten(), gain.flatten())
    assert values.numpy() == pytest.approx(expected.numpy(), abs=1e-4)
    assert float(values.abs().max()) > 1e-3
