from __future__ import annotations

import pytest
import torch

from deepdream.dreaming.canvas import CANVASES
from tests.dreaming.networks import MEAN, STD, photo

IMAGE = photo(9, 12, pictures=2)


@pytest.fixture(params=sorted(CANVASES))
def canvas(request):
    return CANVASES[request.param](MEAN, STD, torch.float64, torch.device("cpu"))


def test_what_is_encoded_is_decoded(canvas):
    torch.testing.assert_close(canvas.decode(canvas.encode(IMAGE)), IMAGE)


def test_the_network_is_given_normalised_pictures(canvas):
    mean, std = torch.tensor(MEAN).view(1, 3, 1, 1).double(), torch.tensor(STD).view(1, 3, 1, 1).double()
    given = canvas.network_input(canvas.view(canvas.encode(IMAGE)))
    torch.testing.assert_close(given, (IMAGE - mean) / std, rtol=1e-6, atol=1e-6)


def test_the_clamp_leaves_pictures_and_brings_the_rest_to_black_and_white(canvas):
    held = canvas.encode(IMAGE)
    torch.testing.assert_close(canvas.clamp(held), held)
    for far, bound in ((1e4, 1.0), (-1e4, 0.0)):
        clamped = canvas.clamp(held + far)
        torch.testing.assert_close(clamped, canvas.encode(torch.full_like(IMAGE, bound)))


def test_decoding_clips(canvas):
    held = canvas.encode(IMAGE)
    assert torch.equal(canvas.decode(held + 1e4), torch.ones_like(IMAGE))
    assert torch.equal(canvas.decode(held - 1e4), torch.zeros_like(IMAGE))
