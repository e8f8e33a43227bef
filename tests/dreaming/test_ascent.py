from __future__ import annotations

import torch
from torch import nn

from deepdream.dreaming.ascent import _vector_jacobian


def test_the_vector_jacobian_product_is_that_of_autograd_to_the_bit() -> None:
    torch.manual_seed(0)
    first, second = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 3)
    at = torch.randn(2, 3, 12, 12, requires_grad=True)
    low = first(at).relu()
    outputs = [low, second(low), low.square()]
    vectors = [torch.randn_like(output) for output in outputs]
    (expected,) = torch.autograd.grad(outputs, at, vectors, retain_graph=True)
    with torch.no_grad():
        found = _vector_jacobian(outputs, vectors, at)
    assert torch.equal(found, expected)
