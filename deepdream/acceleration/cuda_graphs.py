"""Work on a GPU, recorded once for each size of picture and replayed.

A step launches some two hundred kernels. A fast GPU is done with each sooner than Python has named the next, so a
picture of ordinary size takes as long as Python does; a CUDA graph launches all of them at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import torch
from torch import Tensor

Work = Callable[[Tensor], tuple[Tensor, Tensor]]

LARGEST = 1_500_000  # pixels: above, the kernels take longer than their launch, and the graph's memory would be much
AS_IT_IS = 2  # calls of each kind that are not recorded: what is prepared at the first ones does not belong in a graph
MOST = 32  # recordings that are kept


@dataclass(frozen=True)
class Recording:
    """A graph that reads `given` and writes `found`; `reads` is what it reads besides."""

    reads: object
    graph: torch.cuda.CUDAGraph
    given: Tensor
    found: tuple[Tensor, Tensor]

    def replay(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the work yields of `x`."""
        self.given.copy_(x)
        self.graph.replay()
        first, second = self.found
        return first.clone(), second.clone()


class Recorder:
    """Does work on pictures; on a GPU, from the third time on that it meets a kind and a size, by replaying it.

    Work that cannot be recorded, because it reads a value back from the GPU, is done as it is from then on.
    """

    def __init__(self, device: torch.device) -> None:
        self._records = device.type == "cuda"
        self._pool = torch.cuda.graph_pool_handle() if self._records else None
        self._met: Counter[Hashable] = Counter()
        self._recordings: dict[Hashable, Recording] = {}

    def forget(self) -> None:
        """Drop what is recorded: the work is about to read something else than its picture anew."""
        self._met.clear()
        self._recordings.clear()

    def do(self, work: Work, x: Tensor, *kind: Hashable, reads: object = None) -> tuple[Tensor, Tensor]:
        """work(x), of pictures `x` (N, C, H, W). Works of one `kind` must be the same work.

        reads: tensors that the work reads besides, or what holds them; kept for as long as it is replayed.
        """
        if not self._records or len(x) * x.shape[2] * x.shape[3] > LARGEST:
            return work(x)
        place = (x.shape, x.stride(), x.dtype, *kind)
        if place not in self._recordings:
            self._met[place] += 1
            if self._met[place] <= AS_IT_IS:
                return work(x)
            if len(self._recordings) == MOST:
                self.forget()
            try:
                self._recordings[place] = self._recorded(work, x, reads)
            except RuntimeError:
                self._records = False
                self.forget()
                return work(x)
        return self._recordings[place].replay(x)

    def _recorded(self, work: Work, x: Tensor, reads: object) -> Recording:
        graph, given = torch.cuda.CUDAGraph(), x.detach().clone()
        # Only this thread must refrain from what a recording forbids: others may be loading pictures.
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            found = work(given)
        return Recording(reads, graph, given, found)
