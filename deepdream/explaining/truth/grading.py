"""ground_truth: explanation methods, graded by what the objects of synthetic rooms truly do to a prediction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from deepdream.explaining.config import ExplainConfig, GroundTruthConfig
from deepdream.explaining.context import fewer_samples
from deepdream.explaining.truth.config import MEASURES
from deepdream.explaining.truth.effects import Effects, measure_effects
from deepdream.explaining.truth.measures import Map, change, shares
from deepdream.explaining.truth.methods import REFERENCES, Graded, Heatmap, methods_to_grade, reference
from deepdream.explaining.truth.results import GroundTruth, Record, graded
from deepdream.models import Network
from deepdream.rooms import CLASSES, Room

FIRST_NUMBER = 2_000_000  # of the rooms: no training or test image has such a number
PICTURED = 6  # rooms whose maps are kept for pictures


def ground_truth(
    network: Network,
    methods: Sequence[str] | Mapping[str, Heatmap] | None = None,
    *,
    config: GroundTruthConfig | None = None,
    explain_config: ExplainConfig | None = None,
    seed: int = 0,
    on_step: Callable[[int, int, str], object] | None = None,
) -> GroundTruth:
    """Grade explanation methods by the true effects of the objects of rooms that the network has never seen.

    methods: names of METHODS, or functions (model, image, target) -> heatmap by a name of your choice: image is
        (1, 3, H, W) as the model takes it, the heatmap (h, w), larger where there is more evidence for the class with
        index `target`. None is `config.methods`, or all.
    config: None is conf/ground_truth/default.yaml. explain_config: settings of our own methods; config.sample_share of
        their samples is taken. on_step(done, total, description) is called before each method of each room.

    The rooms are of the classes that the network knows, of all twelve if it knows none. The same arguments give the
    same numbers, apart from the seconds. Raises ValueError for an unknown method, class or shortcut.
    """
    config = config or GroundTruthConfig.preset()
    settings = fewer_samples(explain_config or ExplainConfig.preset(), config.sample_share)
    chosen = methods_to_grade(config.methods if methods is None else methods, config.others)
    repeated = np.linspace(0, config.images - 1, min(config.repeated_images, config.images)).round().astype(int)
    records: dict[str, list[Record]] = {name: [] for name in (*chosen, *REFERENCES)}
    rooms: list[Effects] = []
    pictured: list[dict[str, Map]] = []
    for number in range(config.images):
        effects = measure_effects(network, _room(network, number, config.shortcut), target=config.target)
        maps: dict[str, Map] = {}
        for name, method in chosen.items():
            if on_step is not None:
                on_step(number * len(chosen) + len(maps), config.images * len(chosen), f"{effects.label}: {name}")
            maps[name], seconds = method.attribute(network, effects.image, effects.target, settings, seed)
            changes = None
            if number in repeated:
                changes = _changes(method, maps[name], network, effects, settings, seed)
            records[name].append(_record(maps[name], effects, seconds, changes))
        for name in REFERENCES:
            maps[name] = reference(name, effects, seed=seed + number)
            records[name].append(_record(maps[name], effects, 0.0, None))
        rooms.append(effects)
        pictured += [maps] if number < PICTURED else []
    grades, skills = graded(records, chosen, rooms, resamples=config.resamples, seed=seed)
    return GroundTruth(network.source, network.classes, grades, rooms, pictured, skills)


def _room(network: Network, number: int, shortcut: str | None) -> Room:
    """The classes take turns."""
    labels = [label for label in CLASSES if label in network.classes] or list(CLASSES)
    place, turn = divmod(number, len(labels))
    return Room(labels[turn], FIRST_NUMBER + place, size=network.image_size, shortcut=shortcut)


def _record(values: Map, effects: Effects, seconds: float, changes: tuple[float, float] | None) -> Record:
    scores = np.array([MEASURES[name](values, effects) for name in MEASURES], np.float64)
    return Record(scores, shares(values, effects), seconds, changes)


def _changes(
    method: Graded, before: Map, network: Network, effects: Effects, settings: ExplainConfig, seed: int
) -> tuple[float, float]:
    """The change of a map with other sensor noise and with walls of other colours."""
    noise, walls = (
        change(before, method.attribute(network, image, effects.target, settings, seed)[0])
        for image in (effects.noisy, effects.other_walls)
    )
    return noise, walls
