"""Does attribution-based confidence predict errors better than what costs one pass? Judged on rooms.

Rooms of known classes are shown as they are, with growing corruption and in other colours; rooms of unknown classes are
those whose class the network lacks, or, where it lacks none, rooms without their objects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.stats import rankdata
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from deepdream.explaining.confidence import attribution_confidence
from deepdream.explaining.config import ExplainConfig
from deepdream.explaining.truth.bootstrap import Interval, Values, ends, resampled
from deepdream.models import Network
from deepdream.models.probing import evaluating
from deepdream.rooms import CLASSES, Room

FIRST_NUMBER = 3_000_000  # of the rooms; temperature scaling is fitted on those from twice this on
LEVELS = (0.0, 1.0, 2.0, 3.0)  # of corruption: noise and blur at once
FITTED = 4  # rooms of each class that the temperature is fitted on


@dataclass(frozen=True)
class Judged:
    """A confidence, judged. AUROC: the chance that a correct prediction has more confidence than a wrong one, or one of
    a known class than one of an unknown class; 0.5 is chance. risk: area under the error rate of the most confident
    share, over all shares (AURC); lower is better. curve: that error rate at the shares 0.1 to 1.
    """

    name: str
    error_auroc: float
    error_interval: Interval
    unknown_auroc: float
    unknown_interval: Interval
    risk: float
    risk_interval: Interval
    curve: list[float]


def judge_confidence(
    network: Network,
    *,
    images: int,
    config: ExplainConfig | None = None,
    resamples: int = 1000,
    seed: int = 0,
    on_step: Callable[[int, int, str], object] | None = None,
) -> list[Judged]:
    """Six confidences on `images` rooms, the best at predicting errors first; intervals are 95 % bootstrap over images.

    Raises ValueError for a network that knows no class of rooms.
    """
    known = [label for label in CLASSES if label in network.classes]
    if not known:
        raise ValueError(f"{network.source} knows no class of rooms; its confidence cannot be judged on them")
    temperature = _temperature(network, known)
    values: list[list[float]] = []
    is_correct, is_known = [], []
    for number in range(images):
        if on_step is not None:
            on_step(number, images, "confidence")
        image, label = _image(network, known, number, seed)
        logits = _logits(network, image)
        values.append(
            [*_one_pass(logits, temperature), _flipped(network, image),
             attribution_confidence(network, image, config=config, precision="fp32", seed=seed)]
        )  # fmt: skip
        is_known.append(label is not None)
        is_correct.append(label is not None and network.classes[int(logits.argmax())] == label)
    table, samples = np.array(values), resampled(images, resamples, seed=seed)
    judged = [
        _judged(name, table[:, i], np.array(is_correct), np.array(is_known), samples) for i, name in enumerate(NAMES)
    ]
    return sorted(judged, key=lambda each: -each.error_auroc)


NAMES = ("softmax", "entropy", "margin", "temperature scaling", "flip TTA", "attribution-based")


def _image(network: Network, known: list[str], number: int, seed: int) -> tuple[Tensor, str | None]:
    """The images take turns: four levels of corruption, one in other colours, one of an unknown class."""
    kind, place = number % 6, number // 6
    size = network.image_size
    if kind == 5:
        others = [label for label in CLASSES if label not in network.classes]
        room = Room((others or known)[place % len(others or known)], FIRST_NUMBER + place, size=size)
        return _tensor(room.image(without=[] if others else room.objects)), None
    label = known[place % len(known)]
    image = _tensor(Room(label, FIRST_NUMBER + place, size=size).image())
    if kind == 4:
        return image.roll(1, dims=0), label  # red is green, green blue, blue red
    level = LEVELS[kind]
    if level:
        image = gaussian_blur(image, [9, 9], [0.4 * level * size / 96] * 2)
        noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed * 1_000_003 + number))
        image = (image + 0.06 * level * noise).clamp(0, 1)
    return image, label


def _temperature(network: Network, known: list[str]) -> float:
    """That of the least cross-entropy on rooms of their own (Guo et al. 2017)."""
    rooms = [(label, 2 * FIRST_NUMBER + place) for label in known for place in range(FITTED)]
    logits = torch.cat(
        [_logits(network, _tensor(Room(*room, size=network.image_size).image()))[None] for room in rooms]
    )
    labels = torch.tensor([network.classes.index(label) for label, _ in rooms])

    def loss(power: float) -> float:
        return float(torch.nn.functional.cross_entropy(logits / 10**power, labels))

    return float(10 ** minimize_scalar(loss, bounds=(-1, 1), method="bounded").x)


def _one_pass(logits: Tensor, temperature: float) -> list[float]:
    probabilities = logits.softmax(dim=0)
    first, second = probabilities.topk(2).values
    entropy = -(probabilities * probabilities.clamp(min=1e-30).log()).sum()
    return [float(first), -float(entropy), float(first - second), float((logits / temperature).softmax(dim=0).max())]


def _flipped(network: Network, image: Tensor) -> float:
    """The probability of the prediction, averaged with that for the mirror image."""
    one, two = (_logits(network, each).softmax(dim=0) for each in (image, image.flip(2)))
    return float((one + two)[one.argmax()] / 2)


@torch.no_grad()
def _logits(network: Network, image: Tensor) -> Tensor:
    """Float64 (classes,), on the CPU."""
    with evaluating(network.model):
        logits: Tensor = network.model(network.model_input(image))[0]
    return logits.double().cpu()


def _judged(name: str, confidence: Values, correct: Any, known: Any, samples: Any) -> Judged:
    def errors(sample: Any) -> float:
        chosen = sample[known[sample]]
        return auroc(confidence[chosen], correct[chosen])

    def unknowns(sample: Any) -> float:
        return auroc(confidence[sample], known[sample])

    def risk(sample: Any) -> float:
        return float(risk_coverage(confidence[sample], correct[sample]).mean())

    everything = np.arange(len(confidence))
    intervals = [ends(np.array([statistic(sample) for sample in samples])) for statistic in (errors, unknowns, risk)]
    curve = risk_coverage(confidence, correct)
    places = (np.arange(0.1, 1.05, 0.1) * len(curve)).round().astype(int) - 1
    return Judged(
        name, errors(everything), intervals[0], unknowns(everything), intervals[1], risk(everything), intervals[2],
        curve[places.clip(0)].tolist(),
    )  # fmt: skip


def auroc(values: Values, positive: Any) -> float:
    """The chance that a positive has the larger value, ties half; NaN where all are of one kind."""
    count = int(positive.sum())
    if not 0 < count < len(values):
        return float("nan")
    ranks = rankdata(values)[positive].sum() - count * (count + 1) / 2
    return float(ranks / (count * (len(values) - count)))


def risk_coverage(confidence: Values, correct: Any) -> Values:
    """The error rate of the k most confident, for k = 1 to N (Geifman & El-Yaniv 2017); those that tie share theirs."""
    order = np.argsort(-confidence, kind="stable")
    tied = np.unique(-confidence[order], return_inverse=True)[1]
    rates = np.bincount(tied, ~correct[order]) / np.bincount(tied)
    risks: Values = np.cumsum(rates[tied]) / np.arange(1, len(order) + 1)
    return risks


def _tensor(image: Any) -> Tensor:
    """(H, W, 3) uint8 -> float32 (3, H, W) in [0, 1]."""
    return torch.from_numpy(image.copy()).permute(2, 0, 1).float() / 255
