import pytest
import torch
from torch import Tensor, nn

from deepdream.models.matching import by_order, differences, loaded, under_names_of
from deepdream.models.resnet import ResNet


def _weights(*names: str) -> dict[str, Tensor]:
    return {name: torch.zeros(2) for name in names}


@pytest.mark.parametrize(
    ("file", "model"),
    [
        (("module.features.0.weight", "module.fc.weight"), ("features.0.weight", "fc.weight")),
        (("features.module.0.weight", "fc.weight"), ("features.0.weight", "fc.weight")),  # AlexNet of Places365
        (("model._orig_mod.backbone.fc.weight", "criterion.weight"), ("fc.weight",)),
        (("ema.module.fc.weight", "ema.module.conv.weight", "fc.weight"), ("conv.weight", "fc.weight")),
        (("fc.weight", "aux1.fc.weight", "AuxLogits.conv.weight"), ("fc.weight",)),
        (
            ("features.denseblock1.denselayer2.norm.1.running_mean", "features.denseblock1.denselayer2.conv.2.weight"),
            ("features.denseblock1.denselayer2.norm1.running_mean", "features.denseblock1.denselayer2.conv2.weight"),
        ),
        (
            ("encoder.layers.encoder_layer_3.mlp.linear_1.bias", "encoder.layers.encoder_layer_3.mlp.linear_2.bias"),
            ("encoder.layers.encoder_layer_3.mlp.0.bias", "encoder.layers.encoder_layer_3.mlp.3.bias"),
        ),
    ],
)
def test_names_of_wrappers_and_older_versions_become_those_of_the_model(
    file: tuple[str, ...], model: tuple[str, ...]
) -> None:
    assert sorted(under_names_of(_weights(*model), _weights(*file))) == sorted(model)


def test_what_the_model_lacks_stays_and_is_a_difference() -> None:
    ours = {
        "conv.weight": torch.zeros(8, 3, 3, 3),
        "fc.weight": torch.zeros(5, 8),
        "bn.num_batches_tracked": torch.ones(()),
    }
    theirs = under_names_of(
        ours, {"conv.weight": torch.zeros(4, 3, 3, 3), "a": torch.ones(()), "fc.weight": ours["fc.weight"]}
    )
    assert differences(theirs, ours) == (
        "conv.weight is 4x3x3x3 in the file and 8x3x3x3 in the model; "
        "a is one number in the file and missing in the model"
    )
    many = {f"{letter}.weight": torch.ones(1) for letter in "abcdef"}
    assert differences(many, {}).endswith("; and 3 more")


def test_an_order_fits_only_with_the_same_kinds_and_shapes_but_for_the_classes() -> None:
    model = {"stem.weight": torch.zeros(8, 3), "norm.bias": torch.zeros(8), "head.weight": torch.zeros(2, 8)}
    file = {"a.weight": torch.zeros(8, 3), "b.bias": torch.zeros(8), "c.weight": torch.zeros(10, 8)}
    found = by_order(model, file, {"head.weight": 0})
    assert found is not None
    assert found["head.weight"] is file["c.weight"]
    assert by_order(model, file, {}) is None
    assert by_order(model, {**file, "d.bias": torch.zeros(10)}, {"head.weight": 0}) is None
    assert (
        by_order(
            model,
            {"a.weight": file["a.weight"], "b.weight": file["b.bias"], "c.weight": file["c.weight"]},
            {"head.weight": 0},
        )
        is None
    )


def test_a_model_that_gets_weights_has_exactly_these_and_draws_none() -> None:
    weights = ResNet(18, num_classes=3, stem="deep", blur=True).state_dict()
    before = torch.get_rng_state()
    model = loaded(lambda: ResNet(18, num_classes=3, stem="deep", blur=True), weights, "misfit")
    assert torch.equal(torch.get_rng_state(), before)
    found = model.state_dict()
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[name], weights[name]) for name in weights)
    torch.manual_seed(0)
    assert nn.Linear(2, 2).weight.std() > 0  # elsewhere weights are drawn as ever
