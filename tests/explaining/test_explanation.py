import copy
import math
import re

import pytest
import pytorch_lightning as pl
import torch
import torchvision
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from deepdream.explaining import METHODS, explain, grad_cam
from deepdream.explaining.config import ExplainConfig
from deepdream.explaining.context import attribution_context
from deepdream.models import Network
from tests.explaining.networks import CLASSES, patch_map, patch_network, scene, small_resnet
from tests.slow import slow_but

QUICK = ExplainConfig.preset(
    smoothgrad_samples=4,
    gradient_shap_samples=4,
    score_cam_share=0.05,
    integrated_gradients_steps=8,
    completeness=1.0,
    occlusion_window=0.25,
    occlusion_stride=0.25,
    superpixels=9,
    lime_samples=40,
    kernel_shap_samples=40,
)


def hooks(model: nn.Module) -> int:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(module, kind)) for module in model.modules() for kind in kinds)


def state(model: nn.Module) -> tuple[object, ...]:
    flags = [(m.training, getattr(m, "inplace", None)) for m in model.modules()]
    return flags, [p.requires_grad for p in model.parameters()], [p.grad for p in model.parameters()], hooks(model)


def test_every_registered_method_exists_and_has_a_title_of_its_own() -> None:
    assert [METHODS[name].__name__ for name in METHODS] == list(METHODS)
    assert len({METHODS.details(name).title for name in METHODS}) == len(METHODS)
    assert all(re.search(r"(et al\.|& \w+) (19|20)\d\d", METHODS[name].__doc__) for name in METHODS)  # its paper


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_a_map_and_leaves_the_model_as_it_was(method: str) -> None:
    network = small_resnet()
    network.model.train()  # a user's model may be in any mode
    network.model.fc.weight.requires_grad_(False)
    before, weights = state(network.model), copy.deepcopy(network.model.state_dict())
    (explanation,) = explain(network, scene(), [method], config=QUICK)
    assert explanation.heatmap.shape == explanation.attribution.shape == (64, 64)
    assert 0 <= explanation.heatmap.min() <= explanation.heatmap.max() <= 1
    assert explanation.heatmap.std() > 0
    assert explanation.target == CLASSES[explanation.index]
    assert state(network.model) == before
    assert all(torch.equal(weights[name], value) for name, value in network.model.state_dict().items())


SAMPLED = ("smoothgrad", "gradient_shap", "lime", "kernel_shap")  # these draw random numbers


@pytest.mark.parametrize("method", slow_but(SAMPLED, METHODS))
def test_the_same_arguments_give_the_same_attribution(method: str) -> None:
    torch.manual_seed(1)
    first = explain(small_resnet(), scene(), [method], config=QUICK)[0]
    after_first = torch.rand(3)
    torch.manual_seed(2)
    assert torch.equal(explain(small_resnet(), scene(), [method], config=QUICK)[0].attribution, first.attribution)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(3), after_first)  # the caller's random state is not touched


@pytest.mark.parametrize("method", SAMPLED)
def test_another_seed_gives_other_samples(method: str) -> None:
    one, other = (explain(small_resnet(), scene(), [method], config=QUICK, seed=s)[0].attribution for s in (0, 1))
    assert not torch.equal(one, other)


@pytest.mark.parametrize("method", [name for name in METHODS if "cam" not in name])
def test_the_evidence_is_in_the_one_patch_that_the_network_reads(method: str) -> None:
    config = ExplainConfig.preset(lime_samples=300, occlusion_window=0.25, occlusion_stride=0.125, superpixels=25)
    heatmap = explain(patch_network(), 0.5 + 0.5 * scene(32), [method], "yes", config=config)[0].heatmap
    inside = patch_map().bool()
    assert heatmap[inside].mean() > 4 * heatmap[~inside].mean()


def test_evidence_for_one_class_is_evidence_against_the_other() -> None:
    image = 0.5 + 0.5 * scene(32)
    yes, no = (
        explain(patch_network(), image, ["integrated_gradients"], target)[0].attribution for target in ("yes", "no")
    )
    assert yes.sum() > 0 > no.sum()


