"""explain: what `python explain.py` does for one image, as a call; and ExplanationPanel, its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from deepdream import __version__, explaining
from deepdream.apps.explained import explain_one
from deepdream.apps.inputs import images_below
from deepdream.hardware import best_device
from deepdream.interactive.given import GivenImages
from deepdream.interactive.networks import opened
from deepdream.interactive.settings import ExplainSettings, as_arguments, as_list, configuration
from deepdream.interactive.shown import Shown
from deepdream.plots import rendered
from deepdream.provenance import content

if TYPE_CHECKING:
    from deepdream.explaining import ExplainedImage
    from deepdream.interactive.given import Photo
    from deepdream.models import Network


class ExplanationPanel(Shown):
    """An explained image: `image` (the panel, PIL), `explained` (its numbers), `command`, `recipe`, `save(path)`.

    explained: the `deepdream.explaining.ExplainedImage`: prediction, probabilities, confidence, and in `explanations`
        the heatmap, the attribution and the scores of each method.
    """

    _app = "explain"

    def __init__(self, explained: ExplainedImage, recipe: dict[str, Any], arguments: list[str]) -> None:
        super().__init__(rendered(explaining.plot_panel(explained)), recipe, arguments)
        self.explained = explained


def explain(
    image: Photo,
    target: str | None = None,
    *,
    network: Network | str | Path | None = None,
    on_method: Callable[[str], object] | None = None,
    **settings: Unpack[ExplainSettings],
) -> ExplanationPanel:
    """The evidence for a prediction in an image, by several attribution methods, each with checks of its faithfulness.

        explain("photo.jpg", "library", methods=["gradcam", "lime"])

    image: a path, bathroom, bedroom, kitchen, china or flower; or a PIL image, an array or a tensor, as for `dream`.
    target: the class to attribute, by name or index; None is the predicted one.
    network: a `Network`, or what `load_network` takes; None is the bundled model. Its model moves to the device.
    on_method: called with the name of each method before it is computed.
    settings: the keys of conf/explain (lime_samples, superpixels ...), and methods, against, score, crop, seed, device
        and precision of conf/explain.yaml. methods may be a single name.

    Raises UnknownName, a ValueError, for another keyword, and what `deepdream.explaining.explain` raises.
    """
    values: dict[str, Any] = {**settings} if target is None else {"target": str(target), **settings}
    as_list(values, "methods")
    given = GivenImages(image=image)
    opened_network, ckpt = opened(network)
    config = configuration("explain", values, {**given.names, "ckpt": ckpt}, preset=None)
    if Path(config.image).is_dir():
        raise ValueError(f"image is {config.image}, a folder; `python -m deepdream explain image=FOLDER` explains it")
    opened_network.model.to(best_device(config.device))
    ((name, path),) = images_below(config.image).items()
    explained = explain_one(config, opened_network, name, path, on_method)
    arguments = [] if ckpt is None else [f"ckpt={ckpt}"]
    arguments += [f"image={config.image if given.has_file('image') else 'IMAGE'}", *as_arguments("explain", values)]
    of_run = ("logger", "tags", "ground_truth")
    recipe = {
        "explain": {key: value for key, value in asdict(config).items() if key not in of_run},
        "inputs": {"image": content(config.image)},
        "checkpoint": {"name": opened_network.source, "sha256": opened_network.digest},
        "version": __version__,
    }
    return ExplanationPanel(explained, recipe, arguments)
