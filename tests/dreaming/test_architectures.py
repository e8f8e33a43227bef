"""Dreams of networks of any layout and of one image size."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from deepdream.dreaming import DreamConfig, Dreamer
from deepdream.dreaming.channel_grid import strongest_channels, visualize_channels
from deepdream.dreaming.tiles import squares
from deepdream.models import Network
from deepdream.schema import choices
from tests.architectures import FULL_SIZE, SMALL, hooks, network
from tests.dreaming.networks import photo

PRESETS = [name for name in choices("dream") if "/" not in name and name != "channel_grid"]
ALSO = {"class": {"target": "0"}, "maco": {"target": "1"}}


def dream(made: Network, preset: str, image: Tensor, **values: object) -> list[float]:
    """The objective before each step."""
    found: list[float] = []
    guide = photo(40, 56, seed=4).float() if preset in ("guided", "style", "vital") else None
    config = DreamConfig.preset(preset, **{"steps": 2, "octaves": 1, "width": None, **ALSO.get(preset, {}), **values})
    dreamed = Dreamer(made, config, precision="fp32")(
        image, guide=guide, seed=1, on_step=lambda report: found.append(float(report.objective))
    )
    assert dreamed.shape == image.shape
    assert dreamed.isfinite().all()
    assert (dreamed - image).abs().mean() > 1e-5
    return found


@pytest.mark.parametrize(
    ("name", "preset"),
    [("small_vit", preset) for preset in PRESETS] + [(name, "style") for name in SMALL if name != "small_vit"],
)
def test_presets_dream_with_every_layout_and_at_any_size(name: str, preset: str) -> None:
    """The image is larger than the only size of small_vit."""
    made = network(SMALL[name])
    dream(made, preset, photo(50, 61).float())
    assert hooks(made.model) == 0


def test_an_octave_smaller_than_the_only_size_is_enlarged() -> None:
    dream(network(SMALL["small_timm_vit"]), "gordic", photo(24, 41).float(), octaves=2)


@pytest.mark.parametrize("name", SMALL)
def test_a_dream_raises_the_objective(name: str) -> None:
    found = dream(network(SMALL[name]), "inceptionism", photo(44, 61).float(), steps=8, jitter=0)
    assert found[-1] > 1.1 * found[0]


@pytest.mark.parametrize("name", SMALL)
def test_channels_of_every_layout_are_shown(name: str) -> None:
    made = network(SMALL[name])
    config = DreamConfig.preset("channel_grid", steps=4)
    channels = strongest_channels(made, config.layers[0], photo(44, 61).float(), 2)
    found = visualize_channels(Dreamer(made, config, precision="fp32"), config.layers[0], channels, 40)
    assert found.shape == (2, 3, 40, 40)
    assert (found[0] - found[1]).abs().mean() > 1e-4
    assert hooks(made.model) == 0


def test_the_squares_of_a_network_of_one_size_cover_the_image() -> None:
    for size, side in (((300, 500), 224), ((224, 224), 224), ((100, 333), 224), ((37, 36), 36)):
        found = list(squares(size, side, (0.3, 0.9)))
        times = torch.zeros(size)
        for rows, columns in found:
            assert rows.stop - rows.start == columns.stop - columns.start == min(side, *size)
            assert 0 <= rows.start <= rows.first < rows.last <= rows.stop <= size[0]
            assert 0 <= columns.start <= columns.first < columns.last <= columns.stop <= size[1]
            times[rows.first : rows.last, columns.first : columns.last] += 1
        assert (times == 1).all()


def test_a_gradient_in_one_square_is_that_of_the_network_itself() -> None:
    """An image of the network's own size is one square: objective and gradient are those of a plain forward pass."""
    made = network(SMALL["small_vit"])
    config = DreamConfig.preset("inceptionism", layers=["encoder.layers.encoder_layer_1"], octaves=1)
    image = photo(32, 32).float()
    kept: list[Tensor] = []
    module = made.model.get_submodule("encoder.layers.encoder_layer_1")
    handle = module.register_forward_hook(lambda m, i, output: kept.append(output))
    with torch.no_grad():
        made.model(made.normalize(image)[None])
    handle.remove()
    expected = 0.5 * float(kept[0][:, 1:].square().sum())  # without the class token
    assert Dreamer(made, config, precision="fp32").measure(image) == pytest.approx(expected, rel=1e-4)


def test_content_is_compared_tile_by_tile() -> None:
    """At the undreamed image every tile has its own content, and the objective is zero."""
    values = {"objective": {"content": 1.0}, "jitter": 0, "octaves": 1}
    image = photo(60, 90).float()
    dreamer = Dreamer(network(SMALL["small_vit"]), DreamConfig.preset("style", **values), precision="fp32")
    assert dreamer.measure(image) == pytest.approx(0, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", FULL_SIZE)
def test_every_preset_dreams_with_the_networks_that_people_use(name: str, preset: str) -> None:
    make, side, _ = FULL_SIZE[name]
    made = network(make, side)
    dream(made, preset, photo(128, 144).float())
    assert hooks(made.model) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", FULL_SIZE)
def test_dreams_of_the_networks_that_people_use_raise_the_objective(name: str) -> None:
    make, side, _ = FULL_SIZE[name]
    found = dream(network(make, side), "inceptionism", photo(128, 144).float(), steps=4, jitter=0)
    assert found[-1] > found[0]


@pytest.mark.parametrize(
    ("name", "preset", "layers"),
    [
        ("vgg16", "gordic", ["features.22"]),  # relu4_3, his default
        ("googlenet", "gordic", ["inception3b"]),
        ("googlenet", "inceptionism", ["inception4c"]),
        pytest.param("googlenet", "guided", ["inception3b"], marks=pytest.mark.slow),
        pytest.param(  # Gatys: relu1_1 ... relu4_1
            *("vgg16", "style", ["features.1", "features.6", "features.11", "features.18"]), marks=pytest.mark.slow
        ),
        pytest.param("densenet121", "inceptionism", ["features.transition3"], marks=pytest.mark.slow),
        ("vit_b_16", "vivid", ["encoder.layers.encoder_layer_8", "encoder.layers.encoder_layer_11"]),
        pytest.param("swin_t", "vivid", ["features.5", "features.7"], marks=pytest.mark.slow),
    ],
)
def test_presets_take_the_layers_that_suit_the_network(name: str, preset: str, layers: list[str]) -> None:
    make, side, _ = FULL_SIZE[name]
    assert Dreamer(network(make, side), DreamConfig.preset(preset)).config.layers == layers


def test_layers_that_are_named_stay_those_that_are_named(resnet: Network) -> None:
    for written, expected in (
        (["layer1"], ["layer1"]),
        (["-0.5*25%", "100%:3"], ["-0.5*layer1", "layer4:3"]),
        (["relu4_3|layer2|75%"], ["layer2"]),
        (["layer3.*"], ["layer3.*"]),
    ):
        assert Dreamer(resnet, DreamConfig.preset("gordic", layers=written)).config.layers == expected
    with pytest.raises(ValueError, match=r"no layer 'layr3'\. Did you mean `layer3`"):
        Dreamer(resnet, DreamConfig.preset("gordic", layers=["layr3"]))
    with pytest.raises(ValueError, match="has 120%; a depth is more than 0% and at most 100%"):
        Dreamer(resnet, DreamConfig.preset("gordic", layers=["120%"]))
