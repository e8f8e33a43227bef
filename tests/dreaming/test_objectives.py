from __future__ import annotations

import pytest
import torch

from deepdream.dreaming import DreamConfig, Objective, mean, mean_square
from deepdream.dreaming.config import OBJECTIVES
from deepdream.dreaming.objectives import build_objective
from deepdream.dreaming.selection import Selection
from tests.dreaming.networks import small_network

FEATURES = {
    "a": torch.randn(2, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)),
    "b": torch.randn(2, 6, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)),
}


def test_objectives_add_up_with_weights():
    a, b = mean_square.at("a"), mean.at("b:2")
    combined = a + 0.5 * b - 2 * a
    torch.testing.assert_close(combined(FEATURES), 0.5 * b(FEATURES) - a(FEATURES))
    torch.testing.assert_close((-combined)(FEATURES), -combined(FEATURES))
    assert combined.layers == ["a", "b"]


def test_a_layer_has_its_weight():
    weighted = mean_square.at("2*a", "-1*b")
    expected = (2 * mean_square.at("a")(FEATURES) - mean_square.at("b")(FEATURES)) / 2
    torch.testing.assert_close(weighted(FEATURES), expected)


def test_only_terms_that_name_no_layer_take_those_of_the_dream():
    both = (mean_square + mean.at("b")).at("a")
    torch.testing.assert_close(both(FEATURES), mean_square.at("a")(FEATURES) + mean.at("b")(FEATURES))


def built(**values: object) -> Objective:
    network = small_network()
    return build_objective(DreamConfig.preset("gordic", **{"layers": ["3"], **values}), network, network.layers())


def test_a_weight_reaches_the_objective_with_all_of_its_digits():
    assert built(layers=["0.123456789*3"]).selections == [Selection("3", weight=0.123456789)]


def test_every_registered_objective_is_built():
    options = {"logit": {"target": "b"}, "direction": {"vector": [1.0] * 8}, "unit": {"layers": ["3:1@2,2"]}}
    for name in OBJECTIVES:
        layers = ["3:1"] if name == "channel" else ["3"]
        objective = built(objective=[{"term": name, "layers": layers, **options.get(name, {})}], jitter=0)
        assert isinstance(objective, Objective), name
        assert len(objective.terms) == 1


@pytest.mark.parametrize("target", ["b", "B", "1"])
def test_a_class_is_named_in_any_case_or_by_index(target):
    logits = {"logits": torch.tensor([[3.0, 5.0]])}
    assert built(objective="logit", target=target)(logits).item() == 5.0


def test_a_direction_takes_one_layer():
    with pytest.raises(ValueError, match="direction takes one layer"):
        built(objective=[{"term": "direction", "layers": ["1", "3"], "vector": [1.0]}])
