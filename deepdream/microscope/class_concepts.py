"""The concepts of each class as its page shows them: crops, importance and dream; kept class by class."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from deepdream.claims import Claims
from deepdream.files import write_atomically
from deepdream.microscope.concepts import Concepts, concept_importance, crop_corners, find_concepts
from deepdream.microscope.image_set import batches
from deepdream.microscope.site_data import Microscope, Record, short
from deepdream.microscope.visualizations import Visualizations

FEWEST = 8  # images that are predicted as a class; one with fewer has no concepts
MOST = 40  # images that are taken apart, evenly spread
MEASURED = 10  # of them, over which the importance is averaged
CROPS = 9  # shown of each concept
CROP_SHARE = 3  # the side of an image is that of so many crops, as `find_concepts` has it


def classes_with_concepts(microscope: Microscope) -> dict[int, list[int]]:
    """The images with a page, by their numbers, of each class that is predicted for at least FEWEST of them."""
    predicted = microscope.evidence.top[:, 0]
    found = {}
    for number in np.unique(predicted).tolist():
        rows = np.flatnonzero(predicted == number)
        if len(rows) >= FEWEST:
            found[number] = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST)).round().astype(int)].tolist()
    return found


def class_concepts(
    microscope: Microscope,
    count: int,
    *,
    state: Path,
    folder: Path,
    visualizations: Visualizations | None,
    start: float = 0.0,
    on_class: Callable[[int], object] | None = None,
) -> dict[int, list[Record]]:
    """The records of the `count` concepts of each class, most important first, in the deepest layer of the microscope.

    state: the folder that keeps those of each class for a later run. folder: of the microscope; the dreams go to
    folder/visualizations/concepts. visualizations: make the dreams; None makes none. start: the share of the classes
    after which this process begins. on_class: called with the number of classes done so far. Raises ValueError for a
    layer that is not behind a ReLU, or of tokens.
    """
    chosen = classes_with_concepts(microscope)
    files = {number: state / f"{number}.json" for number in chosen}

    def is_made(number: int) -> bool:
        return files[number].is_file()

    with Claims() as claims:
        for free in claims.rounds(list(chosen), files.__getitem__, is_made, start=start):
            for number in free:
                records = _records(microscope, number, chosen[number], count, folder, visualizations)
                write_atomically(files[number], json.dumps(records).encode())
                claims.release(files[number])
                if on_class is not None:
                    on_class(sum(map(is_made, chosen)))
    return {number: json.loads(file.read_bytes()) for number, file in files.items()}


def _records(
    microscope: Microscope,
    number: int,
    rows: list[int],
    count: int,
    folder: Path,
    visualizations: Visualizations | None,
) -> list[Record]:
    network, layer = microscope.network, microscope.layers[-1]
    images = _images(microscope, rows)
    side = network.image_size // CROP_SHARE
    concepts = find_concepts(network, layer.name, images, count=count, crop_side=side)
    measured = torch.linspace(0, len(images) - 1, min(len(images), MEASURED)).round().long()
    importance = concept_importance(network, concepts, images[measured], number)
    order = np.argsort(-importance, kind="stable")
    dreams = [folder / "visualizations" / "concepts" / f"{number}-{place}.jpg" for place in range(len(order))]
    if visualizations is not None:
        directions = Concepts(concepts.layer, concepts.directions[order], concepts.amounts[:, order])
        visualizations.make_each(directions.each_objective(), dreams)
    return [
        {
            "title": f"Concept {place + 1}",
            "importance": short(importance[concept]),
            "layer": layer.name,
            "images": _crops(concepts, int(concept), rows, network.image_size, side),
            "dream": dream.relative_to(folder).as_posix() if visualizations is not None else None,
        }
        for place, (concept, dream) in enumerate(zip(order, dreams, strict=True))
    ]


def _crops(concepts: Concepts, concept: int, rows: list[int], size: int, side: int) -> list[list[float]]:
    """[image, x and y of the centre, side] of the crops with most of a concept, of each image at most one."""
    corners = crop_corners(size, side)
    amounts = concepts.amounts[:, concept].reshape(len(rows), len(corners))
    best = np.argsort(-amounts.max(axis=1), kind="stable")[:CROPS]
    found = []
    for image in best.tolist():
        top, left = corners[int(amounts[image].argmax())]
        found.append([rows[image], *(short((at + side / 2) / size) for at in (left, top)), short(side / size)])
    return found


def _images(microscope: Microscope, rows: list[int]) -> Tensor:
    """Images with a page as the network sees them: (N, 3, S, S) in [0, 1]."""
    chosen = microscope.images.take(rows)
    return torch.cat([batch.images for batch in batches(chosen, microscope.network, batch_size=16, workers=0)]) / 255
