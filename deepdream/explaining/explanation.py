"""explain: why does a network answer so, as maps over the picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from deepdream.explaining.cam_layer import cam_layer
from deepdream.explaining.config import ExplainConfig, check_method
from deepdream.explaining.context import Question, ask
from deepdream.explaining.faithfulness import check_map
from deepdream.explaining.gradient_methods import (
    gradcam,
    gradcam_plus_plus,
    guided_gradcam,
    integrated_gradients,
    layer_gradcam,
    saliency,
    smoothgrad,
)
from deepdream.explaining.perturbation_methods import kernel_shap, lime, occlusion
from deepdream.models import Network

Method = Callable[[Question], Tensor]

METHODS: dict[str, Method] = {
    "gradcam": gradcam,
    "gradcam_plus_plus": gradcam_plus_plus,
    "guided_gradcam": guided_gradcam,
    "saliency": saliency,
    "smoothgrad": smoothgrad,
    "integrated_gradients": integrated_gradients,
    "occlusion": occlusion,
    "lime": lime,
    "kernel_shap": kernel_shap,
}

# Maps that change from pixel to pixel: a few peaks would leave the rest dark.
GRAINY = ("guided_gradcam", "saliency", "smoothgrad", "integrated_gradients")
GRAINY_PEAK = 0.995  # the quantile that is drawn as 1


@dataclass(frozen=True)
class Explanation:
    """Where a method sees the evidence for a class.

    method: its name. target: the class's name. index: its index.
    heatmap: (H, W) in [0, 1], on the CPU: the evidence for the class, to be shown.
    attribution: (H, W), on the CPU: the method's own numbers, with evidence against the class below 0 where it has
        any. Integrated gradients add up to the logit's gain over mean colour, KernelSHAP's to the probability's.
    scores: the checks that were asked for, see `deepdream.explaining.faithfulness`.
    seconds: what the map alone took.
    """

    method: str
    target: str
    index: int
    heatmap: Tensor
    attribution: Tensor
    seconds: float
    scores: dict[str, float] = field(default_factory=dict)


def explain(
    network: Network,
    image: Tensor,
    methods: Sequence[str] = ("gradcam",),
    target: str | int | None = None,
    *,
    checks: Sequence[str] = (),
    config: ExplainConfig | None = None,
    seed: int = 0,
    on_method: Callable[[str], object] | None = None,
) -> list[Explanation]:
    """Why `network` sees `target` in `image`: one Explanation for each of `methods`, in their order.

    image: float (3, H, W) in [0, 1], as the network should see it. methods: of METHODS.
    target: a class's name or index; None is the network's own answer.
    checks: of CHECKS, computed for each map. config: None is conf/explain/default.yaml. seed: of every draw.
    on_method: called with the name of each method as it begins, for a progress bar.

    >>> from deepdream.models import ResNet
    >>> network = Network(ResNet(10, 2).eval(), ["bar", "pantry"], (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), 64, source="mine")
    >>> (why,) = explain(network, torch.rand(3, 64, 64), ["gradcam"], target="pantry")
    >>> why.method, why.target, tuple(why.heatmap.shape)
    ('gradcam', 'pantry', (64, 64))

    Works where the model lies, also within torch.inference_mode, and leaves it as it was, without a hook.
    Raises ValueError for a method, check or class that does not exist and for an image too small.
    """
    for method in methods:
        check_method(method)
    config = config or ExplainConfig.preset()
    explanations = []
    with ask(network, image, target, config=config, seed=seed) as question:
        for method in methods:
            if on_method is not None:
                on_method(method)
            start = time.perf_counter()
            attribution = METHODS[method](question).float()
            seconds = time.perf_counter() - start
            scores = check_map(question, METHODS[method], attribution, checks)
            name = network.class_name(question.target)
            values = attribution.cpu()
            explanations.append(
                Explanation(method, name, question.target, heatmap(values, method), values, seconds, scores)
            )
    return explanations


def heatmap(attribution: Tensor, method: str) -> Tensor:
    """The evidence for the class, (H, W) in [0, 1]: what is below 0 becomes 0, the peak 1; a map of zeros stays so."""
    evidence = attribution.clamp(min=0)
    peak = evidence.amax()
    if method in GRAINY and evidence.numel() < 2**24:  # the size that torch.quantile takes
        peak = evidence.flatten().quantile(GRAINY_PEAK) or peak
    return (evidence / peak).clamp(max=1) if peak > 0 else evidence


def grad_cam(network: Network, image: Tensor, target: str | int | None = None, layer: str | None = None) -> Tensor:
    """The Grad-CAM of `image`, (H, W) in [0, 1], on the image's device; in one forward pass and part of a backward one.

    image: float (3, H, W) in [0, 1]. target: a class's name or index; None is the network's own answer.
    layer: a module's name; None is layer4, or the deepest stage whose map has 2x2 positions.
    Raises ValueError for an image too small and for a class or layer that does not exist.
    """
    config = ExplainConfig.preset(layer=layer)
    with ask(network, image, 0 if target is None else target, config=config) as question:
        module = cam_layer(question.model, question.picture, layer)
        if target is None:  # the highest logit is the answer's: no pass is needed to learn which it is
            cam = layer_gradcam(lambda x: question.model(x).amax(dim=1), module, question.picture, None)
        else:
            cam = layer_gradcam(question.model, module, question.picture, question.target)
    return heatmap(cam, "gradcam").to(image.device, torch.float32)
