from __future__ import annotations

import copy
import gc
import itertools
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from deepdream.acceleration import accelerated_copy
from deepdream.dreaming import DreamConfig, Dreamer, mean_square
from deepdream.dreaming import dreamer as dreamer_module
from deepdream.models import Network
from deepdream.models.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from deepdream.models.probing import evaluation_copy
from tests.dreaming.networks import photo, small_network, wrap
from tests.precisions import where_fast_bf16


def config(preset: str = "gordic", **overrides) -> DreamConfig:
    return DreamConfig.preset(preset, **{"layers": ["3"], "octaves": 2, "steps": 3, **overrides})


@pytest.mark.parametrize("preset", ["gordic", "inceptionism"])
@pytest.mark.parametrize("shape", [(3, 40, 51), (2, 3, 40, 51)])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_a_dream_has_the_shape_dtype_and_range_of_its_image(preset, shape, dtype):
    image = photo(40, 51, images=2)[0 if len(shape) == 3 else slice(None)].to(dtype)
    dream = Dreamer(small_network(), config(preset))(image)
    assert dream.shape == image.shape
    assert dream.dtype == dtype
    assert dream.is_contiguous()
    assert dream.min() >= 0
    assert dream.max() <= 1
    assert (dream - image).abs().mean() > 0.005


@pytest.mark.parametrize("layers", [["layer2"], ["layer1", "layer3.0.conv2", "layer3.1.relu"]])
def test_a_dream_raises_its_objective(resnet, layers):
    objectives = []
    dreamer = Dreamer(resnet, config(layers=layers, octaves=1, steps=6))
    dreamer(photo(64, 80).float(), on_step=lambda report: objectives.append(float(report.objective)))
    assert objectives[-1] > 1.2 * objectives[0]


@pytest.mark.parametrize("preset", ["gordic", "inceptionism"])
def test_each_picture_of_a_batch_dreams_as_it_would_alone(preset):
    images = photo(40, 51, images=3)
    images[1] *= 0.1
    dreamer = Dreamer(small_network(), config(preset))
    together = dreamer(images)
    for image, dream in zip(images, together, strict=True):
        torch.testing.assert_close(dream, dreamer(image), rtol=1e-9, atol=1e-9)


def test_a_seed_repeats_itself_and_another_seed_does_not():
    dreamer, image = Dreamer(small_network(), config()), photo(40, 51)
    first = dreamer(image, seed=3)
    torch.manual_seed(99)  # the global state plays no part
    assert torch.equal(dreamer(image, seed=3), first)
    assert not torch.equal(dreamer(image, seed=4), first)


def test_dreaming_leaves_the_global_random_state_alone():
    dreamer = Dreamer(small_network(), config())
    before = torch.get_rng_state()
    dreamer(photo(40, 51))
    assert torch.equal(torch.get_rng_state(), before)


def test_shifts_take_the_place_of_the_draw():
    dreamer, image = Dreamer(small_network(), config()), photo(40, 51)
    still = Dreamer(small_network(), config(jitter=0))
    assert torch.equal(dreamer(image, shifts=[(0, 0)] * 6), still(image))
    assert torch.equal(dreamer(image, shifts=itertools.repeat((0, 0))), still(image))
    assert not torch.equal(dreamer(image, shifts=[(0, 0), (3, -2)] * 3), still(image))


def test_too_few_shifts_are_an_error_before_any_step():
    reports = []
    with pytest.raises(ValueError, match="there are 5 shifts; the dream has 6 steps"):
        Dreamer(small_network(), config())(photo(40, 51), shifts=[(0, 0)] * 5, on_step=reports.append)
    assert not reports


def test_an_image_is_checked_before_any_step():
    dreamer = Dreamer(small_network(), config())
    for image, message in (
        (torch.rand(1, 40, 40), "shape"),
        (torch.rand(40, 40), "shape"),
        (torch.zeros(3, 40, 40, dtype=torch.uint8), "uint8; it must be float"),
        (torch.rand(3, 40, 40) * 255, r"it must be in \[0, 1\]"),
        (torch.full((3, 40, 40), torch.nan), r"it must be in \[0, 1\]"),
    ):
        with pytest.raises(ValueError, match=message):
            dreamer(image)


