"""Optical flow: where every pixel of a frame was in the frame before, and a dream moved along."""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

TRUSTED = 1.5  # pixels by which a flow there and back may miss its start


def flow(here: Tensor, there: Tensor) -> Tensor:
    """For every pixel of `here` the way to the same thing in `there`: (2, H, W), right and down, in pixels.

    Both are (3, H, W) in [0, 1]. Source: Kroeger et al., "Fast Optical Flow using Dense Inverse Search" (2016).
    """
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    found = search.calc(_grey(here), _grey(there), np.zeros((*here.shape[1:], 2), np.float32))
    return torch.from_numpy(np.ascontiguousarray(found)).permute(2, 0, 1)


def warp(picture: Tensor, way: Tensor) -> Tensor:
    """`picture` (C, H, W) read at the end of each pixel's way (2, H, W); edges are repeated."""
    height, width = picture.shape[1:]
    columns, rows = torch.meshgrid(torch.arange(width), torch.arange(height), indexing="xy")
    x = (columns + way[0] + 0.5) * 2 / width - 1
    y = (rows + way[1] + 0.5) * 2 / height - 1
    grid = torch.stack([x, y], dim=-1)[None].to(picture)
    return F.grid_sample(picture[None], grid, padding_mode="border", align_corners=False).squeeze(0)


def trust(there: Tensor, back: Tensor) -> Tensor:
    """Where the way there and the way back agree, and something has not just come into sight: (1, H, W), 0 or 1."""
    missed = torch.linalg.vector_norm(there + warp(back, there), dim=0, keepdim=True)
    trusted: Tensor = (missed < TRUSTED).to(there)
    return trusted


def along(last: Tensor, before: Tensor, now: Tensor) -> tuple[Tensor, Tensor]:
    """The dream `last` of frame `before`, moved to where things are in frame `now`; and where that can be trusted."""
    way = flow(now, before)
    return warp(last, way.to(last)), trust(way, flow(before, now)).to(last)


def flicker(dreams: list[Tensor], frames: list[Tensor]) -> float:
    """Mean |difference| between each dream and the last one moved along, where the flow can be trusted."""
    found = []
    for i in range(1, len(dreams)):
        moved, trusted = along(dreams[i - 1], frames[i - 1], frames[i])
        share = trusted.mean().clamp_min(1e-6)
        found.append(float(((dreams[i] - moved).abs() * trusted).mean() / share))
    return sum(found) / max(1, len(found))


def _grey(picture: Tensor) -> np.ndarray:
    light = (picture.float().mean(dim=0) * 255).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(light.cpu().numpy())
