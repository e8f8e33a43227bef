"""What a film costs beyond its dreams: `python benchmarks/films.py [--quick]`.

A frame of a film (made, written as PNG and encoded; of a video with its optical flow) against a single dream of
the same size and settings, of the bundled model with the preset gordic. They take turns, a film and as many dreams.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from statistics import median

from deepdream.hardware import best_device, let_pages_be_large, let_threads_sleep

let_threads_sleep()  # as the commands do
let_pages_be_large()

import torch
from measuring import now
from sklearn.datasets import load_sample_image

from deepdream.dreaming import DreamConfig, Dreamer, films, write_film
from deepdream.models import load_network
from deepdream.provenance import write_png
from deepdream.schema import compose

WIDTH, HEIGHT = 320, 214


def film(make: films.MakeFrame, numbers: Iterable[int]) -> float:
    """Seconds that a film of these frames takes, from the first dream to the file."""
    with tempfile.TemporaryDirectory() as folder:
        start = now()
        paths = list(films.write_frames(make, numbers, Path(folder), lambda image, path: write_png(image, path)))
        times = [Fraction(number, 15) for number in range(len(paths) + 1)]
        write_film(paths, Path(folder) / "film.mp4", times=times)
        return now() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="films of 3 frames, one of each; about a minute")
    count, repetitions = (3, 1) if parser.parse_args().quick else (8, 3)
    photo = torch.from_numpy(load_sample_image("china.jpg").copy()).permute(2, 0, 1).to(best_device()) / 255
    clip = [photo[:, 20:, 2 * number :][:, :HEIGHT, :WIDTH] for number in range(count)]  # the camera moves to the right
    network = load_network("box")

    def dreamer(*layers: str) -> Dreamer:
        return Dreamer(network, DreamConfig.preset("gordic", layers=list(layers)))

    def video() -> tuple[films.MakeFrame, Iterable[int]]:
        footage = films.Footage(clip)
        return films.video(dreamer("layer3"), footage, compose("dream", ["film=video"]).film, seed=0), footage

    def of_photo(make: Callable[..., films.MakeFrame], *layers: str) -> tuple[films.MakeFrame, Iterable[int]]:
        settings = compose("dream", [f"film={make.__name__}", f"film.frames={count}"]).film
        return make(dreamer(*layers), clip[0], settings, seed=0), range(count)

    kinds = {
        "video": video,
        "zoom": lambda: of_photo(films.zoom, "layer3"),
        "morph": lambda: of_photo(films.morph, "layer2", "layer3"),
    }
    alone = dreamer("layer3")
    both = dreamer("layer2", "layer3")

    def dreams(of: Dreamer) -> float:
        start = now()
        for number, frame in enumerate(clip):
            of(frame, seed=number)
        return now() - start

    ratios: dict[str, list[float]] = {kind: [] for kind in kinds}
    dreams(alone), dreams(both)  # prepares the kernels
    for _ in range(repetitions):
        for kind, begin in kinds.items():
            make, numbers = begin()
            filmed, dreamed = film(make, numbers), dreams(both if kind == "morph" else alone)
            ratios[kind].append(filmed / dreamed)
            print(f"{kind:6} {count / filmed:5.2f} frames/s, {count / dreamed:5.2f} dreams/s")
    results = {f"{kind}_frame_vs_dream": round(median(each), 2) for kind, each in ratios.items()}
    for name, ratio in results.items():
        print(f"{name:20} {ratio:5.2f}x")
    print(json.dumps(results))


if __name__ == "__main__":
    main()
