from functools import partial

import pytest
import torch
from torch import nn

from deepdream.models import ResNet
from deepdream.training.optimizers import (
    build_optimizer,
    learning_rate,
    parameter_groups,
    scaled_lr,
)
from deepdream.training.targets import configured_partial
from tests.training.configs import train_config

SGD = partial(torch.optim.SGD, lr=0.1, weight_decay=0.5)


def test_only_convolutions_and_the_weight_of_the_last_layer_decay() -> None:
    model = ResNet(10, 5, stem="deep", head="wise", head_size=2)
    decayed, spared = parameter_groups(model, decay_norm_and_bias=False)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    kinds = {type(model.get_submodule(names[id(p)].rpartition(".")[0])).__name__ for p in decayed["params"]}
    assert kinds == {"Conv2d", "Linear", "SpatialWeights"}
    assert {names[id(p)].rpartition(".")[2] for p in decayed["params"]} == {"weight"}
    assert spared["weight_decay"] == 0
    assert len(decayed["params"]) + len(spared["params"]) == len(names)


@pytest.mark.parametrize("everything", [True, False])
def test_weight_decay_acts_on_the_chosen_parameters_only(everything: bool) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    before = {name: value.clone() for name, value in model.named_parameters()}
    optimizer = build_optimizer(SGD, model, decay_norm_and_bias=everything)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, value in model.named_parameters():
        shrinks = everything or name == "0.weight"
        assert torch.allclose(value, before[name] * (0.95 if shrinks else 1.0)), name


@pytest.mark.parametrize("optimizer", ["SGD", "AdamW", "RMSprop", "Adagrad", "NAdam", "Adadelta", "RAdam", "Adamax"])
def test_any_optimizer_of_torch_takes_steps(optimizer: str) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    before = model[0].weight.clone()
    built = build_optimizer(partial(getattr(torch.optim, optimizer), lr=0.1), model, decay_norm_and_bias=False)
    model(torch.randn(8, 3)).square().sum().backward()
    built.step()
    assert not torch.equal(model[0].weight, before)
    assert len(built.param_groups) == 2


def test_steps_are_fused_where_possible_and_not_disabled() -> None:
    model = nn.Linear(3, 3)
    assert build_optimizer(SGD, model, decay_norm_and_bias=False).defaults["fused"] is True
    assert not build_optimizer(SGD, model, decay_norm_and_bias=False, fused=False).defaults["fused"]
    assert build_optimizer(partial(SGD, fused=False), model, decay_norm_and_bias=False).defaults["fused"] is False
    assert not build_optimizer(partial(SGD, foreach=True), model, decay_norm_and_bias=False).defaults["fused"]
    assert "fused" not in build_optimizer(torch.optim.Adadelta, model, decay_norm_and_bias=False).defaults


def test_a_fused_step_is_the_plain_step() -> None:
    torch.manual_seed(0)
    models = [nn.Linear(4, 4) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    x = torch.randn(8, 4)
    for model, fused in zip(models, (True, False), strict=True):
        make = partial(torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)
        optimizer = build_optimizer(make, model, decay_norm_and_bias=False, fused=fused)
        for _ in range(5):
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()
    torch.testing.assert_close(models[0].weight, models[1].weight, rtol=1e-5, atol=1e-6)


def test_the_scaled_rate_is_proportional_to_the_images_per_step() -> None:
    assert scaled_lr(0.1, 256) == 0.1
    assert scaled_lr(0.1, 64) == pytest.approx(0.025)
    assert scaled_lr(0.1, 1024) == pytest.approx(0.4)


def test_the_rate_of_the_configuration_is_scaled_to_all_images_of_a_step_and_stays_in_the_configuration() -> None:
    config = train_config(
        "scale_lr=true", "optimizer.lr=0.4", "data.batch_size=16", "trainer.accumulate_grad_batches=2"
    )
    assert learning_rate(config, world_size=4) == pytest.approx(0.4 * 16 * 2 * 4 / 256)
    assert config.optimizer["lr"] == 0.4
    assert learning_rate(train_config("optimizer.lr=0.4"), world_size=4) == 0.4


def test_arguments_that_an_optimizer_does_not_take_are_named_with_the_way_to_remove_them() -> None:
    config = train_config("optimizer._target_=torch.optim.RAdam").optimizer_arguments
    with pytest.raises(ValueError, match="RAdam takes no argument `momentum`, `nesterov`") as caught:
        configured_partial("optimizer", config)
    assert "~optimizer.momentum ~optimizer.nesterov" in str(caught.value)
    with pytest.raises(ValueError, match=r"SGD takes no argument `lrr`. Did you mean `lr`\?"):
        configured_partial("optimizer", {"_target_": "torch.optim.SGD", "lrr": 0.1})


def test_a_value_that_an_optimizer_refuses_is_an_error_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"^optimizer: Nesterov momentum requires a momentum"):
        build_optimizer(partial(torch.optim.SGD, lr=0.1, nesterov=True), nn.Linear(2, 2), decay_norm_and_bias=True)