def test_an_image_too_small_for_the_deepest_tap_is_an_error_before_any_step(resnet):
    for preset, expected in (("gordic", "dream.octaves=2"), ("inceptionism", "dream.octaves=4")):
        dreamer = Dreamer(resnet, config(preset, layers=["layer1", "layer4"], octaves=5))
        reports = []
        with pytest.raises(ValueError, match=rf"deepest tap \(layer4\) needs at least 32 pixels .*{expected}"):
            dreamer(photo(96, 96), on_step=reports.append)
        assert not reports


def test_an_octave_of_gordic_has_ten_pixels_a_side():
    with pytest.raises(ValueError, match="octave needs at least 10 pixels a side"):
        Dreamer(small_network(), config())(photo(16, 16))


def test_smoothing_needs_more_pixels_than_it_reflects():
    with pytest.raises(ValueError, match="the smoothing needs at least 5 pixels a side"):
        Dreamer(small_network(), config("inceptionism", smoothing="cascade"))(photo(6, 9))


def test_an_unknown_layer_is_an_error(resnet):
    with pytest.raises(ValueError, match=r"no layer 'layer5'.*layer4"):
        Dreamer(resnet, config(layers=["layer5"]))


def test_the_network_is_never_changed(resnet):
    model = resnet.model
    model.train().requires_grad_(True)
    try:
        before = copy.deepcopy(model.state_dict())
        Dreamer(resnet, config(layers=["layer1"]))(photo(40, 48).float())
        assert model.training
        assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
        assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    finally:
        model.eval()


def test_later_changes_to_the_network_do_not_count():
    network = small_network()
    dreamer, image = Dreamer(network, config()), photo(40, 51)
    expected = Dreamer(small_network(), config())(image)
    network.model[0].weight.data.zero_()
    assert torch.equal(dreamer(image), expected)


def test_no_hook_stays_after_an_exception():
    dreamer, image = Dreamer(small_network(), config()), photo(40, 51)

    def fail(report):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dreamer(image, on_step=fail)
    assert not any(m._forward_hooks for ascent in dreamer._ascents.values() for m in ascent.taps._model.modules())
    assert torch.equal(dreamer(image), Dreamer(small_network(), config())(image))


def test_a_picture_without_a_gradient_stays_as_it_is():
    constant = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
    constant[0].weight.data.zero_()  # the same whatever the picture: the gradient is zero
    for preset in ("gordic", "inceptionism"):
        for dtype in (torch.float32, torch.float64):
            image = photo(40, 51).to(dtype)
            dream = Dreamer(wrap(constant), config(preset, layers=["1"], octaves=1))(image)
            torch.testing.assert_close(dream, image, rtol=0, atol=1e-6)


def test_a_picture_with_a_constant_gradient_stays_as_it_is():
    shift = nn.Conv2d(3, 3, 1, bias=True)  # the sum of its square has gradient 2 * (x + b): constant for constant x
    nn.init.dirac_(shift.weight.data)
    nn.init.constant_(shift.bias.data, 0.3)
    network = replace(wrap(nn.Sequential(shift)), mean=IMAGENET_MEAN, std=IMAGENET_STD)
    grey = torch.tensor(network.mean).view(3, 1, 1).expand(3, 40, 51)
    dream = Dreamer(network, config(layers=["0"], octaves=1), precision="fp32")(grey)
    torch.testing.assert_close(dream, grey, rtol=0, atol=1e-6)


def test_reports_count_octaves_and_steps_and_show_the_picture():
    reports = []
    image = photo(40, 52)
    dream = Dreamer(small_network(), config())(image, on_step=reports.append)
    assert [(report.octave, report.step) for report in reports] == [(o, s) for o in range(2) for s in range(3)]
    assert {(report.octaves, report.steps) for report in reports} == {(2, 3)}
    assert [report.size for report in reports[::3]] == [(22, 29), (40, 52)]
    small, full = 22 * 29, 40 * 52
    done = [*(small * step / 3 for step in (1, 2, 3)), *(small + full * step / 3 for step in (1, 2, 3))]
    assert [report.done for report in reports] == pytest.approx([each / (small + full) for each in done])
    assert all(report.image.shape == (3, *report.size) for report in reports)  # also when read late
    assert all(report.objective.shape == (1,) for report in reports)
    assert torch.equal(reports[-1].image, dream)
    assert not torch.equal(reports[-2].image, dream)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_dream_needs_no_gradient_mode_and_no_autocast_of_its_caller(mode):
    expected = Dreamer(small_network(), config(), precision="fp32")(photo(40, 51).float())
    with mode(), torch.autocast("cpu", torch.bfloat16):
        dream = Dreamer(small_network(), config(), precision="fp32")(photo(40, 51).float())
    assert torch.equal(dream, expected)


