from functools import partial

import pytest
import timm
import torch
from timm.optim import param_groups_layer_decay
from torch import nn

from deepdream.models import ResNet, build
from deepdream.training import SceneClassifier
from deepdream.training.layer_groups import freeze, layer_indices
from deepdream.training.optimizers import build_optimizer
from tests.training.configs import train_config

SGD = partial(torch.optim.SGD, lr=0.1, weight_decay=0.5)


def rates(model: nn.Module, groups: list[dict[str, object]], *, scale: float = 1.0) -> dict[str, tuple[float, float]]:
    """The learning rate and the weight decay of each parameter, by its name."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    return {
        names[parameter]: (pytest.approx(scale * group["lr"]), group["weight_decay"])
        for group in groups
        for parameter in group["params"]
    }


def test_each_parameter_of_our_resnet_has_the_rate_and_the_decay_that_timm_gives_it() -> None:
    theirs = timm.create_model("resnet18", num_classes=5)
    groups = param_groups_layer_decay(theirs, 0.5, layer_decay=0.75)
    expected = rates(theirs, [{**group, "lr": group["lr_scale"]} for group in groups], scale=0.1)
    ours = ResNet(18, 5)
    optimizer = build_optimizer(SGD, ours, decay_norm_and_bias=False, layer_decay=0.75)
    assert rates(ours, optimizer.param_groups) == expected
    assert optimizer.param_groups[0]["lr"] == 0.1  # the head's, which the log and metrics.csv show


@pytest.mark.parametrize("name", ["resnet18d", "resnet26", "vit_tiny_patch16_224"])
def test_the_layers_of_a_network_that_does_not_name_them_are_those_that_timm_names(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = timm.create_model(name, num_classes=5)
    named = layer_indices(model)
    monkeypatch.delattr(type(model), "group_matcher")
    assert layer_indices(model) == named


@pytest.mark.parametrize(
    ("name", "layers", "stem", "head"),
    [
        ("torchvision/convnext_tiny", 20, "features.0.", "classifier."),
        ("torchvision/mobilenet_v3_small", 13, "features.0.", "features.12."),
        ("torchvision/googlenet", 11, "conv", "fc."),
        ("torchvision/vgg11_bn", 11, "features.0.", "classifier.6."),
    ],
)
def test_a_network_has_a_layer_per_block_between_stem_and_head(name: str, layers: int, stem: str, head: str) -> None:
    with torch.device("meta"):
        indices = layer_indices(build(name, 5))
    assert sorted(set(indices.values())) == list(range(layers))
    assert list(indices.values()) == sorted(indices.values())
    assert next(iter(indices)).startswith(stem)
    assert next(key for key, index in indices.items() if index == layers - 1).startswith(head)


def test_token_and_position_embeddings_belong_to_the_stem() -> None:
    with torch.device("meta"):
        indices = layer_indices(build("torchvision/vit_b_16", 5))
    assert (indices["class_token"], indices["encoder.pos_embedding"], indices["encoder.ln.weight"]) == (0, 0, 12)


@pytest.mark.parametrize(
    ("names", "frozen"),
    [
        (["stem", "layer1"], {"conv1", "bn1", "layer1"}),
        (["layer[12]", "layer4.1.*"], {"layer1", "layer2", "layer4"}),
        (["fc.bias"], {"fc"}),
    ],
)
def test_the_named_parts_are_frozen_and_no_others(names: list[str], frozen: set[str]) -> None:
    model = ResNet(18, 5)
    said = freeze(model, names)
    still = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert {name.partition(".")[0] for name in still} == frozen
    assert not any(name.startswith("layer4.0") for name in still)
    left = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert said == f"frozen: {', '.join(names)}; {left:,} of 11,179,077 parameters train"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["layr1"], r"has 'layr1'.* Did you mean `layer1`.* Its parts are stem, conv1, bn1, layer1, layer2, .*fc"),
        (["maxpool"], "has 'maxpool', which is no part of the network with parameters"),
        (["*"], "leaves nothing to train"),
    ],
)
def test_a_name_that_matches_nothing_is_an_error_with_the_names_there_are(names: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        freeze(ResNet(10, 5), names)
    assert "\n" not in str(caught.value)


def test_a_frozen_batch_norm_keeps_its_statistics_and_a_frozen_weight_its_bits() -> None:
    small = ("model=resnet10", "data.image_size=32", "data.resize=32", "adversarial_eps=1.0")
    config = train_config(*small, "optimizer.freeze=[stem]")
    classifier = SceneClassifier(config, ["a", "b"]).train()
    classifier.log_dict = lambda *_, **__: None
    before = {name: value.clone() for name, value in classifier.model.state_dict().items()}
    optimizer = build_optimizer(SGD, classifier.model, decay_norm_and_bias=False)
    classifier.training_step((torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 0, 1])), 0).backward()
    optimizer.step()
    changed = {name for name, value in classifier.model.state_dict().items() if not torch.equal(value, before[name])}
    assert not {name for name in changed if name.startswith(("conv1", "bn1"))}
    assert {"layer1.0.bn1.running_mean", "layer1.0.conv1.weight", "fc.weight"} <= changed
