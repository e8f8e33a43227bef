import numpy as np
import pytest
import torch
from PIL import Image

from deepdream.explaining import METHODS, ExplainConfig, Explanation, cheap_checks, explain_image, overlay, plot_panel
from deepdream.images import to_image
from deepdream.models import Network
from deepdream.plots import rendered
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


def test_an_explained_image_has_the_content_of_a_panel() -> None:
    methods = ["gradcam", "integrated_gradients", "lime"]
    explained = explain_image(
        sizes(64, 64), photo(90, 70), name="a room", methods=methods, before=photo(70, 90), config=QUICK
    )
    assert [e.method for e in explained.explanations] == methods
    assert all(set(e.scores) == set(cheap_checks()) for e in explained.explanations)
    assert explained.prediction == explained.explanations[0].target
    assert float(explained.before.sum()) == pytest.approx(1)
    image = rendered(plot_panel(explained))
    assert min(image.size) > 400
    assert np.asarray(image).std() > 20


def test_a_panel_says_what_it_shows_in_the_words_of_the_field() -> None:
    explained = explain_image(small_resnet(), photo(80, 80), name="a room", methods=["lime"], config=QUICK)
    titles = [axes.get_title(loc="left") for axes in plot_panel(explained).axes]
    assert titles[:3] == ["network input", "LIME", "top-5 predictions"]


@pytest.mark.parametrize("count", [1, 2, 17])
def test_a_panel_has_one_plot_for_every_heatmap(count: int) -> None:
    explained = explain_image(small_resnet(), photo(80, 80), name="a room", methods=["gradcam"], config=QUICK)
    (one,) = explained.explanations
    explained.explanations[:] = [
        Explanation(method, one.target, one.index, one.heatmap, one.attribution, 0.1)
        for method in list(METHODS)[:count]
    ]
    figure = plot_panel(explained)
    assert sum(bool(axes.images) for axes in figure.axes) == count + 1


def test_the_overlay_is_grey_without_evidence_and_coloured_with_it() -> None:
    heatmap = torch.zeros(8, 8)
    heatmap[:, 4:] = 1
    colours = np.asarray(overlay(photo(64, 64), heatmap)).astype(int)
    spread = colours.max(axis=2) - colours.min(axis=2)
    assert spread[:, :24].max() < 12
    assert spread[:, 40:].min() > 60


def test_a_network_without_class_names_is_explained_by_index() -> None:
    named = small_resnet()
    network = Network(named.model, [], named.mean, named.std, 64, "nameless.ckpt")
    explained = explain_image(network, photo(80, 80), name="a room", methods=["gradcam"], config=QUICK)
    assert explained.prediction == explained.explanations[0].target == f"class {int(explained.probabilities.argmax())}"
    assert plot_panel(explained).axes
