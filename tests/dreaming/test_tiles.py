from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from deepdream.dreaming import DreamConfig, Dreamer
from deepdream.dreaming.tiles import (
    CPU_PIXELS,
    CPU_PIXELS_WIDE,
    GPU_PIXELS,
    Span,
    chosen_max_pixels,
    least_pixels,
    tile_margin,
    tiles,
)
from deepdream.dreaming.transforms import Transform
from tests.dreaming.networks import photo
from tests.slow import slow_but

SIZES = [(300, 900), (900, 300), (2160, 3840), (1080, 1921), (1023, 1023), (40, 30_000), (30_000, 7), (330, 5_001)]
REACHES = [(32, 1), (32, 4), (48, 8), (64, 16), (64, 32)]  # margin and stride
ORIGINS = [(0.0, 0.0), (0.37, 0.999)]


def limits(size: tuple[int, int], margin: int, stride: int) -> list[int]:
    """Sizes of tiles: the least, a size for which few numbers come out even, and an ordinary one."""
    least = least_pixels(margin, stride)
    return [pixels for pixels in (least, 3 * least + 7, 1_200_000) if least <= pixels < size[0] * size[1]]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("margin", "stride"), REACHES)
@pytest.mark.parametrize("origin", ORIGINS)
def test_every_pixel_is_in_one_tile_with_its_surroundings(size, margin, stride, origin):
    for max_pixels in limits(size, margin, stride):
        places = list(tiles(size, max_pixels, margin, stride, origin))
        assert len({(rows.stop - rows.start, columns.stop - columns.start) for rows, columns in places}) == 1
        for axis, length in enumerate(size):
            spans = list(dict.fromkeys(place[axis] for place in places))
            assert [span.first for span in spans] == [0, *(span.last for span in spans[:-1])]
            assert spans[-1].last == length
            for span in spans:
                assert span.start % stride == 0
                assert 0 <= span.start <= span.first < span.last <= span.stop <= length
                assert span.start == 0 or span.first - span.start >= margin
                assert span.stop == length or span.stop - span.last >= margin
        rows, columns = (len(set(spans)) for spans in zip(*places, strict=True))
        assert len(set(places)) == len(places) == rows * columns
        rows, columns = places[0]
        assert (rows.stop - rows.start) * (columns.stop - columns.start) <= max_pixels


def test_a_image_that_fits_is_one_tile():
    whole = (Span(0, 300, 0, 300), Span(0, 901, 0, 901))
    assert list(tiles((300, 901), 300 * 901, 64, 32, (0.4, 0.7))) == [whole]


@pytest.mark.parametrize(("margin", "stride"), REACHES)
@pytest.mark.parametrize("length", slow_but([1921], [1921, 3840]))
def test_tiles_hand_over_everywhere_in_their_overlap_equally_often(length, margin, stride):
    draws = 2_000
    origins = (np.arange(draws) + 0.5) / draws
    grids = [list(tiles((200, length), 102_400, margin, stride, (0, origin))) for origin in origins]
    for before, after in pairwise(range(len(grids[0]))):
        overlap = grids[0][before][1].stop - grids[0][after][1].start
        edges = Counter(grid[after][1].first for grid in grids)
        assert len(edges) == max(edges) - min(edges) + 1 == overlap - 2 * margin + 1 > margin // 2
        assert max(edges.values()) - min(edges.values()) <= 1


def test_tiles_of_a_large_image_show_little_twice():
    """At the border of the image there are no surroundings to show, and few tiles share few borders."""
    places = list(tiles((2160, 3840), CPU_PIXELS, 64, 32, (0.5, 0.5)))
    shown = sum((rows.stop - rows.start) * (columns.stop - columns.start) for rows, columns in places)
    assert shown < 1.35 * 2160 * 3840


def gradients(network, layer: str, image: torch.Tensor, max_pixels: int) -> tuple[torch.Tensor, list]:
    """The gradient of a image whole, and in tiles; and the tiles."""
    config = DreamConfig.preset("inceptionism", layers=[layer], octaves=1, steps=1)
    found = []
    for pixels in (10**9, max_pixels):
        ascent = Dreamer(network, config, precision="fp32", device="cpu", max_pixels=pixels)._ascent(torch.float32)
        with ascent.taps:
            parameterization = ascent.begin_octave(image[None])
            values = parameterization.encode(image[None])
            gradient, _ = ascent._tiled_gradient(values, Transform((0, 0), origin=(0.4, 0.7)))
        found.append(gradient[0])
    stride = ascent.numerics.stride
    places = list(tiles(image.shape[1:], max_pixels, tile_margin(stride), stride, (0.4, 0.7)))
    return torch.stack(found), places


