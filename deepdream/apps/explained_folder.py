"""The images of a folder explained, each once: a panel, and the numbers from which the tables are made.

The numbers of an image appear last, with what they were computed from: a run folder that is given again continues with
the images that are not finished, and several processes can share one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdream import __version__, explaining, images, models
from deepdream.apps.command import describe
from deepdream.apps.explained import explain_one, mask_of
from deepdream.claims import Claims, clear_claims
from deepdream.console import progress_bar
from deepdream.explaining.config import ExplainAppConfig
from deepdream.files import modified, write_atomically
from deepdream.loggers import log_image, log_metrics, write_and_log_image
from deepdream.provenance import content

if TYPE_CHECKING:
    from deepdream.models import Network

PANELS, NUMBERS = "explanations", "numbers"  # in the run folder
NOT_COMPARED = ("ckpt", "image", "masks", "device", "logger", "tags")  # names of files, whose content is compared


@dataclass(frozen=True)
class MethodNumbers:
    """What a method says of an image, without its maps. mask_scores: of the user's own mask, where there is one."""

    method: str
    target: str
    against: str | None
    seconds: float
    scores: dict[str, float]
    mask_scores: dict[str, float]


@dataclass(frozen=True)
class ImageNumbers:
    """The row of an image in the tables. probability: of the prediction. other: the class to explain next."""

    name: str
    prediction: str
    probability: float
    confidence: float
    other: str
    methods: list[MethodNumbers]


@dataclass(frozen=True)
class _Images:
    """The images to explain, their paths by name, and where their results go."""

    config: ExplainAppConfig
    network: Network
    paths: dict[str, str]
    folder: Path

    def panel(self, name: str) -> Path:
        return self.folder / PANELS / f"{name}.png"

    def numbers(self, name: str) -> Path:
        return self.folder / NUMBERS / f"{name}.json"

    def source(self, name: str) -> dict[str, Any]:
        """All that the numbers of an image are computed from, as plain data."""
        settings = {key: value for key, value in asdict(self.config).items() if key not in NOT_COMPARED}
        masks = self.config.masks
        inputs = {"image": content(self.paths[name]), "mask": masks and content(str(mask_of(masks, name)))}
        record = {"config": settings, "inputs": inputs, "version": __version__}
        return dict(json.loads(json.dumps({**record, "network": self.network.digest or self.network.source})))

    def is_explained(self, name: str) -> bool:
        """Whether an earlier run has explained the same image with the same settings."""
        file = self.numbers(name)
        return file.is_file() and json.loads(file.read_bytes())["source"] == self.source(name)

    def read(self, name: str) -> ImageNumbers:
        record = json.loads(self.numbers(name).read_bytes())["numbers"]
        return ImageNumbers(**{**record, "methods": [MethodNumbers(**each) for each in record["methods"]]})


def explain_folder(
    config: ExplainAppConfig,
    network: Network,
    paths: dict[str, str],
    folder: Path,
    loggers: Sequence[Any],
    *,
    start: float = 0.0,
) -> list[ImageNumbers]:
    """Explain each image of `paths`, by its name; write its panel and its numbers into `folder`, and log them.

    Images that cannot be explained are skipped and printed; a single one is an error. Several processes with the same
    `folder` share the images (see `deepdream.claims`), and each of them returns the numbers of all.

    start: the share of the images after which this process begins.
    """
    found = _Images(config, network, paths, folder)
    for place in {found.panel(name).parent for name in paths}:
        place.mkdir(parents=True, exist_ok=True)
    before = {name: modified(found.numbers(name)) for name in paths}
    earlier = set(filter(found.is_explained, paths))
    if earlier:
        print(f"{len(earlier)} of {len(paths)} images are explained already, from the same files and settings")

    def is_made(name: str) -> bool:
        return modified(found.numbers(name)) != before[name]

    todo = [name for name in paths if name not in earlier]
    position = {name: number * len(config.methods) for number, name in enumerate(paths)}
    here: dict[str, None] = {}  # in order
    with progress_bar("explaining", total=len(paths) * len(config.methods)) as update, Claims() as claims:
        for free in claims.rounds(todo, found.numbers, is_made, start=start):
            for name in free:

                def on_method(method: str, name: str = name) -> None:
                    update(position[name] + config.methods.index(method), description=f"{name}: {method}")

                try:
                    _explain(found, name, loggers, len(here), on_method)
                    here[name] = None
                except (OSError, ValueError) as error:
                    if len(paths) == 1:
                        raise
                    print(f"skipped: {describe(error)}", file=sys.stderr)
                finally:
                    claims.release(found.numbers(name))
    for place in {found.numbers(name).parent for name in paths}:
        clear_claims(place)
    elsewhere = [name for name in todo if name not in here and is_made(name)]
    for step, name in enumerate(elsewhere, len(here)):
        log_image(loggers, f"{PANELS}/{name}", images.read_image(found.panel(name)))
        log_metrics(loggers, {f"{PANELS}/confidence": found.read(name).confidence}, step)
    if not (explained := earlier.union(here, elsewhere)):
        raise ValueError(f"none of the {len(paths)} images in {config.image} could be explained")
    return [found.read(name) for name in paths if name in explained]


def _explain(found: _Images, name: str, loggers: Sequence[Any], step: int, on_method: Callable[[str], object]) -> None:
    """Explain one image, write its panel, then its numbers, and print its line."""
    from deepdream.plots import rendered

    one = explain_one(found.config, found.network, name, found.paths[name], on_method)
    write_and_log_image(found.panel(name), loggers, f"{PANELS}/{name}", rendered(explaining.plot_panel(one)))
    log_metrics(loggers, {f"{PANELS}/confidence": one.confidence}, step)
    record = {"numbers": asdict(_numbers(one)), "source": found.source(name)}
    write_atomically(found.numbers(name), json.dumps(record, indent=1).encode())
    print(_line(one))


def _numbers(one: explaining.ExplainedImage) -> ImageNumbers:
    others = one.probabilities.clone()
    others[one.explanations[0].index] = -1
    methods = [
        MethodNumbers(
            each.method,
            each.target,
            each.against,
            each.seconds,
            each.scores,
            {} if one.mask is None else explaining.mask_scores(each.attribution, one.mask),
        )
        for each in one.explanations
    ]
    other = models.class_argument(one.classes, int(others.argmax()))
    return ImageNumbers(one.name, one.prediction, float(one.probabilities.max()), one.confidence, other, methods)


def _line(one: explaining.ExplainedImage) -> str:
    before = ""
    if one.before is not None:
        index = int(one.before.argmax())
        before = f"; before the dream {one.classes[index]} {float(one.before[index]):.0%}"
    share = float(one.probabilities.max())
    return f"{one.name}: {one.prediction} {share:.0%}, attribution-based confidence {one.confidence:.0%}{before}"
