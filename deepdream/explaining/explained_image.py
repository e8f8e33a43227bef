"""One image explained: the prediction, its confidence, and the evidence for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image
from torch import Tensor

from deepdream.explaining.confidence import attribution_confidence
from deepdream.explaining.config import ExplainConfig, cheap_checks
from deepdream.explaining.explanation import Explanation, explain
from deepdream.explaining.masks import network_mask
from deepdream.models import Network


@dataclass(frozen=True)
class ExplainedImage:
    """The content of a panel.

    image: the part of the image that the network gets, at the image's own resolution.
    probabilities: float32 (classes,). confidence: attribution-based, in [0, 1]; see `attribution_confidence`.
    before: for a dream, the probabilities of the image that it was made from.
    mask: bool (H, W), the user's own, as the network sees it.
    """

    name: str
    image: Image.Image
    classes: Sequence[str]
    probabilities: Tensor
    confidence: float
    explanations: list[Explanation]
    before: Tensor | None = None
    mask: Tensor | None = None

    @property
    def prediction(self) -> str:
        """The most probable class."""
        return self.classes[int(self.probabilities.argmax())]


def explain_image(
    network: Network,
    image: Image.Image,
    *,
    name: str,
    methods: Sequence[str],
    target: str | int | None = None,
    against: str | int | None = None,
    checks: Sequence[str] | None = None,
    crop: bool = True,
    before: Image.Image | None = None,
    mask: Image.Image | None = None,
    config: ExplainConfig | None = None,
    precision: str = "auto",
    seed: int = 0,
    on_method: Callable[[str], object] | None = None,
) -> ExplainedImage:
    """The prediction of `network` for an image, its confidence, and its explanations. Other arguments as of `explain`.

    checks: None computes those that do not repeat a method.
    crop: explain the square centre, as in an evaluation; False explains the whole image.
    before: the image that `image` is a dream of. mask: of the image's size, light where objects are.
    Raises what `explain` and `network_mask` raise.
    """
    network_image = network.preprocess(image, crop=crop)
    seen = None if mask is None else network_mask(network, mask, image.size, crop=crop)
    explanations = explain(
        network,
        network_image,
        methods,
        target,
        against=against,
        checks=cheap_checks() if checks is None else checks,
        config=config,
        precision=precision,
        seed=seed,
        on_method=on_method,
    )
    probabilities = network.predict(network_image)
    return ExplainedImage(
        name,
        network.cropped(image) if crop else image,
        [network.class_name(index) for index in range(len(probabilities))],
        probabilities,
        attribution_confidence(network, network_image, config=config, precision=precision, seed=seed),
        explanations,
        None if before is None else network.predict(network.preprocess(before, crop=crop)),
        seen,
    )