def test_a_contrast_is_the_difference_of_the_logits() -> None:
    """Of methods that are linear in the score, the attributions are the differences of those of both classes."""
    network, image, linear = small_resnet(), scene(), ["input_x_gradient", "deep_lift", "gradient_shap"]
    target, other = (explain(network, image, linear, name, config=QUICK) for name in ("kitchen", "library"))
    contrast = explain(network, image, linear, "kitchen", against="library", config=QUICK)
    for difference, one, two in zip(contrast, target, other, strict=True):
        scale = float(one.attribution.abs().max())
        assert torch.allclose(difference.attribution, one.attribution - two.attribution, atol=1e-4 * scale)
    assert contrast[0].question == "kitchen against library"


@pytest.mark.parametrize(
    "method", slow_but(("gradcam", "eigencam", "integrated_gradients", "occlusion", "lime"), METHODS)
)
def test_every_method_contrasts_two_classes_but_eigencam(method: str) -> None:
    network, image = small_resnet(), scene()
    alone, contrast = (
        explain(network, image, [method], "kitchen", against=against, config=QUICK)[0] for against in (None, "library")
    )
    assert torch.equal(alone.attribution, contrast.attribution) == (method == "eigencam")


def test_a_contrast_is_checked_as_the_evidence_for_a_class_is() -> None:
    network, image, checks = small_resnet(), scene(), ["deletion_auc"]
    (contrast,) = explain(network, image, ["gradcam"], "kitchen", against="library", checks=checks, config=QUICK)
    assert 0 <= contrast.scores["deletion_auc"] <= 1


def test_occlusion_measures_the_difference_of_the_logits() -> None:
    """PatchReader's logits are log(1 - yes) and log(yes): their difference is the log of the odds."""
    with attribution_context(patch_network(), torch.ones(3, 32, 32), "yes", against="no", config=QUICK) as context:
        assert float(context.response(context.image)) == pytest.approx(math.log(0.9 / 0.1), rel=1e-4)
        assert float(context.probability(context.image)) == pytest.approx(0.9, rel=1e-4)