@pytest.mark.parametrize("layer", ["layer2", "layer3"])
def test_tiled_and_whole_gradients_agree_inside_tiles(resnet, layer):
    image = photo(420, 460).float()
    (whole, tiled), places = gradients(resnet, layer, image, 300 * 300)
    assert len(places) > 3
    for rows, columns in places:
        inside = (slice(None), slice(rows.first, rows.last), slice(columns.first, columns.last))
        cosine = torch.cosine_similarity(whole[inside].flatten(), tiled[inside].flatten(), dim=0)
        assert cosine > 0.999  # random weights look further than trained ones, for which it is 0.9999


def test_no_seam_is_seen(resnet):
    """Across the tiles' edges the gradient jumps no more than the whole image's gradient does there."""
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
        config = DreamConfig.preset("gordic", layers=["layer2"], width=None, octaves=1, steps=4)
        objectives = []
        dreamer = Dreamer(resnet, config, max_pixels=max_pixels, precision="fp32")
        dreamer(image, on_step=lambda report, kept=objectives: kept.append(float(report.objective)))
        gains.append(objectives[-1] / objectives[0])
    assert gains[1] == pytest.approx(gains[0], rel=0.05)


def test_tiles_that_would_be_mostly_surroundings_are_refused(resnet):
    with pytest.raises(ValueError, match=r"max_pixels is 20000; tiles for a layer of stride 32 need \d+ or more"):
        Dreamer(resnet, DreamConfig.preset("gordic", layers=["layer4"]), max_pixels=20_000)


CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("dtype", "pixels"),
    [(torch.bfloat16, CPU_PIXELS), (torch.float32, CPU_PIXELS_WIDE), (torch.float64, CPU_PIXELS_WIDE)],
)
def test_a_cpu_takes_smaller_tiles_of_wider_numbers(dtype, pixels):
    assert chosen_max_pixels(None, CPU, dtype, 32) == pixels
    assert chosen_max_pixels(300_000, CPU, dtype, 32) == 300_000


@pytest.mark.parametrize(("free", "pixels"), [(80_000_000_000, GPU_PIXELS), (2_000_000_000, 800_000)])
def test_a_gpu_takes_what_its_free_memory_holds_and_no_more_than_it_gains_from(monkeypatch, free, pixels):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, free))
    assert chosen_max_pixels(None, GPU, torch.bfloat16, 32) == pixels


def test_a_gpu_with_hardly_any_memory_still_takes_the_smallest_tiles(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10_000_000, 10_000_000))
    least = chosen_max_pixels(None, GPU, torch.bfloat16, 32)
    assert chosen_max_pixels(least, CPU, torch.float32, 32) == least
    with pytest.raises(ValueError, match=f"need {least} or more"):
        chosen_max_pixels(least - 1, CPU, torch.float32, 32)


class LiveImages(TorchDispatchMode):
    """Counts the images of at least the size of `image` that are alive at once. most: of them."""

    def __init__(self, image: torch.Tensor) -> None:
        super().__init__()
        self._size, self._alive = image.shape[1:], WeakValueDictionary[int, torch.UntypedStorage]()
        self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for each in tree_leaves(made):
            is_image = isinstance(each, torch.Tensor) and each.dim() == 4 and each.shape[1] == 3
            if is_image and each.shape[2] >= self._size[0] and each.shape[3] >= self._size[1]:
                self._alive[each.data_ptr()] = each.untyped_storage()
        self.most = max(self.most, len(self._alive))
        return made


def test_a_panorama_is_held_a_few_times_only(resnet):
    image = photo(400, 420).float()
    config = DreamConfig.preset("gordic", layers=["layer2"], octaves=1, steps=2)
    dreamer = Dreamer(resnet, config, device="cpu", precision="fp32", max_pixels=44_000)
    with LiveImages(image) as live:
        dreamer(image, on_step=lambda report: None)
    assert live.most <= 6  # it was 8 where each step kept what the one before had made
