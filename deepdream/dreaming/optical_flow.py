"""Optical flow: where every pixel of a frame was in the frame before, and a dream moved along it."""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

CONSISTENT = 1.5  # pixels by which the flow there and back may miss its start
LEAST_SIDE = 16  # of an image in pixels: on less OpenCV's search fails, and on 8x64 ends the process


def flow(here: Tensor, there: Tensor) -> Tensor:
    """The flow from every pixel of `here` to its match in `there`: (2, H, W), right and down, in pixels.

    Both are (3, H, W) in [0, 1]. Source: Kroeger et al., "Fast Optical Flow using Dense Inverse Search" (2016).
    """
    height, width = here.shape[1:]
    missing = ((0, max(0, LEAST_SIDE - height)), (0, max(0, LEAST_SIDE - width)))
    start, goal = (np.pad(_grey(image), missing, mode="edge") for image in (here, there))
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    found = search.calc(start, goal, np.zeros((*start.shape, 2), np.float32))[:height, :width]
    return torch.from_numpy(np.ascontiguousarray(found)).permute(2, 0, 1)


def warp_by_flow(image: Tensor, displacement: Tensor) -> Tensor:
    """`image` (C, H, W) sampled where each pixel's displacement (2, H, W) points; edges are repeated."""
    height, width = image.shape[1:]
    columns, rows = torch.meshgrid(torch.arange(width), torch.arange(height), indexing="xy")
    x = (columns + displacement[0] + 0.5) * 2 / width - 1
    y = (rows + displacement[1] + 0.5) * 2 / height - 1
    grid = torch.stack([x, y], dim=-1)[None].to(image)
    return F.grid_sample(image[None], grid, padding_mode="border", align_corners=False).squeeze(0)


def consistency(there: Tensor, back: Tensor) -> Tensor:
    """1 where the flows there and back agree, 0 where they do not, as at a disocclusion: (1, H, W)."""
    missed = torch.linalg.vector_norm(there + warp_by_flow(back, there), dim=0, keepdim=True)
    consistent: Tensor = (missed < CONSISTENT).to(there)
    return consistent


def along(last: Tensor, before: Tensor, now: Tensor) -> tuple[Tensor, Tensor]:
    """The dream `last` of frame `before`, moved along the flow to frame `now`; and the flow's consistency (1, H, W)."""
    displacement = flow(now, before)
    return warp_by_flow(last, displacement.to(last)), consistency(displacement, flow(before, now)).to(last)


def flicker(dreams: list[Tensor], frames: list[Tensor]) -> float:
    """Mean |difference| between each dream and the last one moved along the flow, where the flow is consistent."""
    found = []
    for i in range(1, len(dreams)):
        moved, consistent = along(dreams[i - 1], frames[i - 1], frames[i])
        share = consistent.mean().clamp_min(1e-6)
        found.append(float(((dreams[i] - moved).abs() * consistent).mean() / share))
    return sum(found) / max(1, len(found))


def _grey(image: Tensor) -> np.ndarray:
    light = (image.float().mean(dim=0) * 255).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(light.cpu().numpy())