def test_the_target_is_a_name_an_index_or_the_prediction() -> None:
    network, image = small_resnet(), scene()
    predicted = explain(network, image)[0]
    with torch.no_grad():
        mean, std = torch.tensor(network.mean).view(3, 1, 1), torch.tensor(network.std).view(3, 1, 1)
        assert predicted.index == network.model(((image - mean) / std)[None]).argmax()
    for target in (predicted.index, str(predicted.index), predicted.target, predicted.target.upper()):
        assert torch.equal(explain(network, image, target=target)[0].attribution, predicted.attribution)
    assert torch.allclose(grad_cam(network, image), predicted.heatmap, atol=1e-6)
    assert torch.allclose(grad_cam(network, image, predicted.target), predicted.heatmap, atol=1e-6)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("libary", r"test has no class 'libary'\. Did you mean `library`"),
        (4, "index of a class is 0 to 3"),
        ("-1", "index of a class is 0 to 3"),
    ],
)
def test_an_unknown_class_is_an_error_with_similar_names(target: str | int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        explain(small_resnet(), scene(), target=target)


def test_other_mistakes_are_errors_of_one_line() -> None:
    network = small_resnet()
    with pytest.raises(ValueError, match="12x9; an explanation needs at least 16 pixels"):
        explain(network, torch.rand(3, 9, 12))
    with pytest.raises(ValueError, match=r"tensor \(3, H, W\); this is torch.uint8"):
        explain(network, torch.zeros(3, 64, 64, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"method is 'gradkam'; it must be one of gradcam, .* Did you mean `gradcam`"):
        explain(network, scene(), ["gradkam"])
    with pytest.raises(
        ValueError, match=r"check is 'deletion'; it must be one of deletion_auc, .* Did you mean `deletion_auc`"
    ):
        explain(network, scene(), checks=["deletion"])
    with pytest.raises(ValueError, match="precision is 'fp8'; it must be one of auto, fp32, bf16, fp16"):
        explain(network, scene(), precision="fp8")
    with pytest.raises(ValueError, match=r"no layer 'layr4'\. Did you mean `layer4`"):
        grad_cam(network, scene(), layer="layr4")
    with pytest.raises(ValueError, match=r"test has no class 'kitchn'\. Did you mean `kitchen`"):
        explain(network, scene(), target="bar", against="kitchn")
    with pytest.raises(ValueError, match="against is 'bar', which is target too; give two different classes"):
        explain(network, scene(), target=0, against="bar")
    assert hooks(network.model) == 0


def test_classes_without_names_go_by_their_index() -> None:
    named = small_resnet()
    network = Network(named.model, [], named.mean, named.std, 64, "nameless.ckpt")
    assert explain(network, scene(), target=2)[0].target == "class 2"
    with pytest.raises(ValueError, match=r"nameless\.ckpt does not name its classes; give an index"):
        explain(network, scene(), target="bar")


def test_an_image_too_small_for_layer4_is_explained_at_the_deepest_stage_with_a_map() -> None:
    network, image = small_resnet(), scene(32)  # layer4 has one position
    assert torch.equal(grad_cam(network, image), grad_cam(network, image, layer="layer3"))
    assert grad_cam(network, image).std() > 0


def test_torchvisions_networks_are_explained() -> None:
    """With in-place activations that run twice, and with stages that are not called layer4."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        models = [torchvision.models.resnet18(num_classes=4), torchvision.models.squeezenet1_1(num_classes=4)]
    for model in models:
        network = Network(model.eval(), CLASSES, (0.5,) * 3, (0.25,) * 3, 64, "torchvision")
        before = state(model)
        for explanation in explain(network, scene(), ["gradcam", "guided_gradcam", "saliency"]):
            assert explanation.heatmap.isfinite().all()
        assert state(model) == before


def test_double_precision_is_kept() -> None:
    network, image = small_resnet(size=32), scene(32).double()
    network.model.double()
    of_probability = ("occlusion", "lime", "kernel_shap")  # which is float32
    with attribution_context(network, image, 0, config=QUICK) as context:
        for name in METHODS:
            attribution = METHODS[name](context)
            assert attribution.std() > 0
            assert attribution.dtype == (torch.float32 if name in of_probability else torch.float64)


class Explaining(pl.LightningModule):
    """Explains images within its own validation."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network, self.model = network, network.model
        self.heatmaps: list[Tensor] = []

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        assert torch.is_inference_mode_enabled()
        (image,) = batch[0]
        self.heatmaps += [e.heatmap for e in explain(self.network, image, list(METHODS), config=QUICK)]
        self.heatmaps.append(grad_cam(self.network, image))
        assert torch.is_inference_mode_enabled()


def test_attributions_are_the_same_within_lightnings_validation() -> None:
    network = small_resnet()
    expected = [e.heatmap for e in explain(network, scene(), list(METHODS), config=QUICK)]
    module = Explaining(network)
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    trainer.validate(module, DataLoader(TensorDataset(scene()[None])), verbose=False)
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(module.heatmaps, expected, strict=False))
    assert len(module.heatmaps) == len(METHODS) + 1
    assert hooks(network.model) == 0


class Untraceable(nn.Module):
    """Branches on values, which torch.fx cannot trace."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.last = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 4)

    def forward(self, images: Tensor) -> Tensor:
        features = self.norm(self.conv(images)).relu()
        if features.mean() > 1e9:
            features = features * 0
        return self.last(features.mean(dim=(2, 3)))


def test_many_images_get_the_networks_own_probabilities() -> None:
    """From the copy with batch norm folded, and from one that cannot be folded."""
    torch.manual_seed(0)
    plain = Network(Untraceable().eval(), CLASSES, (0.5,) * 3, (0.25,) * 3, 32, "test")
    images = torch.randn(7, 3, 64, 64)
    for network in (small_resnet(), plain):
        with attribution_context(
            network, scene(), 0, config=ExplainConfig.preset(batch_size=3), precision="fp32"
        ) as context:
            found = context.probabilities(images)
            expected = network.model(images).softmax(dim=1)
        assert torch.allclose(found, expected, atol=1e-5)
