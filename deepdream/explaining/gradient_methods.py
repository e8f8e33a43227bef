"""Attribution methods that use gradients: AttributionContext -> signed evidence per pixel, (H, W)."""

from __future__ import annotations

import warnings

import torch
from captum.attr import GuidedBackprop, IntegratedGradients, LayerAttribution, NoiseTunnel, Saliency
from torch import Tensor, nn

from deepdream.explaining.context import AttributionContext
from deepdream.models.layers import Layer, blocks, choose_layers
from deepdream.models.taps import LOGITS, Taps

MOST_DOUBLINGS = 5  # of the steps of integrated gradients
LEAST_GAIN = 0.1  # in standard deviations of the logits: no number of steps comes within 1 % of a gain of zero


def gradcam(context: AttributionContext) -> Tensor:
    """Grad-CAM (Selvaraju et al. 2017): the layer's channels, weighted by their mean gradient; 0 or more."""
    return layer_gradcam(context, cam_layer(context))


def layer_gradcam(context: AttributionContext, layer: Layer, *, of_prediction: bool = False) -> Tensor:
    """The Grad-CAM of one layer, enlarged to the size of the image: (H, W), 0 or more.

    of_prediction: for the class with the highest logit in place of the target.
    """
    activation, gradient = activation_and_gradient(context, layer, of_prediction=of_prediction)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return _enlarged((weights * activation).sum(dim=1, keepdim=True).relu(), context.image)


def gradcam_plus_plus(context: AttributionContext) -> Tensor:
    """Grad-CAM++ (Chattopadhay et al. 2018), for a score that is the exponential of the logit; 0 or more.

    Positive gradients g are weighted by g^2 / (2 g^2 + g^3 * sum of the channel's activations).
    """
    activation, gradient = activation_and_gradient(context, cam_layer(context))  # (1, C, h, w) each
    total = activation.sum(dim=(2, 3), keepdim=True)
    divisor = 2 * gradient**2 + total * gradient**3
    share = torch.where(gradient != 0, gradient**2 / (divisor + 1e-6), 0)  # 1e-6 as in the grad-cam package
    weights = (gradient.relu() * share).sum(dim=(2, 3), keepdim=True)
    return _enlarged((weights * activation).sum(dim=1, keepdim=True).relu(), context.image)


def guided_gradcam(context: AttributionContext) -> Tensor:
    """Guided backpropagation (Springenberg et al. 2014) times Grad-CAM."""
    if not any(isinstance(module, nn.ReLU) for module in context.model.modules()):
        raise ValueError("guided_gradcam needs nn.ReLU modules; the network has none")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Captum's notices that it sets and removes hooks
        guided = GuidedBackprop(context.model).attribute(_leaf(context), context.target)
    return _over_channels(guided * gradcam(context))


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


def cam_layer(context: AttributionContext) -> Layer:
    """The layer of Grad-CAM: config.layer; for None the deepest block with a map of 2x2 positions or more.

    That is layer4 of a ResNet. Of a transformer that reads its class token it is the last but one block: no logit
    depends on the other tokens of the last. Raises ValueError, with similar names, for a layer that the network lacks.
    """
    layers, name = context.network.probe.layers, context.config.layer
    if name is not None:
        (layer,) = choose_layers([name], layers)
        return layer
    side = context.network.input_sizes.only or min(context.image.shape[2:])
    large = [layer for layer in blocks(layers) if 2 * layer.stride <= side]
    if not large:
        height, width = context.image.shape[2:]
        raise ValueError(f"the image is {width}x{height}: no layer has a map of 2x2 positions; use a larger image")
    if not large[-1].extra_tokens:
        return large[-1]
    with Taps(context.model, large, logits=True) as taps:
        gradients = taps.gradients(taps.run(_leaf(context))[LOGITS][0, context.target])
    return next((layer for layer in reversed(large) if gradients[layer.name].any()), large[-1])


def activation_and_gradient(
    context: AttributionContext, layer: Layer, *, of_prediction: bool = False
) -> tuple[Tensor, Tensor]:
    """A layer's feature map (1, C, h, w), and the gradient of the target's logit there.

    of_prediction: of the highest logit in place of the target's.
    """
    with Taps(context.model, [layer], logits=True) as taps:
        found = taps.run(_leaf(context))
        logits = found[LOGITS][0]
        gradients = taps.gradients(logits.amax() if of_prediction else logits[context.target])
    return found[layer.name].detach(), gradients[layer.name]


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