def gain(network: Network, precision: str) -> float:
    """By what a dream multiplies its objective, the mean of four pictures."""
    objectives = []
    dreamer = Dreamer(network, config(layers=["layer3"]), precision=precision)
    dreamer(photo(64, 96, images=4).float(), on_step=lambda report: objectives.append(report.objective))
    return float((objectives[-1] / objectives[0]).mean())


@pytest.mark.parametrize("precision", [where_fast_bf16("bf16"), where_fast_bf16("fp16")])
def test_low_precision_gains_as_much_as_fp32(resnet, precision):
    """Within 3 %: a dream is chaotic, so low precision dreams another picture, which must not be a worse one.

    Single pictures gain up to 5 % more or less; hence the mean of four.
    """
    assert gain(resnet, precision) == pytest.approx(gain(resnet, "fp32"), rel=0.03)


def test_small_gradients_survive_fp16():
    """mean_square of a quiet layer has gradients below what float16 holds (6e-8); the dream must not notice."""
    network = small_network()
    network.model.float()
    network.model[2].weight.data *= 1e-3
    network.model[2].bias.data *= 1e-3
    image = photo(80, 101).float()
    exact = Dreamer(network, config(), precision="fp32")(image)
    half = Dreamer(network, config(), precision="fp16")(image)
    assert (half - exact).abs().mean() < 0.1 * (exact - image).abs().mean()


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_a_guided_dream_comes_closer_to_its_guide(similarity):
    values = {"octaves": 1, "steps": 6, "jitter": 0, "step_size": 0.5, "similarity": similarity}
    dreamer = Dreamer(small_network(), config("guided", **values))
    image, guide = photo(48, 64), photo(40, 40, seed=5)
    dream = dreamer(image, guide=guide)
    assert dreamer.measure(dream, guide=guide) > dreamer.measure(image, guide=guide)
    assert not torch.allclose(dream, dreamer(image, guide=1 - photo(40, 40, seed=6)))


def test_a_missing_guide_and_one_without_use_are_errors():
    with pytest.raises(ValueError, match=r"follows a guide image and has none; name it with guide=photo\.jpg"):
        Dreamer(small_network(), config("guided"))(photo(48, 64))
    with pytest.raises(ValueError, match="no objective that follows it"):
        Dreamer(small_network(), config())(photo(48, 64), guide=photo(48, 64))


@pytest.mark.parametrize(("optimizer", "step_size"), [("lbfgs", 1.0), ("adam", 0.05)])
def test_style_comes_closer_to_the_guides(optimizer, step_size):
    found = []
    values = {"objective": {"style": 1.0, "content": 0.01}, "layers": ["1", "3"], "octaves": 1, "steps": 32}
    dreamer = Dreamer(small_network(), config("style", optimizer=optimizer, step_size=step_size, **values))
    dreamer(photo(40, 52), guide=photo(44, 40, seed=3) ** 3, on_step=lambda r: found.append(float(r.objective)))
    assert found[-1] > 0.5 * found[0]  # both below zero: the loss is halved


def test_a_spectrum_too_is_compared_with_the_photo_that_it_holds():
    found = []
    still = {"jitter": 0, "smoothing": "none", "normalize": "none", "crops": 0, "scale": 0, "rotate": 0, "pad": 0}
    values = {"objective": {"content": 1.0}, "layers": ["1"], "octaves": 1, "steps": 2, "init": "image"}
    dreamer = Dreamer(small_network(), config("visualize", optimizer="adam", step_size=1e-6, **still, **values))
    dreamer(photo(40, 52), on_step=lambda r: found.append(float(r.objective)))
    assert found[0] == pytest.approx(0, abs=1e-6)  # the photo, before the first step


