"""What the computing process does for the page Understand: the prediction and, method by method, its evidence."""

from __future__ import annotations

import copy
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdream import explaining, images
from deepdream.explaining.config import CHECKS, METHODS, cheap_checks
from deepdream.hardware import best_device

if TYPE_CHECKING:
    from PIL import Image

    from deepdream.models import Network
    from deepdream.studio.computing import Task

TOP = 5  # predictions
SHOWN_SIDE = 720  # pixels of the longer side of what the page shows
QUALITY = 88  # of its JPEGs
LONGEST = 6  # times its shorter side: the whole of a longer photo is not explained


@dataclass(frozen=True)
class View:
    """What is explained: a photo as a network sees it, and the class that is attributed.

    before: for a dream, the photo that it was made from. crop: the square centre, as in an evaluation. target, against:
    names or indices of classes; None: the prediction, and no contrast.
    """

    ckpt: str
    photo: Path
    before: Path | None = None
    crop: bool = True
    target: str | None = None
    against: str | None = None
    device: str = "auto"
    precision: str = "auto"


@dataclass(frozen=True)
class Share:
    """The probability of a class; of a dream, also that in the photo before it."""

    name: str
    share: float
    before: float | None


@dataclass(frozen=True)
class Predicted:
    """The top-5 predictions, most probable first.

    jpeg: what the network sees. size: of it, width x height. classes: all, to choose a target of. top_before: the most
    probable class of the photo before the dream.
    """

    jpeg: bytes
    size: tuple[int, int]
    top: tuple[Share, ...]
    top_before: Share | None
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Score:
    """The value of a check of a map. hint: which values are better."""

    label: str
    arrow: str
    value: float
    hint: str


@dataclass(frozen=True)
class EvidenceMap:
    """The evidence according to one method. jpeg: the map over the photo in grey. evidence: for which class."""

    method: str
    evidence: str
    jpeg: bytes
    scores: tuple[Score, ...]
    seconds: float


@dataclass(frozen=True)
class Confidence:
    """The attribution-based confidence, in [0, 1]."""

    share: float


def explain(task: Task, view: View, methods: Sequence[str], with_prediction: bool, with_confidence: bool) -> bool:
    """Job: report the Predicted, an EvidenceMap for each method, and the Confidence, as they are known; then True."""
    network = own_copy(task, view)
    photo = images.read_image(view.photo)
    shown, network_image = seen_by(network, photo, view.crop)
    if with_prediction:
        before = None if view.before is None else images.read_image(view.before)
        task.report(_predicted(network, network_image, shown, before, view.crop))
    for method in methods:
        (found,) = explaining.explain(
            network,
            network_image,
            [method],
            view.target,
            against=view.against,
            checks=cheap_checks(),
            precision=view.precision,
        )
        jpeg = jpeg_of(explaining.overlay(shown, found.heatmap))
        scores = tuple(_score(name, value) for name, value in found.scores.items())
        task.report(EvidenceMap(method, found.question, jpeg, scores, found.seconds))
    if with_confidence:
        share = explaining.attribution_confidence(network, network_image, precision=view.precision)
        task.report(Confidence(share))
    return True


class GiveWay:
    """A forward pre-hook that lets other jobs compute, and ends a job that was stopped; copies of the network share it.

    Methods run the network hundreds of times between two places where they could be asked.
    """

    def __init__(self, task: Task) -> None:
        self._task = task

    def __call__(self, module: object, inputs: object) -> None:
        """Before each forward pass."""
        self._task.give_way()

    def __deepcopy__(self, memo: dict[int, Any]) -> GiveWay:
        return self


def own_copy(task: Task, view: View) -> Network:
    """A copy of the network for this job alone, which gives way before each forward pass."""
    shared = task.network(view.ckpt)
    model = copy.deepcopy(shared.model).to(best_device(view.device))
    own = replace(shared, model=model)
    own.__dict__["probe"] = shared.probe  # measured once; the copy has the same layers
    model.register_forward_pre_hook(GiveWay(task))
    return own


def seen_by(network: Network, photo: Image.Image, crop: bool) -> tuple[Image.Image, Any]:
    """What the network sees of a photo: for the page, and as its input (3, H, W).

    Raises ValueError for a photo that is too long to be explained as a whole.
    """
    if not crop and max(photo.size) > LONGEST * min(photo.size):
        raise ValueError(f"the photo is {photo.width}x{photo.height}; choose its square centre, the whole is too long")
    shown = (network.cropped(photo) if crop else photo).convert("RGB")
    scale = min(SHOWN_SIDE / max(shown.size), max(1.0, SHOWN_SIDE / 2 / max(shown.size)))
    shown = shown.resize((max(1, round(shown.width * scale)), max(1, round(shown.height * scale))))
    return shown, network.preprocess(photo, crop=crop)


def jpeg_of(image: Image.Image) -> bytes:
    """The image as the page shows it."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _predicted(
    network: Network, network_image: Any, shown: Image.Image, before: Image.Image | None, crop: bool
) -> Predicted:
    shares = network.predict(network_image)
    shares_before = None if before is None else network.predict(network.preprocess(before, crop=crop))

    def share(index: int) -> Share:
        was = None if shares_before is None else float(shares_before[index])
        return Share(network.class_name(index), float(shares[index]), was)

    top = [share(int(index)) for index in shares.argsort(descending=True)[:TOP]]
    top_before = None if shares_before is None else share(int(shares_before.argmax()))
    return Predicted(jpeg_of(shown), shown.size, tuple(top), top_before, tuple(_names_to_choose(network)))


def _names_to_choose(network: Network) -> list[str]:
    from deepdream.models import class_argument

    names = network.classes
    if not network.has_class_names:
        return [str(index) for index in range(len(names))]
    if len(set(names)) == len(names):
        return names
    return [class_argument(names, index) for index in range(len(names))]


def _score(name: str, value: float) -> Score:
    check = CHECKS.details(name)
    return Score(check.label, check.arrow, value, f"{check.label}: {check.best} values are better")


def method_choices() -> list[tuple[str, str]]:
    """Titles and names of all methods, for the page; without torch."""
    return [(METHODS.details(name).title, name) for name in METHODS]
