import copy
from dataclasses import replace

import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr
from torch import Tensor, nn

from deepdream.explaining import explain
from deepdream.explaining.config import CHECKS, ExplainConfig
from deepdream.explaining.context import Question, ask
from deepdream.explaining.explanation import METHODS
from deepdream.explaining.faithfulness import (
    deletion_auc,
    infidelity_of,
    insertion_auc,
    randomised_correlations,
    sensitivity,
)
from tests.explaining.networks import patch_map, patch_network, scene, small_resnet

CONFIG = ExplainConfig.preset(curve_steps=256, precision="fp32")
SHARE = 64 / 1024  # of the picture that PatchReader reads


def bright() -> Tensor:
    """A picture whose patch is 1, so that PatchReader answers "yes" with 0.9; the rest does not count."""
    image = scene(32)
    image[:, patch_map().bool()] = 1
    return image


def test_the_deletion_auc_of_a_known_map_is_its_closed_form() -> None:
    """The answer falls in a line from 0.9 to 0.1 while the patch is taken out, and stays there."""
    with ask(patch_network(), bright(), "yes", config=CONFIG) as question:
        best = deletion_auc(question, patch_map())
        worst = deletion_auc(question, -patch_map())
    assert best == pytest.approx(0.1 + 0.8 * SHARE / 2, abs=1e-3)
    assert worst == pytest.approx(0.9 - 0.8 * SHARE / 2, abs=1e-3)


def test_the_insertion_auc_of_a_known_map_is_its_closed_form() -> None:
    """From the blurred patch's answer the line rises to 0.9, at once or at the very end."""
    image = bright() * patch_map()
    with ask(patch_network(), image, "yes", config=CONFIG) as question:
        best, worst = insertion_auc(question, patch_map()), insertion_auc(question, -patch_map())
        sigma = 5 / 224 * 32
        soft = gaussian_filter(patch_map().numpy(), sigma)  # SciPy's
        blurred = 0.1 + 0.8 * float(soft[patch_map().bool()].mean())
    assert blurred < 0.85
    assert best == pytest.approx(0.9 - (0.9 - blurred) * SHARE / 2, abs=2e-3)
    assert worst == pytest.approx(blurred + (0.9 - blurred) * SHARE / 2, abs=2e-3)


def test_infidelity_is_zero_for_the_map_that_foretells_every_loss() -> None:
    with ask(patch_network(), bright(), "yes", config=CONFIG) as question:
        true, scaled = infidelity_of(question, patch_map()), infidelity_of(question, 1000 * patch_map())
        wrong = infidelity_of(question, patch_map().flip(0))
        nothing = infidelity_of(question, torch.zeros(32, 32))
    assert true == pytest.approx(0, abs=1e-6)
    assert scaled == pytest.approx(true, abs=1e-6)
    assert wrong > 1e-3
    assert nothing > 1e-3


def test_sensitivity_is_the_relative_change_of_the_map() -> None:
    def constant(question: Question) -> Tensor:
        return patch_map()

    def picture(question: Question) -> Tensor:
        return question.picture[0, 0]

    with ask(patch_network(), torch.ones(3, 32, 32), "yes", config=replace(CONFIG, sensitivity_radius=0.1)) as question:
        assert sensitivity(question, constant) == 0
        # Uniform noise in [-r, r] has a standard deviation of r / sqrt(3).
        assert sensitivity(question, picture) == pytest.approx(0.1 / 3**0.5, rel=0.1)


def test_the_randomised_check_tells_a_map_of_the_weights_from_one_of_the_picture() -> None:
    def edges(question: Question) -> Tensor:
        return question.picture[0].diff(dim=2, prepend=question.picture[0, :, :, :1]).abs().sum(dim=0)

    config = replace(CONFIG, integrated_gradients_steps=8, completeness=1.0)
    with ask(small_resnet(), scene(), 0, config=config) as question:
        correlations = {
            name: randomised_correlations(question, method)
            for name, method in {**METHODS, "edges": edges}.items()
            if name in ("edges", "integrated_gradients", "gradcam")
        }
    assert list(correlations["edges"]) == ["fc", "layer4", "layer3", "layer2", "layer1", "bn1", "conv1"]
    assert all(value == pytest.approx(1) for value in correlations["edges"].values())
    assert max(map(abs, correlations["integrated_gradients"].values())) < 0.7
    assert abs(correlations["gradcam"]["conv1"]) < 0.9


def test_the_rank_correlation_is_scipys() -> None:
    first, second = torch.rand(8, 8), torch.rand(8, 8)
    with ask(patch_network(), bright(), "yes", config=CONFIG) as question:
        learned = question.model
        (value,) = randomised_correlations(question, lambda asked: first if asked.model is learned else second).values()
    assert value == pytest.approx(spearmanr(first.flatten(), second.flatten()).statistic)


def test_a_map_that_is_made_again_and_again_costs_a_share_of_its_samples() -> None:
    """As often as pictures pass the network: a quarter, but for the few that a method looks at anyway."""
    with ask(small_resnet(), scene(), 0, config=replace(CONFIG, completeness=1e9)) as question:
        for method in ("smoothgrad", "integrated_gradients", "occlusion", "lime", "kernel_shap"):
            whole, part = (pictures_seen(asked, method) for asked in (question, question.for_comparison()))
            assert 0.2 * whole < part < 0.35 * whole, method


def pictures_seen(question: Question, method: str) -> int:
    """How many pictures pass the network while `method` makes its map."""
    seen = 0

    def count(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal seen
        seen += len(inputs[0])

    model = copy.deepcopy(question.model)
    model.register_forward_pre_hook(count)
    METHODS[method](replace(question, model=model))
    return seen


def test_every_check_is_a_number_that_the_seed_decides() -> None:
    config = ExplainConfig.preset(curve_steps=10, infidelity_samples=8, sensitivity_samples=2)
    runs = [explain(small_resnet(), scene(), ["gradcam"], checks=CHECKS, config=config)[0].scores for _ in range(2)]
    assert tuple(runs[0]) == CHECKS
    assert runs[0] == runs[1]
    assert all(torch.isfinite(torch.tensor(list(runs[0].values()))))
