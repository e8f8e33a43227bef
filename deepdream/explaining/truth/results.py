"""The grades of methods: means over rooms, bootstrap intervals, skill, and advice which method to trust."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

from deepdream.explaining.truth.bootstrap import Interval, Values, ends, mean_interval, resampled, sampled_means
from deepdream.explaining.truth.config import MEASURES
from deepdream.explaining.truth.effects import Effects
from deepdream.explaining.truth.measures import Map
from deepdream.explaining.truth.methods import CONSTANT, ORACLE, REFERENCES, Graded
from deepdream.rooms import SHORTCUT


@dataclass(frozen=True)
class Record:
    """What is kept of one method on one room.

    scores: of each of MEASURES. shares: of the evidence, by object. changes: with other sensor noise and other walls;
    None where they were not measured.
    """

    scores: Values
    shares: Values
    seconds: float
    changes: tuple[float, float] | None = None


@dataclass(frozen=True)
class Grade:
    """A method's means over the rooms, with 95 % bootstrap intervals.

    values, intervals: of each of MEASURES and of pooled_correlation: Spearman's over all objects of all rooms.
    skill: the mean over the graded measures of (value - constant map) / (oracle - constant map): 1 is the oracle, 0 a
    map that knows nothing. noise_change, wall_change: the share of the evidence that moves with other sensor noise and
    with walls of other colours, in [0, 1]. shortcut_share: of the evidence, on a planted shortcut. seconds: for a room.
    """

    method: str
    title: str
    cost: str
    values: dict[str, float]
    intervals: dict[str, Interval]
    skill: float
    skill_interval: Interval
    noise_change: float
    wall_change: float
    shortcut_share: float
    seconds: float


@dataclass(frozen=True)
class GroundTruth:
    """Grades, the best method first and references last; the rooms with their true effects.

    maps: of the first rooms, for pictures. skills: of each method on each bootstrap sample, (resamples,).
    """

    source: str
    classes: Sequence[str]
    grades: list[Grade]
    rooms: list[Effects]
    maps: list[dict[str, Map]]
    skills: dict[str, Values]

    def __getitem__(self, method: str) -> Grade:
        return next(grade for grade in self.grades if grade.method == method)

    @property
    def methods(self) -> list[Grade]:
        """The grades without those of oracle, constant and random map."""
        return [grade for grade in self.grades if grade.method not in REFERENCES]

    @property
    def accuracy(self) -> float:
        """The share of the rooms whose class the network predicts."""
        return float(np.mean([self.classes[room.predicted] == room.label for room in self.rooms]))

    def equals(self, one: str, other: str) -> bool:
        """Whether the interval of the paired difference of two skills includes 0."""
        low, high = ends(self.skills[one] - self.skills[other])
        return low <= 0 <= high

    def shortcut(self) -> list[str]:
        """How far a planted shortcut moves the logit, and which methods show it; a line each, none without shortcut."""
        places = [(room, room.objects.index(SHORTCUT)) for room in self.rooms if SHORTCUT in room.objects]
        if not places:
            return []
        effect = float(np.mean([room.logit[place] for room, place in places]))
        share = np.mean(
            [np.maximum(room.true[place], 0) / (np.maximum(room.true, 0).sum() or 1) for room, place in places]
        )
        found = sorted(self.methods, key=lambda grade: -grade.shortcut_share)
        evidence = ", ".join(f"{grade.title} {grade.shortcut_share:.0%}" for grade in found)
        return [
            f"planted shortcut: true effect on the logit {effect:+.2f}, {share:.0%} of all positive effects; "
            f"it covers {self[CONSTANT].shortcut_share:.1%} of the image",
            f"its share of the evidence: {evidence}",
        ]

    def advice(self) -> list[str]:
        """Which method to trust for this network, by these numbers; a line each."""
        best = self.methods[0]
        if best.skill_interval[0] <= 0:
            return ["trust none: no method is better than a map that knows nothing"]
        better_than_chance = [grade for grade in self.methods[1:] if grade.skill_interval[0] > 0]
        peers = [grade for grade in better_than_chance if self.equals(best.method, grade.method)]
        lines = [
            f"trust {best.title}: skill {best.skill:.2f} {_span(best.skill_interval)}, 0 is chance and 1 the truth"
        ]
        if peers:
            lines.append(f"no worse within the interval: {', '.join(grade.title for grade in peers)}")
            cheapest = min([best, *peers], key=lambda grade: grade.seconds)
            if cheapest.seconds < 0.5 * best.seconds:
                lines.append(f"as good in {cheapest.seconds / best.seconds:.0%} of the time: {cheapest.title}")
        useless = [grade.title for grade in self.methods if grade.skill_interval[0] <= 0]
        if useless:
            lines.append(f"not better than chance: {', '.join(useless)}")
        return lines

    def as_json(self) -> dict[str, Any]:
        """Plain values: the grades, and the mean true effect of each object in each class of rooms."""
        return {
            "source": self.source,
            "rooms": len(self.rooms),
            "accuracy": self.accuracy,
            "noise_floor": float(np.mean([room.floor for room in self.rooms])),
            "grades": [plain(vars(grade)) for grade in self.grades],
            "effects": mean_effects(self.rooms),
            "interactions": mean_interactions(self.rooms),
        }


def mean_effects(rooms: Sequence[Effects]) -> dict[str, dict[str, dict[str, float]]]:
    """By class of rooms and object: mean effect on the logit and the probability, of its replacement, and rooms."""
    found: dict[str, dict[str, list[tuple[float, float, float]]]] = {}
    for room in rooms:
        for name, *values in zip(room.objects, room.logit, room.probability, room.replaced, strict=True):
            found.setdefault(room.label, {}).setdefault(name, []).append(tuple(map(float, values)))  # type: ignore[arg-type]
    return {
        label: {
            name: {**dict(zip(("logit", "probability", "replaced"), np.mean(values, 0).tolist(), strict=True)),
                   "rooms": len(values)}
            for name, values in sorted(objects.items(), key=lambda each: -abs(np.mean([v[0] for v in each[1]])))
        }
        for label, objects in sorted(found.items())
    }  # fmt: skip


def mean_interactions(rooms: Sequence[Effects]) -> dict[str, dict[str, float]]:
    """By class of rooms and pair of objects ("bed, rug"): the mean effect of both beyond the sum of their effects."""
    found: dict[str, dict[str, list[float]]] = {}
    for room in rooms:
        for pair, value in room.interactions.items():
            found.setdefault(room.label, {}).setdefault(", ".join(pair), []).append(value)
    return {
        label: {pair: float(np.mean(values)) for pair, values in pairs.items()}
        for label, pairs in sorted(found.items())
    }


def graded(
    records: Mapping[str, Sequence[Record]],
    methods: Mapping[str, Graded],
    rooms: Sequence[Effects],
    *,
    resamples: int,
    seed: int,
) -> tuple[list[Grade], dict[str, Values]]:
    """The grades of all methods and references, the best first, and their skills on each bootstrap sample."""
    samples = resampled(len(rooms), resamples, seed=seed)
    scores = {name: np.stack([record.scores for record in each]) for name, each in records.items()}
    everything = np.arange(len(rooms))[None]
    skill = {name: float(value[0]) for name, value in _skills(scores, everything).items()}
    skills = _skills(scores, samples)
    grades = []
    for name, each in records.items():
        values = dict(zip(MEASURES, sampled_means(scores[name], everything)[0].tolist(), strict=True))
        intervals = {measure: mean_interval(scores[name][:, i], samples) for i, measure in enumerate(MEASURES)}
        pooled = _pooled(each, rooms)
        values["pooled_correlation"] = pooled(everything[0])
        intervals["pooled_correlation"] = ends(np.array([pooled(sample) for sample in samples]))
        changes = np.array([record.changes for record in each if record.changes is not None]).reshape(-1, 2)
        noise_change, wall_change = changes.mean(axis=0).tolist() if len(changes) else (np.nan, np.nan)
        method = methods.get(name)
        grades.append(
            Grade(
                name,
                method.title if method else name,
                method.cost if method else "",
                values,
                intervals,
                skill[name],
                ends(skills[name]),
                noise_change,
                wall_change,
                _shortcut_share(each, rooms),
                float(np.mean([record.seconds for record in each])),
            )
        )
    return sorted(grades, key=lambda grade: (grade.method in REFERENCES, -grade.skill)), skills


def _skills(scores: Mapping[str, Values], samples: Any) -> dict[str, Values]:
    """The skill of each method on each sample of rooms, (resamples,)."""
    used = [i for i, name in enumerate(MEASURES) if MEASURES.details(name).is_graded]
    means = {name: sampled_means(values, samples)[:, used] for name, values in scores.items()}
    room = means[ORACLE] - means[CONSTANT]
    with np.errstate(invalid="ignore", divide="ignore"):
        return {name: np.nanmean((each - means[CONSTANT]) / room, axis=1) for name, each in means.items()}


def _pooled(records: Sequence[Record], rooms: Sequence[Effects]) -> Any:
    """Spearman's correlation of shares and effects over all objects of a sample of rooms, as a function of it.

    All are ranked once, so that a sample only weights them.
    """
    counts = [len(room.objects) - 1 for room in rooms]
    share = rankdata(np.concatenate([record.shares[:-1] for record in records]))
    effect = rankdata(np.concatenate([room.true[:-1] for room in rooms]))
    of_room = np.repeat(np.arange(len(rooms)), counts)
    share, effect = share - share.mean(), effect - effect.mean()

    def correlation(sample: Any) -> float:
        weights = np.bincount(sample, minlength=len(rooms))[of_room].astype(np.float64)
        x, y = share - np.average(share, weights=weights), effect - np.average(effect, weights=weights)
        scale = np.sqrt((weights * x * x).sum() * (weights * y * y).sum())
        return float((weights * x * y).sum() / scale) if scale > 0 else 0.0

    return correlation


def _shortcut_share(records: Sequence[Record], rooms: Sequence[Effects]) -> float:
    found = [
        record.shares[room.objects.index(SHORTCUT)]
        for record, room in zip(records, rooms, strict=True)
        if SHORTCUT in room.objects
    ]
    return float(np.mean(found)) if found else np.nan


def plain(value: Any) -> Any:
    """With None for NaN, which JSON lacks."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def _span(limits: Interval) -> str:
    return f"({limits[0]:.2f} to {limits[1]:.2f})"
