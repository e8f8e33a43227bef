"""Attributions equal those of grad-cam, Captum and the lime package, and have the properties that the papers prove."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from captum.attr import LRP, DeepLift, GradientShap, GuidedGradCam
from captum.attr._utils.lrp_rules import EpsilonRule, GammaRule
from lime.lime_image import LimeImageExplainer
from pytorch_grad_cam import GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, ScoreCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection
from scipy.stats import spearmanr
from torch import Tensor, nn

from deepdream.explaining import explain
from deepdream.explaining.cam_methods import layer_maps
from deepdream.explaining.config import ExplainConfig
from deepdream.explaining.context import attribution_context
from deepdream.explaining.perturbation_methods import kernel_shap_values, lime_weights, mean_colours, superpixels
from deepdream.models import Network, ResNet
from tests.dreaming.networks import MEAN, STD
from tests.explaining.networks import CLASSES, patch_network, scene, small_resnet

CONFIG = ExplainConfig.preset()


@pytest.mark.parametrize(
    ("method", "package"),
    [
        ("gradcam", GradCAM),
        ("gradcam_plus_plus", GradCAMPlusPlus),
        ("hirescam", HiResCAM),
        ("layercam", LayerCAM),
    ],
)
@pytest.mark.parametrize("layer", ["layer3", "layer4"])
def test_a_cam_is_the_grad_cam_packages(method: str, package: type, layer: str) -> None:
    network, image = small_resnet(size=128), scene(128)
    config = ExplainConfig.preset(layer=layer)
    ours = explain(network, image, [method], 3, config=config, precision="fp32")[0].heatmap
    with package(network.model, [network.model.get_submodule(layer)]) as cam:
        theirs = cam(network.model_input(image), [ClassifierOutputTarget(3)])[0]
    ours = (ours - ours.min()) / (ours.max() - ours.min())  # the package moves the least value to 0
    assert theirs.std() > 0.05
    assert ours.numpy() == pytest.approx(theirs, abs=2e-4)


def test_score_cam_is_the_grad_cam_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the enlargement of the masks: the package aligns their corners, Wang et al.'s own code does not."""
    monkeypatch.setattr(torch.nn, "UpsamplingBilinear2d", partial(nn.Upsample, mode="bilinear"))
    network, image = small_resnet(), scene()
    config = ExplainConfig.preset(layer="layer2")
    ours = explain(network, image, ["scorecam"], 3, config=config, precision="fp32")[0].heatmap
    with ScoreCAM(network.model, [network.model.layer2]) as cam:
        theirs = cam(network.model_input(image), [ClassifierOutputTarget(3)])[0]
    ours = (ours - ours.min()) / (ours.max() - ours.min())
    assert theirs.std() > 0.05
    assert ours.numpy() == pytest.approx(theirs, abs=2e-4)


def test_eigen_cam_is_the_grad_cam_packages_up_to_the_sign() -> None:
    network, image = small_resnet(size=128), scene(128)
    ours = explain(network, image, ["eigencam"])[0].heatmap.numpy()
    with attribution_context(network, image, 0, config=CONFIG) as context:
        activation, _ = layer_maps(context)
    projection = torch.from_numpy(get_2d_projection(activation.numpy()))[None]
    both = [F.interpolate((sign * projection).relu(), (128, 128), mode="bilinear")[0, 0] for sign in (-1, 1)]
    assert min(float((ours - one.numpy() / float(one.max())).__abs__().max()) for one in both) < 2e-4
    assert np.corrcoef(ours.flatten(), F.interpolate(activation.sum(1)[None], (128, 128))[0, 0].flatten())[0, 1] > 0


def test_guided_grad_cam_is_captums() -> None:
    network, image = small_resnet(), scene()
    ours = explain(network, image, ["guided_gradcam"], 2)[0].attribution
    with attribution_context(network, image, 2, config=CONFIG) as context:
        theirs = GuidedGradCam(network.model, network.model.layer4).attribute(
            context.leaf(), 2, interpolate_mode="bilinear"
        )
    assert torch.allclose(ours, theirs[0].sum(dim=0).detach(), atol=1e-5 * float(theirs.abs().max()))


class Gated(nn.Module):
    """Activations that are no modules, one module that runs twice, a gate, overlapping pools, a branch on values."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.conv, self.last = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, padding=1), nn.Linear(8, 4)
        self.norm = nn.BatchNorm2d(8)

    def forward(self, images: Tensor) -> Tensor:
        features = F.max_pool2d(F.relu(self.norm(self.first(images))), 3, 2, 1)
        features = features + F.gelu(self.conv(features))
        features = F.silu(self.conv(features)) * features.mean(dim=(2, 3), keepdim=True).sigmoid()
        if features.mean() > 1e9:
            features = features * 0
        return self.last(features.mean(dim=(2, 3)))


RANDOM = {
    "ours": lambda: ResNet(10, 4, zero_init_residual=False, stem="deep", blur=True),
    "torchvision": lambda: torchvision.models.resnet18(num_classes=4),
    "gated": Gated,
}


def random_network(name: str) -> Network:
    """In double precision and eval mode, with seeded weights; its batch norms have statistics of seeded images."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = RANDOM[name]().double().train()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.bias, std=0.1)
        model(torch.randn(2, 3, 64, 64, dtype=torch.float64))
    return Network(model.eval(), CLASSES, MEAN, STD, 64, "test")


