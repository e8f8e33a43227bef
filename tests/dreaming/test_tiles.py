from __future__ import annotations

import numpy as np
import pytest
import torch

from deepdream.dreaming import DreamConfig, Dreamer
from deepdream.dreaming.moves import Move
from deepdream.dreaming.tiles import spans, tiles
from tests.dreaming.networks import photo


@pytest.mark.parametrize("length", [200, 257, 1000, 1023])
@pytest.mark.parametrize("origin", [0.0, 0.37, 0.999])
def test_every_pixel_is_in_one_core_with_its_surroundings(length, origin):
    margin, stride = 32, 16
    found = spans(length, 190, margin, stride, origin)
    assert [s.first for s in found] == [0, *(s.last for s in found[:-1])]
    assert found[-1].last == length
    assert len({s.stop - s.start for s in found}) == 1
    for s in found:
        assert s.start % stride == 0
        assert 0 <= s.start <= s.first < s.last <= s.stop <= length
        assert s.stop - s.start <= 190
        assert s.start == 0 or s.first - s.start >= margin
        assert s.stop == length or s.stop - s.last >= margin


def test_the_grid_begins_elsewhere_with_another_origin():
    edges = {tuple(s.first for s in spans(1000, 190, 32, 16, origin)) for origin in np.linspace(0, 0.99, 7)}
    assert len(edges) > 3


def test_tiles_are_as_small_as_asked_and_cover_the_picture():
    covered = torch.zeros(300, 900)
    for rows, columns in tiles((300, 900), 20_000, 16, 8, (0.3, 0.6)):
        assert (rows.stop - rows.start) * (columns.stop - columns.start) <= 20_000
        covered[rows.first : rows.last, columns.first : columns.last] += 1
    assert torch.equal(covered, torch.ones(300, 900))


def gradients(network, layer: str, image: torch.Tensor, max_pixels: int) -> tuple[torch.Tensor, list]:
    """The gradient of a picture whole, and in tiles; and the tiles."""
    config = DreamConfig.preset("inceptionism", layers=[layer], octaves=1, steps=1, precision="fp32", device="cpu")
    found = []
    for pixels in (10**9, max_pixels):
        dreamer = Dreamer(network, config)
        dreamer.max_pixels = pixels
        ascent = dreamer._ascent(torch.float32)
        with ascent.taps:
            canvas = ascent.begin(image[None], None)
            gradient, _ = ascent._tiled(canvas.encode(image[None]), Move((0, 0), origin=(0.4, 0.7)))
        found.append(gradient[0])
    places = list(tiles(image.shape[1:], max_pixels, ascent._margin, ascent._stride, (0.4, 0.7)))
    return torch.stack(found), places


@pytest.mark.parametrize("layer", ["layer2", "layer3"])
def test_tiled_and_whole_gradients_agree_inside_tiles(resnet, layer):
    image = photo(320, 380).float()
    (whole, tiled), places = gradients(resnet, layer, image, 260 * 260)
    assert len(places) > 3
    for rows, columns in places:
        inside = (slice(None), slice(rows.first, rows.last), slice(columns.first, columns.last))
        cosine = torch.cosine_similarity(whole[inside].flatten(), tiled[inside].flatten(), dim=0)
        assert cosine > 0.998  # random weights look further than trained ones, for which it is 0.9999


def test_no_seam_is_seen(resnet):
    """Across the tiles' edges the gradient jumps no more than the whole picture's gradient does there."""
    image = photo(320, 380).float()
    (whole, tiled), places = gradients(resnet, "layer2", image, 220 * 220)
    seams = sorted({columns.first for _, columns in places} - {0})
    for seam in seams:
        jumps = [(g[:, :, seam] - g[:, :, seam - 1]).square().mean().sqrt().item() for g in (whole, tiled)]
        assert jumps[1] < 1.02 * jumps[0]


def test_a_dream_in_tiles_is_as_strong_as_a_whole_one(resnet):
    image = photo(200, 260).float()
    gains = []
    for max_pixels in (None, 44_000):
        config = DreamConfig.preset(
            "gordic", layers=["layer2"], width=None, octaves=1, steps=4, max_pixels=max_pixels, precision="fp32"
        )
        objectives = []
        Dreamer(resnet, config)(image, on_step=lambda report, kept=objectives: kept.append(float(report.objective)))
        gains.append(objectives[-1] / objectives[0])
    assert gains[1] == pytest.approx(gains[0], rel=0.05)


def test_tiles_that_would_be_mostly_surroundings_are_refused(resnet):
    with pytest.raises(ValueError, match=r"max_pixels is 20000; tiles for a layer of stride 32 need \d+ or more"):
        Dreamer(resnet, DreamConfig.preset("gordic", layers=["layer4"], max_pixels=20_000))