@pytest.mark.parametrize(
    "moving", [{"jitter": 5}, {"jitter": 5, "pad": 4}, {"scale": 0.2, "rotate": 20}, {"crops": 2, "noise": 0.3}]
)
def test_content_moves_with_the_image(moving):
    """The same image under the same transform: nothing differs, whatever the transform."""
    found = []
    values = {"objective": {"content": 1.0}, "layers": ["1"], "octaves": 1, "steps": 3, "step_size": 1e-9, **moving}
    dreamer = Dreamer(small_network(), config("gordic", **values))
    dreamer(photo(40, 52), on_step=lambda r: found.append(float(r.objective)))
    assert found == pytest.approx([0] * 3, abs=1e-9)


def test_a_class_dream_raises_its_class(resnet):
    values = {"layers": ["layer4"], "octaves": 1, "steps": 8}
    still = {"jitter": 0, "pad": 0, "scale": 0, "rotate": 0}
    image = photo(96, 96).float()
    logits = []
    for target in ("b", "0"):
        dreamer = Dreamer(resnet, config("class", target=target, **values, **still), precision="fp32")
        dream = dreamer(image)
        assert dreamer.measure(dream) > dreamer.measure(image)
        logits.append(dreamer.measure(image))
    assert logits[0] != logits[1]
    with pytest.raises(ValueError, match="has no class 'c'"):
        Dreamer(resnet, config("class", target="c", **values))
    with pytest.raises(ValueError, match=r"needs a class; name it with target="):
        Dreamer(resnet, config("class", **values))


def test_a_unit_beyond_the_map_is_an_early_error():
    with pytest.raises(ValueError, match="the unit 3:2@40,1 needs at least"):
        Dreamer(small_network(), config(layers=["3:2@40,1"], objective="unit"))(photo(48, 64))


@pytest.mark.slow
def test_two_hundred_dreams_leave_no_hooks_and_no_memory():
    dreamer = Dreamer(small_network(), config(octaves=1, steps=1), precision="fp32")
    image = photo(20, 24).float()

    def tensors() -> int:
        gc.collect()
        return sum(isinstance(thing, torch.Tensor) for thing in gc.get_objects())

    def hooks() -> int:
        return sum(len(m._forward_hooks) for ascent in dreamer._ascents.values() for m in ascent.taps._model.modules())

    dreamer(image)
    before = tensors()
    for _ in range(200):
        dreamer(image)
    assert hooks() == 0
    assert tensors() <= before
    assert sys.getrefcount(dreamer) < 10


def test_a_single_image_is_refused_where_the_objective_compares_images():
    dreamer = Dreamer(small_network(), config(objective={"mean_square": 1, "diversity": 10}))
    with pytest.raises(ValueError, match=r"diversity compares the images of a batch.*image=FOLDER"):
        dreamer(photo(40, 51))
    alone = Dreamer(small_network(), config())(photo(40, 51, images=2))
    assert not torch.allclose(dreamer(photo(40, 51, images=2)), alone)


def test_variants_of_a_dreamer_share_one_copy_of_the_network(resnet, monkeypatch):
    copies = []
    monkeypatch.setattr(
        dreamer_module, "accelerated_copy", lambda *a, **k: copies.append(1) or accelerated_copy(*a, **k)
    )
    monkeypatch.setattr(dreamer_module, "evaluation_copy", lambda model: copies.append(1) or evaluation_copy(model))
    image = photo(64, 64).float()
    dreamer = Dreamer(resnet, config(layers=["layer2", "layer3"]), precision="fp32")
    for layer in ("layer2", "layer3"):
        own = Dreamer(resnet, config(layers=[layer]), precision="fp32")(image)
        count = len(copies)
        assert torch.equal(dreamer.with_config(config(layers=[layer]))(image), own)
        assert torch.equal(dreamer.with_objective(mean_square.at(layer))(image), own)
        assert len(copies) == count + (layer == "layer2")  # the shared fast copy, made at the first dream
