import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2.functional import pil_to_tensor

from deepdream.config import CHECKS, METHODS, ExplainConfig
from deepdream.explaining import Explanation, draw_panel, examine, overlay, rank_methods
from deepdream.explaining.examination import network_view, shown_part
from deepdream.figures import rendered
from deepdream.images import to_image
from deepdream.models import Network
from deepdream.scenes.augment import evaluation_transform
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
    seen = network_view(network, photo(300, 200))
    assert torch.equal(seen, evaluation_transform(64, 96)(pil_to_tensor(photo(300, 200))) / 255)
    shown = np.asarray(shown_part(network, photo(300, 200)).resize((64, 64), Image.Resampling.BILINEAR)) / 255
    assert np.abs(shown - seen.permute(1, 2, 0).numpy()).mean() < 0.02
    assert network_view(network, photo(300, 200), crop=False).shape == (3, 64, 96)


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


def test_methods_are_ranked_by_their_place_in_every_check() -> None:
    def explanation(method: str, deletion: float, insertion: float) -> Explanation:
        nothing, scores = torch.zeros(2, 2), {"deletion_auc": deletion, "insertion_auc": insertion}
        return Explanation(method, "bar", 0, nothing, nothing, 0.5, scores)

    pictures = [
        [explanation("lime", 0.4, 0.5), explanation("gradcam", 0.2, 0.7)],
        [explanation("lime", 0.6, 0.8), explanation("gradcam", 0.1, 0.7)],
    ]
    first, second = rank_methods(pictures)
    assert (first.method, first.mean_rank, second.mean_rank) == ("gradcam", 1.25, 1.75)
    assert first.means["deletion_auc"] == pytest.approx(0.15)
    assert second.errors["deletion_auc"] == pytest.approx(0.1)
    with pytest.raises(ValueError, match="no explanation"):
        rank_methods([])
