"""CUDA graphs: work on a GPU is captured once for each image size, and replayed from then on.

A gradient step launches some two hundred kernels. A fast GPU finishes each kernel before Python has launched the next
one, so an image of ordinary size takes as long as Python does; a CUDA graph launches all of them at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import torch
from torch import Tensor

from deepdream.acceleration.switch import is_enabled

Work = Callable[[Tensor], tuple[Tensor, Tensor]]

MAX_PIXELS = 1_500_000  # above, kernels take longer than their launch, and a graph would hold much memory
WARM_UP_CALLS = 2  # calls of each kind before the capture: what the first calls allocate does not belong in a graph
MAX_GRAPHS = 32  # kept at a time


@dataclass(frozen=True)
class CapturedGraph:
    """A graph that reads `given` and writes `found`; `reads` holds the other tensors that it reads."""

    reads: object
    graph: torch.cuda.CUDAGraph
    given: Tensor
    found: tuple[Tensor, Tensor]

    def replay(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The result of the captured work for `x`."""
        self.given.copy_(x)
        self.graph.replay()
        first, second = self.found
        return first.clone(), second.clone()


class GraphCache:
    """Calls work on images; on a GPU the third call of a kind and size is captured, and later ones replay the graph.

    Work that cannot be captured, because it reads a value back from the GPU, is called directly from then on; so is
    all work with acceleration switched off.
    """

    def __init__(self, device: torch.device) -> None:
        self._captures = device.type == "cuda"
        self._pool = torch.cuda.graph_pool_handle() if self._captures else None
        self._calls: Counter[Hashable] = Counter()
        self._graphs: dict[Hashable, CapturedGraph] = {}

    def clear(self) -> None:
        """Drop all graphs. To be called when the work is about to read other tensors than at its capture."""
        self._calls.clear()
        self._graphs.clear()

    def call(self, work: Work, x: Tensor, *kind: Hashable, reads: object = None) -> tuple[Tensor, Tensor]:
        """work(x) for images `x`, (N, C, H, W). Calls of one `kind` must be the same work.

        reads: the other tensors that the work reads, or an object that holds them; kept alive as long as the graph.
        """
        if not self._captures or len(x) * x.shape[2] * x.shape[3] > MAX_PIXELS or not is_enabled():
            return work(x)
        key = (x.shape, x.stride(), x.dtype, *kind)
        if key not in self._graphs:
            self._calls[key] += 1
            if self._calls[key] <= WARM_UP_CALLS:
                return work(x)
            if len(self._graphs) == MAX_GRAPHS:
                self.clear()
            try:
                self._graphs[key] = self._capture(work, x, reads)
            except RuntimeError:
                self._captures = False
                self.clear()
                return work(x)
        return self._graphs[key].replay(x)

    def _capture(self, work: Work, x: Tensor, reads: object) -> CapturedGraph:
        graph, given = torch.cuda.CUDAGraph(), x.detach().clone()
        # Only this thread has to keep to the rules of a capture: other threads may be loading images.
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            found = work(given)
        return CapturedGraph(reads, graph, given, found)
