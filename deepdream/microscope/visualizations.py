"""Feature visualisations of every channel of a layer, made in batches and kept in files, so that a run can resume."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Event

import torch
from torch import Tensor

from deepdream.claims import Claims
from deepdream.dreaming import DreamConfig, Dreamer, Objective, visualize
from deepdream.dreaming.terms import each_channel
from deepdream.files import atomic_path
from deepdream.hardware import best_device, cores
from deepdream.images import to_image
from deepdream.microscope.config import MicroscopeOptions
from deepdream.models import Layer, Network

GROUP = 16  # channels that are dreamed together; always the same ones, so that a resumed run writes equal files
QUALITY = 86  # of JPEGs
PHOTO_SHARE = 3  # a dream on a photo takes one of so many steps
PHOTO = "photo"  # the kind of file of the dream on a photo, beside "0", "1" ...
MOST_WORKERS = 4  # each with a copy of the network and the feature maps of a group

Photos = Callable[[list[int]], Tensor]
Job = tuple[list[int], str]  # the channels of a group, and the kind of files


class Visualizations:
    """The files folder/<layer>/<channel>-<kind>.jpg: `options.visualizations` from different seeds, one on a photo.

    On a CPU several groups are made at a time, each by one thread or a few: maps of a few pixels leave the threads of
    one operation waiting for one another, on a busy machine for most of the time.
    """

    def __init__(self, network: Network, folder: Path, options: MicroscopeOptions) -> None:
        self._folder = folder
        self.side = options.side or max(64, network.image_size // 2 // 16 * 16)
        self.config = DreamConfig.preset(
            options.preset,
            layers=[network.probe.layers[-1].name],
            steps=options.steps,
            width=self.side,
            jitter=max(2, self.side // 24),
            pad=max(2, self.side // 16),
        )
        self._photo_config = DreamConfig.preset(
            "visualize",
            layers=self.config.layers,
            steps=max(1, options.steps // PHOTO_SHARE),
            init="image",
            jitter=2,
            pad=4,
            rotate=0,
        )
        self.kinds = [*map(str, range(options.visualizations)), PHOTO]
        on_cpu = best_device(options.device).type == "cpu"
        self._workers = min(cores(), MOST_WORKERS) if on_cpu else 1
        self._threads = cores() // self._workers if on_cpu else torch.get_num_threads()
        self._dreamers = [
            Dreamer(network, self.config, device=options.device, precision=options.precision)
            for _ in range(self._workers)
        ]

    def path(self, layer: Layer, channel: int, kind: str) -> Path:
        """The file of one visualisation."""
        return self._folder / layer.name / f"{channel}-{kind}.jpg"

    def make(
        self,
        layer: Layer,
        photos: Photos,
        on_progress: Callable[[int], None] | None = None,
        *,
        start: float = 0.0,
    ) -> None:
        """Make those files of `layer` that are missing, and wait for those that other processes make.

        photos: the images (n, 3, side, side) in [0, 1] that the dreams of n channels start from; called by several
            threads. on_progress: called with the number of files there are so far. start: the share of the work after
            which this process begins.
        """
        groups = [list(range(layer.channels))[first : first + GROUP] for first in range(0, layer.channels, GROUP)]
        jobs = [(channels, kind) for channels in groups for kind in self.kinds]
        missing = [job for job in jobs if not self._is_made(layer, job)]
        idle: SimpleQueue[Dreamer] = SimpleQueue()
        for dreamer in self._dreamers[: len(missing)]:
            # A first call prepares the copy of the network: torch.fx cannot trace in two threads at a time.
            dreamer.with_objective(each_channel(layer.name, [0])).measure(torch.full((3, self.side, self.side), 0.5))
            idle.put(dreamer)

        def claimed(job: Job) -> Path:
            return self.path(layer, job[0][0], job[1])

        stopped, before = Event(), torch.get_num_threads()
        running: dict[Future[None], Job] = {}

        def finish_one() -> None:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                future.result()
                claims.release(claimed(running.pop(future)))
            if on_progress is not None:
                on_progress(sum(len(job[0]) for job in jobs if self._is_made(layer, job)))

        try:
            with (
                Claims() as claims,
                ThreadPoolExecutor(self._workers, initializer=partial(torch.set_num_threads, self._threads)) as pool,
            ):
                try:
                    for free in claims.rounds(missing, claimed, partial(self._is_made, layer), start=start):
                        for job in free:
                            running[pool.submit(self._make, idle, layer, *job, photos, stopped)] = job
                            if len(running) == self._workers:  # before another one is claimed
                                finish_one()
                        while running:
                            finish_one()
                except BaseException:
                    stopped.set()
                    pool.shutdown(cancel_futures=True)
                    raise
        finally:
            torch.set_num_threads(before)  # of this thread; the others have set what new ones begin with

    def _is_made(self, layer: Layer, job: Job) -> bool:
        channels, kind = job
        return all(self.path(layer, channel, kind).is_file() for channel in channels)

    def make_each(self, objective: Objective, paths: list[Path]) -> None:
        """Make the files of an objective with one goal for each, from seed 0, where one is missing."""
        if not all(path.is_file() for path in paths):
            _save(visualize(self._dreamers[0], objective, len(paths), self.side), paths)

    def _make(
        self,
        idle: SimpleQueue[Dreamer],
        layer: Layer,
        channels: list[int],
        kind: str,
        photos: Photos,
        stopped: Event,
    ) -> None:
        dreamer = idle.get()
        objective = each_channel(layer.name, channels)
        try:
            if kind == PHOTO:
                on_photo = dreamer.with_config(self._photo_config).with_objective(objective)
                images = on_photo(photos(channels), seed=0, on_step=lambda report: _check(stopped))
            else:
                images = visualize(
                    dreamer, objective, len(channels), self.side, seed=int(kind), on_step=lambda report: _check(stopped)
                )
        finally:
            idle.put(dreamer)
        _save(images, [self.path(layer, channel, kind) for channel in channels])


def _check(stopped: Event) -> None:
    """Raise where the run has been stopped, for example by Ctrl-C, which only the main thread notices."""
    if stopped.is_set():
        raise InterruptedError


def _save(images: Tensor, paths: list[Path]) -> None:
    for image, path in zip(images, paths, strict=True):
        with atomic_path(path) as partial:
            to_image(torch.nan_to_num(image)).save(partial, "JPEG", quality=QUALITY)
