"""How many pixels a network sees at once, by device and number format."""

import pytest
import torch

from deepdream.dreaming.budget import CPU_PIXELS, CPU_PIXELS_WIDE, GPU_PIXELS, chosen_max_pixels

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
