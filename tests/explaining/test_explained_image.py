import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2.functional import pil_to_tensor

from deepdream.explaining import Explanation, draw_panel, draw_ranking, examine, overlay, rank_methods
from deepdream.explaining.config import CHECKS, METHODS, ExplainConfig
from deepdream.images import to_image
from deepdream.models import Network
from deepdream.plots import rendered
from deepdream.scenes.transforms import evaluation_transform
from tests.explaining.networks import CLASSES, scene, small_resnet

QUICK = ExplainConfig.preset(
    integrated_gradients_steps=4, completeness=1.0, lime_samples=20, confidence_samples=8, curve_steps=8
)


def sizes(resize: int, image_size: int) -> Network:
    network = small_resnet(size=image_size)
    record = {"data": {"resize": resize, "image_size": image_size}}
    return Network(network.model, CLASSES, network.mean, network.std, image_size, "test", "", record)


def photo(width: int, height: int) -> Image.Image:
    return to_image(scene(48)).resize((width, height), Image.Resampling.BICUBIC)


def test_the_network_is_shown_what_it_was_evaluated_on() -> None:
    network = sizes(96, 64)
    seen = network.preprocess(photo(300, 200))
    assert torch.equal(seen, evaluation_transform(64, 96)(pil_to_tensor(photo(300, 200))) / 255)
    shown = np.asarray(network.cropped(photo(300, 200)).resize((64, 64), Image.Resampling.BILINEAR)) / 255
    assert np.abs(shown - seen.permute(1, 2, 0).numpy()).mean() < 0.02
    assert network.preprocess(photo(300, 200), crop=False).shape == (3, 64, 96)


def test_an_examination_has_all_that_a_panel_shows() -> None:
    methods = ["gradcam", "integrated_gradients", "lime"]
    examination = examine(
        sizes(64, 64), photo(90, 70), name="a room", methods=methods, before=photo(70, 90), config=QUICK
    )
    assert [e.method for e in examination.explanations] == methods
    assert all(set(e.scores) == set(CHECKS[:3]) for e in examination.explanations)
    assert examination.answer == examination.explanations[0].target
    assert float(examination.before.sum()) == pytest.approx(1)
    picture = rendered(draw_panel(examination))
    assert min(picture.size) > 400
    assert np.asarray(picture).std() > 20


@pytest.mark.parametrize("count", [1, 2, 9])
def test_a_panel_has_a_place_for_every_map(count: int) -> None:
    examination = examine(small_resnet(), photo(80, 80), name="a room", methods=["gradcam"], config=QUICK)
    (one,) = examination.explanations
    examination.explanations[:] = [
        Explanation(method, one.target, one.index, one.heatmap, one.attribution, 0.1) for method in METHODS[:count]
    ]
    figure = draw_panel(examination)
    assert sum(bool(axes.images) for axes in figure.axes) == count + 1


def test_the_overlay_is_grey_without_evidence_and_coloured_with_it() -> None:
    heatmap = torch.zeros(8, 8)
    heatmap[:, 4:] = 1
    colours = np.asarray(overlay(photo(64, 64), heatmap)).astype(int)
    spread = colours.max(axis=2) - colours.min(axis=2)
    assert spread[:, :24].max() < 12
    assert spread[:, 40:].min() > 60


def scored(method: str, **scores: float) -> Explanation:
    return Explanation(method, "bar", 0, torch.zeros(2, 2), torch.zeros(2, 2), 0.5, scores)


def test_methods_are_ranked_by_their_place_in_every_check() -> None:
    pictures = [
        [scored("lime", deletion_auc=0.4, insertion_auc=0.5), scored("gradcam", deletion_auc=0.2, insertion_auc=0.7)],
        [scored("lime", deletion_auc=0.6, insertion_auc=0.8), scored("gradcam", deletion_auc=0.1, insertion_auc=0.7)],
    ]
    first, second = rank_methods(pictures)
    assert (first.method, first.mean_rank, second.mean_rank) == ("gradcam", 1.25, 1.75)
    assert first.means["deletion_auc"] == pytest.approx(0.15)
    assert second.errors["deletion_auc"] == pytest.approx(0.1)
    with pytest.raises(ValueError, match="no explanation"):
        rank_methods([])


def test_a_map_that_is_the_opposite_on_a_random_network_is_no_better_than_one_that_is_the_same() -> None:
    first, _ = rank_methods(
        [[scored("saliency", randomised_correlation=-0.9), scored("gradcam", randomised_correlation=0.1)]]
    )
    assert first.method == "gradcam"


def test_the_ranking_is_drawn_in_order_with_its_uncertainty() -> None:
    pictures = [
        [scored("lime", deletion_auc=0.4, insertion_auc=0.9), scored("gradcam", deletion_auc=low, insertion_auc=0.7)]
        for low in (0.1, 0.2, 0.3)
    ]
    ranking = rank_methods(pictures)
    figure = draw_ranking(ranking, pictures=3)
    ranks, deletion, insertion = figure.axes
    assert [label.get_text() for label in ranks.get_yticklabels()] == ["LIME", "Grad-CAM"]
    bars, _ = deletion.containers
    assert [bar.get_width() for bar in bars] == pytest.approx([0.4, 0.2])
    (whiskers,) = deletion.containers[1].lines[2]
    assert whiskers.get_segments()[1][:, 0] == pytest.approx([0.2 - 0.1 / 3**0.5, 0.2 + 0.1 / 3**0.5])
    colours = [[bar.get_facecolor() for bar in axes.containers[0]] for axes in (deletion, insertion)]
    assert colours[0][1] == colours[1][0] != colours[0][0]  # the best: Grad-CAM in deletion, LIME in insertion
    assert np.asarray(rendered(figure)).std() > 20
