"""explain: attributions of a prediction, as maps over the image."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from deepdream.explaining.config import METHOD_FUNCTIONS, METHODS, ExplainConfig
from deepdream.explaining.context import attribution_context
from deepdream.explaining.faithfulness import check_attribution
from deepdream.explaining.gradient_methods import cam_layer, layer_gradcam
from deepdream.models import Network

GRAINY_PEAK = 0.995  # the quantile that is 1 in the heatmap of a grainy method: a few peaks would leave the rest dark


@dataclass(frozen=True)
class Explanation:
    """The evidence for a class according to one method.

    method: its name. target: the class's name. index: its index.
    heatmap: (H, W) in [0, 1], on the CPU: the evidence for the class, for plots.
    attribution: (H, W), on the CPU: the method's own values; evidence against the class is negative. Integrated
        gradients add up to the logit's gain over mean colour, KernelSHAP's values to the probability's.
    scores: the values of the requested checks, see `deepdream.explaining.faithfulness`.
    seconds: the time of the attribution alone.
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
    precision: str = "auto",
    seed: int = 0,
    on_method: Callable[[str], object] | None = None,
) -> list[Explanation]:
    """The evidence for `target` in `image`: one Explanation for each of `methods`, in their order.

    image: float (3, H, W) in [0, 1], at the size for the network. methods: of METHODS.
    target: a class's name or index; None is the network's prediction.
    checks: of CHECKS, computed for each attribution. config: None is conf/explain/default.yaml. seed: of all sampling.
    precision: of forward passes of many images (auto, fp32, bf16, fp16); gradients are always in the model's dtype.
    on_method: called with the name of each method as it begins, for a progress bar.

    >>> from deepdream.models import ResNet
    >>> network = Network(ResNet(10, 2).eval(), ["bar", "pantry"], (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), 64, source="mine")
    >>> (why,) = explain(network, torch.rand(3, 64, 64), ["gradcam"], target="pantry")
    >>> why.method, why.target, tuple(why.heatmap.shape)
    ('gradcam', 'pantry', (64, 64))

    Works on the model's device, also within torch.inference_mode; the model is restored and keeps no hook.
    Raises ValueError for an unknown method, check or class and for an image that is too small.
    """
    for method in methods:
        METHOD_FUNCTIONS.check(method)
    config = config or ExplainConfig.preset()
    explanations = []
    with attribution_context(network, image, target, config=config, precision=precision, seed=seed) as context:
        for method in methods:
            if on_method is not None:
                on_method(method)
            function = METHOD_FUNCTIONS[method]
            start = time.perf_counter()
            attribution = function(context).float()
            seconds = time.perf_counter() - start
            scores = check_attribution(context, function, attribution, checks)
            name = network.class_name(context.target)
            values = attribution.cpu()
            explanations.append(
                Explanation(method, name, context.target, heatmap(values, method), values, seconds, scores)
            )
    return explanations


def heatmap(attribution: Tensor, method: str) -> Tensor:
    """The evidence for the class, (H, W) in [0, 1]: negative values become 0, the peak 1; zeros stay zeros."""
    evidence = attribution.clamp(min=0)
    peak = evidence.amax()
    if METHODS[method].is_grainy and evidence.numel() < 2**24:  # the limit of torch.quantile
        peak = evidence.flatten().quantile(GRAINY_PEAK) or peak
    return (evidence / peak).clamp(max=1) if peak > 0 else evidence


def grad_cam(network: Network, image: Tensor, target: str | int | None = None, layer: str | None = None) -> Tensor:
    """The Grad-CAM of `image`, (H, W) in [0, 1], on the image's device; in one forward pass and part of a backward one.

    image: float (3, H, W) in [0, 1]. target: a class's name or index; None is the network's prediction.
    layer: a module's name; None is the deepest block whose map has 2x2 positions: layer4 of a ResNet.
    Raises ValueError for an image that is too small and for an unknown class or layer.
    """
    config = ExplainConfig.preset(layer=layer)
    with attribution_context(network, image, 0 if target is None else target, config=config) as context:
        # The predicted class has the highest logit: no forward pass is needed to find it.
        cam = layer_gradcam(context, cam_layer(context), of_prediction=target is None)
    return heatmap(cam, "gradcam").to(image.device, torch.float32)
