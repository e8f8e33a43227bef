from importlib import import_module

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from deepdream.training.losses import loss_of_outputs, main_class, make_loss

N, CLASSES = 7, 5
Array = npt.NDArray[np.float64]


def _logits() -> Tensor:
    return torch.randn(N, CLASSES, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3


def _hard() -> Tensor:
    return torch.arange(N) % CLASSES


def _mixed() -> Tensor:
    shares = torch.zeros(N, CLASSES)
    for i, share in enumerate((1.0, 0.9, 0.75, 0.55, 0.6, 0.81, 0.7)):
        shares[i, i % CLASSES] += share
        shares[i, (i + 2) % CLASSES] += 1 - share
    return shares


def _one_hot(labels: Tensor) -> Array:
    return np.eye(CLASSES)[labels.numpy()] if labels.dim() == 1 else labels.numpy().astype(np.float64)


def _cross_entropy(logits: Array, targets: Array, smoothing: float) -> float:
    targets = targets * (1 - smoothing) + smoothing / CLASSES
    logs = logits - logits.max(1, keepdims=True)
    logs = logs - np.log(np.exp(logs).sum(1, keepdims=True))
    return float(-(targets * logs).sum(1).mean())


def _bce(logits: Array, targets: Array, smoothing: float) -> float:
    present = (targets > 0.2) * (1 - smoothing) + smoothing / CLASSES
    sigmoid = 1 / (1 + np.exp(-logits))
    return float(-(present * np.log(sigmoid) + (1 - present) * np.log(1 - sigmoid)).sum(1).mean())


def _cosine(logits: Array, targets: Array, smoothing: float) -> float:
    smooth = targets * (1 - smoothing) + smoothing / CLASSES
    angle = (logits * smooth).sum(1) / np.linalg.norm(logits, axis=1) / np.linalg.norm(smooth, axis=1)
    return float((1 - angle).mean()) + 0.1 * _cross_entropy(logits, targets, smoothing)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("labels", [_hard(), _mixed()], ids=["hard", "mixed"])
@pytest.mark.parametrize(("name", "reference"), [("cross_entropy", _cross_entropy), ("bce", _bce), ("cosine", _cosine)])
def test_a_loss_is_its_formula_in_numpy(name: str, reference: object, labels: Tensor, smoothing: float) -> None:
    logits = _logits()
    value = make_loss(name, label_smoothing=smoothing)(logits, labels.double() if labels.dim() == 2 else labels)
    assert value.item() == pytest.approx(reference(logits.numpy(), _one_hot(labels), smoothing), abs=1e-6)


@pytest.mark.parametrize("name", ["cross_entropy", "bce", "cosine"])
def test_a_label_and_its_one_hot_shares_are_the_same(name: str) -> None:
    loss = make_loss(name, label_smoothing=0.1)
    shares = torch.nn.functional.one_hot(_hard(), CLASSES).double()
    torch.testing.assert_close(loss(_logits(), _hard()), loss(_logits(), shares))


@pytest.mark.parametrize("name", ["cross_entropy", "bce", "cosine"])
def test_gradients_are_those_of_the_formula(name: str) -> None:
    logits = _logits().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: make_loss(name)(x, _hard()), logits)


def test_the_cosine_term_does_not_depend_on_the_length_of_the_logits() -> None:
    logits, labels = _logits(), _hard()
    parts = [
        make_loss("cosine")(scale * logits, labels) - 0.1 * make_loss("cross_entropy")(scale * logits, labels)
        for scale in (1, 7)
    ]
    torch.testing.assert_close(*parts)


def test_a_mixed_image_counts_for_the_class_with_the_largest_share() -> None:
    assert main_class(_mixed()).tolist() == [0, 1, 2, 3, 4, 0, 1]
    assert main_class(_hard()).tolist() == _hard().tolist()


def test_an_unknown_loss_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="loss is 'hinge'; it must be one of cross_entropy, bce, cosine"):
        make_loss("hinge")


def test_a_loss_of_the_users_own_is_a_class_or_a_function_with_its_arguments() -> None:
    logits, labels = _logits(), _hard()
    expected = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=0.1)
    of_class = make_loss({"_target_": "torch.nn.CrossEntropyLoss"}, label_smoothing=0.1)
    of_function = make_loss({"_target_": "torch.nn.functional.cross_entropy", "label_smoothing": 0.1})
    assert of_class(logits, labels) == of_function(logits, labels) == expected


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"_target_": "torch.nn.CrossEntropyLoss", "wieght": 1}, "takes no argument `wieght`. Did you mean `weight`"),
        ({"_target_": "torch.nn.MultiMarginLoss"}, "takes no argument `label_smoothing`"),
    ],
)
def test_an_argument_that_a_loss_does_not_take_is_named(choice: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_loss(choice, label_smoothing=0.1)


@pytest.mark.parametrize(("name", "count", "weight"), [("GoogLeNet", 2, 0.3), ("Inception", 1, 0.4)])
def test_auxiliary_classifiers_count_with_the_weight_of_the_paper(name: str, count: int, weight: float) -> None:
    kind = getattr(import_module(f"torchvision.models.{name.lower()}"), f"{name}Outputs")
    logits, labels = _logits(), _hard()
    extra = [logits + index + torch.arange(CLASSES) for index in range(count)]
    loss = make_loss("cross_entropy")
    expected = loss(logits, labels) + weight * sum(loss(each, labels) for each in extra)
    torch.testing.assert_close(loss_of_outputs(loss, kind(logits, *extra), labels), expected)


def test_a_loss_that_is_not_one_number_is_refused() -> None:
    loss = make_loss({"_target_": "torch.nn.functional.cross_entropy", "reduction": "none"})
    with pytest.raises(ValueError, match=r"the loss has the shape \[7\]; it must be one number"):
        loss_of_outputs(loss, _logits(), _hard())
