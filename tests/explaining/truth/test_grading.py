from __future__ import annotations

import re

import numpy as np
import pytest
from torch import Tensor, nn

from deepdream.explaining import GroundTruth, GroundTruthConfig, ground_truth
from deepdream.explaining.truth.effects import measure_effects
from deepdream.rooms import SHORTCUT, Room
from tests.explaining.networks import small_resnet
from tests.explaining.truth.rooms import magenta, magenta_network

CONFIG = GroundTruthConfig.preset(images=6, repeated_images=2, resamples=200, shortcut="lamp", target="kitchen")


def sees_it(model: nn.Module, image: Tensor, target: int) -> Tensor:
    """The truth about MagentaReader."""
    return magenta(image)[0] * (1 if target == 0 else -1)


def upside_down(model: nn.Module, image: Tensor, target: int) -> Tensor:
    return sees_it(model, image, target).flip(0)


@pytest.fixture(scope="module")
def graded() -> GroundTruth:
    return ground_truth(magenta_network(), {"sees it": sees_it, "upside down": upside_down}, config=CONFIG)


def test_the_true_effect_of_an_object_is_what_the_logit_loses_without_it() -> None:
    network, room = magenta_network(), Room("library", 5, size=48, shortcut="lamp")
    effects = measure_effects(network, room, target="kitchen")
    place = effects.objects.index(SHORTCUT)
    assert effects.logit[place] > 10 * effects.floor
    assert effects.logit[place] == effects.logit.max()
    assert effects.replaced[place] > 0.5 * effects.logit[place]  # a lamp of another colour is none for this network
    total = effects.areas
    assert total.sum() == pytest.approx(1)
    assert total[place] == pytest.approx((room.owners == room.names.index(SHORTCUT)).mean())


def test_a_true_map_of_the_user_is_near_the_oracle_and_a_false_one_is_not(graded: GroundTruth) -> None:
    assert [grade.method for grade in graded.methods] == ["sees it", "upside down"]
    assert graded["sees it"].skill > 0.7
    assert graded["upside down"].skill < 0.2
    assert graded["oracle"].skill == pytest.approx(1)
    assert graded["constant"].skill == 0
    assert graded["sees it"].shortcut_share > 0.9 > 0.2 > graded["constant"].shortcut_share
    assert not graded.equals("sees it", "upside down")
    assert graded.advice()[0].startswith("trust sees it: skill ")
    assert "upside down" in graded.advice()[-1]
    assert re.match(r"planted shortcut: true effect on the logit \+\d", graded.shortcut()[0])
    assert graded.shortcut()[1].startswith("its share of the evidence: sees it 9")


def test_intervals_contain_the_means(graded: GroundTruth) -> None:
    for grade in graded.grades:
        assert grade.skill_interval[0] <= grade.skill <= grade.skill_interval[1]
        for name, (low, high) in grade.intervals.items():
            if not np.isnan(low):
                assert low - 0.05 <= grade.values[name] <= high + 0.05


@pytest.mark.slow
def test_the_same_arguments_give_the_same_numbers_to_the_bit() -> None:
    config = GroundTruthConfig.preset(images=2, repeated_images=1, resamples=20, methods=["gradcam", "smoothgrad"])
    one, two = (ground_truth(small_resnet(size=48), config=config).as_json() for _ in range(2))
    for found in (one, two):
        for grade in found["grades"]:
            del grade["seconds"]
    assert one == two
    assert {grade["method"] for grade in one["grades"]} == {"gradcam", "smoothgrad", "oracle", "constant", "random"}


def test_methods_of_captum_and_grad_cam_are_graded_like_ours() -> None:
    others = ["captum.attr.Saliency", "captum.attr.LayerGradCam", "pytorch_grad_cam.HiResCAM"]
    config = GroundTruthConfig.preset(
        images=2, repeated_images=0, resamples=20, methods=["hirescam", "input_x_gradient"], others=others
    )
    found = ground_truth(small_resnet(size=48), config=config)
    ours, theirs = found["hirescam"], found["pytorch_grad_cam.HiResCAM"]
    for name in ("mass", "rank_correlation", "average_precision"):
        assert ours.values[name] == pytest.approx(theirs.values[name], abs=0.02)
    assert found["captum.attr.Saliency"].title == "captum Saliency"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ("no.such", "ground_truth.others is no.such, which cannot be imported"),
        ("collections.OrderedDict", "name a class of Captum or grad-cam, or a function"),
    ],
)
def test_what_cannot_be_graded_is_one_line(other: str, message: str) -> None:
    config = GroundTruthConfig.preset(images=2, methods=[], others=[other])
    with pytest.raises(ValueError, match=message):
        ground_truth(small_resnet(size=48), config=config)