def logit_gain(network: Network, image: Tensor, target: int, against: int | None = None) -> float:
    """Of the target, or of its margin, over an image of mean colour."""
    pixels = network.model_input(image)
    with torch.no_grad():
        gain = (network.model(pixels) - network.model(torch.zeros_like(pixels)))[0]
    return float(gain[target] - (0 if against is None else gain[against]))


@pytest.mark.parametrize("name", RANDOM)
def test_deep_lift_adds_up_to_the_gain_of_the_logit_exactly(name: str) -> None:
    network = random_network(name)
    for against in (None, 2):
        (explanation,) = explain(network, scene().double(), ["deep_lift"], 1, against=against)
        gain = logit_gain(network, scene().double(), 1, against)
        assert abs(gain) > 1e-4
        assert float(explanation.attribution.double().sum()) == pytest.approx(gain, rel=1e-4)  # a float32 map


def small_chain(activation: type[nn.Module], pool: type[nn.Module] = nn.MaxPool2d, *, bias: bool = True) -> Network:
    """Modules in a row, each run once, as Captum wants them; for images of 32 pixels, which it does not normalise."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = [nn.Conv2d(3, 8, 3, bias=bias), pool(2), activation(), nn.Conv2d(8, 8, 3, bias=bias)]
        model = nn.Sequential(*parts, activation(), nn.Flatten(), nn.Linear(1352, 4))
    return Network(model.eval(), CLASSES, (0.0,) * 3, (1.0,) * 3, 32, "test")


def test_deep_lift_is_captums_where_captums_adds_up() -> None:
    """Captum's does not where a max pooling stands beside an activation."""
    network = small_chain(nn.ELU, nn.AvgPool2d)
    ours = explain(network, scene(32), ["deep_lift"], 1)[0].attribution
    theirs = DeepLift(network.model).attribute(scene(32)[None], target=1)[0].sum(dim=0).detach()
    assert torch.allclose(ours, theirs, atol=1e-5 * float(theirs.abs().max()))


@pytest.mark.parametrize("name", ["ours", "torchvision"])
def test_lrp_conserves_the_logit_of_a_network_without_biases(name: str) -> None:
    network = random_network(name)
    for module in network.model.modules():
        if getattr(module, "bias", None) is not None:
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.zeros_(module.running_mean)
    (explanation,) = explain(network, scene().double(), ["lrp"], 1)
    with torch.no_grad():
        logit = float(network.model(network.model_input(scene().double()))[0, 1])
    assert abs(logit) > 1e-4
    assert float(explanation.attribution.double().sum()) == pytest.approx(logit, rel=1e-3)


@pytest.mark.parametrize("gamma", [0.0, 0.25])
def test_lrp_is_captums_on_a_chain_of_modules(gamma: float) -> None:
    """And without gamma it is input x gradient (Ancona et al. 2018). Captum enlarges no bias, so there is none."""
    network, config = small_chain(nn.ReLU, bias=False), ExplainConfig.preset(lrp_gamma=gamma)
    ours, product = explain(network, scene(32), ["lrp", "input_x_gradient"], 1, config=config)
    for index, part in enumerate(network.model):
        if index in (0, 3, 5):
            part.rule = EpsilonRule() if index == 5 else GammaRule(gamma)
    theirs = LRP(network.model).attribute(scene(32)[None], target=1)[0].sum(dim=0).detach()
    assert torch.allclose(ours.attribution, theirs, atol=1e-4 * float(theirs.abs().max()))
    assert torch.allclose(ours.attribution, product.attribution, atol=1e-6) == (gamma == 0)


def test_gradient_shap_is_captums_with_as_many_samples() -> None:
    network, image = small_chain(nn.ELU), scene(32)
    config = ExplainConfig.preset(gradient_shap_samples=2000, batch_size=500)
    ours = explain(network, image, ["gradient_shap"], 1, config=config)[0].attribution
    torch.manual_seed(0)
    colours = torch.rand(2000, 3, 1, 1).expand(-1, -1, 32, 32)
    theirs = GradientShap(network.model).attribute(image[None], colours, n_samples=2000, target=1)[0].sum(dim=0)
    assert torch.allclose(ours, theirs, atol=0.1 * float(theirs.abs().max()))


@pytest.mark.slow
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
