"""Attribution methods that use gradients: AttributionContext -> signed evidence per pixel, (H, W)."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from captum.attr import GuidedGradCam, IntegratedGradients, LayerAttribution, LayerGradCam, NoiseTunnel, Saliency
from torch import Tensor, nn

from deepdream.explaining.context import AttributionContext
from deepdream.models.layers import feature_maps
from deepdream.schema import did_you_mean

STAGES = ("layer4", "layer3", "layer2", "layer1")  # of a ResNet, deepest first
MOST_DOUBLINGS = 5  # of the steps of integrated gradients
LEAST_GAIN = 0.1  # in standard deviations of the logits: no number of steps comes within 1 % of a gain of zero


def gradcam(context: AttributionContext) -> Tensor:
    """Grad-CAM (Selvaraju et al. 2017): the layer's channels, weighted by their mean gradient; 0 or more."""
    layer = cam_layer(context.model, context.image, context.config.layer)
    return layer_gradcam(context.model, layer, context.image, context.target)


def layer_gradcam(model: Any, layer: nn.Module, image: Tensor, target: int | None) -> Tensor:
    """The Grad-CAM of one layer, enlarged to the size of the image: (H, W), 0 or more."""
    cam = LayerGradCam(model, layer).attribute(image.detach().requires_grad_(), target, relu_attributions=True)
    return _enlarged(cam.detach(), image)


def gradcam_plus_plus(context: AttributionContext) -> Tensor:
    """Grad-CAM++ (Chattopadhay et al. 2018), for a score that is the exponential of the logit; 0 or more.

    Positive gradients g are weighted by g^2 / (2 g^2 + g^3 * sum of the channel's activations).
    """
    layer = cam_layer(context.model, context.image, context.config.layer)
    activation, gradient = _at_layer(context, layer)  # (1, C, h, w) each
    total = activation.sum(dim=(2, 3), keepdim=True)
    divisor = 2 * gradient**2 + total * gradient**3
    share = torch.where(gradient != 0, gradient**2 / (divisor + 1e-6), 0)  # 1e-6 as in the grad-cam package
    weights = (gradient.relu() * share).sum(dim=(2, 3), keepdim=True)
    return _enlarged((weights * activation).sum(dim=1, keepdim=True).relu(), context.image)


def guided_gradcam(context: AttributionContext) -> Tensor:
    """Guided backpropagation (Springenberg et al. 2014) times Grad-CAM."""
    if not any(isinstance(module, nn.ReLU) for module in context.model.modules()):
        raise ValueError("guided_gradcam needs nn.ReLU modules; the network has none")
    layer = cam_layer(context.model, context.image, context.config.layer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Captum's notices that it sets and removes hooks
        product = GuidedGradCam(context.model, layer).attribute(
            _leaf(context), context.target, interpolate_mode="bilinear"
        )
    return _over_channels(product)


def saliency(context: AttributionContext) -> Tensor:
    """Absolute gradient of the logit (Simonyan et al. 2013), the largest of the three channels; 0 or more."""
    gradient: Tensor = Saliency(context.model).attribute(_leaf(context), context.target)
    return gradient[0].amax(dim=0).detach()


def smoothgrad(context: AttributionContext) -> Tensor:
    """SmoothGrad (Smilkov et al. 2017): the absolute value of the mean gradient of noisy copies; 0 or more."""
    config = context.config
    spread = float(context.image.max() - context.image.min())
    with context.seeded():
        gradient: Tensor = NoiseTunnel(Saliency(context.model)).attribute(
            _leaf(context),
            nt_type="smoothgrad",
            nt_samples=config.smoothgrad_samples,
            nt_samples_batch_size=config.batch_size,
            stdevs=config.smoothgrad_noise * (spread or 1.0),
            target=context.target,
            abs=False,
        )
    return gradient[0].abs().amax(dim=0).detach()


def integrated_gradients(context: AttributionContext) -> Tensor:
    """Integrated gradients (Sundararajan et al. 2017) from the mean colour to the image.

    The attribution adds up to the gain of the logit on that path, within config.completeness of the gain or of
    LEAST_GAIN, whichever is larger; until then the steps are doubled, up to MOST_DOUBLINGS times.
    """
    config = context.config
    baseline = torch.zeros_like(context.image)
    with torch.no_grad():
        logits = context.model(torch.cat([baseline, context.image]))
    gain = float(logits[1, context.target] - logits[0, context.target])
    error = config.completeness * max(abs(gain), LEAST_GAIN * float(logits[1].std(correction=0)))
    method = IntegratedGradients(context.model)
    steps = config.integrated_gradients_steps
    for _ in range(MOST_DOUBLINGS + 1):
        values = method.attribute(
            _leaf(context),
            baseline,
            context.target,
            n_steps=steps,
            method="riemann_middle",  # 64 steps come within 1 %; Captum's trapezoid needs 256 and more
            internal_batch_size=config.batch_size,
        ).detach()
        if abs(float(values.sum()) - gain) <= error:
            break
        steps *= 2
    return _over_channels(values)


def cam_layer(model: nn.Module, image: Tensor, name: str | None = None) -> nn.Module:
    """The layer of Grad-CAM: `name`; for None the deepest stage (layer4 ...) with a map of 2x2 positions or more.

    In a network without such stages it is the deepest module with such a map. image: the network's input (1, 3, H, W).
    Raises ValueError, with similar names, if there is no such layer or its output is no feature map.
    """
    if name is None and (layer := getattr(model, STAGES[0], None)) is not None and min(image.shape[2:]) >= 64:
        return layer  # type: ignore[no-any-return]  # every stride 32 network: no need to measure
    maps = {layer: min(size[2:]) for layer, _, size in feature_maps(model, image)}
    if name is not None:
        if name not in maps:
            as_deep = [other for other in maps if other.count(".") <= name.count(".")]
            raise ValueError(
                f"the network has no layer {name!r} with a feature map{did_you_mean(name, as_deep or maps)}"
            )
        return model.get_submodule(name)
    large = [layer for layer, side in maps.items() if side >= 2]
    for layer in (*STAGES, *reversed(large)):
        if layer in large:
            return model.get_submodule(layer)
    height, width = image.shape[2:]
    raise ValueError(f"the image is {width}x{height}: no layer has a map of 2x2 positions; use a larger image")


def _leaf(context: AttributionContext) -> Tensor:
    return context.image.detach().requires_grad_()


def _over_channels(values: Tensor) -> Tensor:
    """The sum over red, green and blue of (1, 3, H, W)."""
    return values[0].sum(dim=0).detach()


def _enlarged(cam: Tensor, image: Tensor) -> Tensor:
    """A layer's map (1, 1, h, w), enlarged to the size of the image: (H, W)."""
    height, width = image.shape[2:]
    enlarged: Tensor = LayerAttribution.interpolate(cam, (height, width), "bilinear")
    return enlarged[0, 0]


def _at_layer(context: AttributionContext, layer: nn.Module) -> tuple[Tensor, Tensor]:
    """The activation of a layer and the gradient of the target's logit there."""
    kept: list[Tensor] = []
    handle = layer.register_forward_hook(lambda module, inputs, output: kept.append(output))
    try:
        logit = context.model(_leaf(context))[0, context.target]
    finally:
        handle.remove()
    (gradient,) = torch.autograd.grad(logit, kept[-1])
    return kept[-1].detach(), gradient
