"""Maps from gradients. Each function answers a Question with signed evidence per pixel, (H, W)."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from captum.attr import GuidedGradCam, IntegratedGradients, LayerAttribution, LayerGradCam, NoiseTunnel, Saliency
from torch import Tensor, nn

from deepdream.explaining.cam_layer import cam_layer
from deepdream.explaining.context import Question

MOST_DOUBLINGS = 5  # of the steps of integrated gradients
LEAST_GAIN = 0.1  # of the logits' standard deviation: no number of steps comes within 1% of a gain of nothing


def gradcam(question: Question) -> Tensor:
    """Grad-CAM (Selvaraju et al. 2017): the layer's channels, weighted by their mean gradient; 0 or more."""
    layer = cam_layer(question.model, question.picture, question.config.layer)
    return layer_gradcam(question.model, layer, question.picture, question.target)


def layer_gradcam(model: Any, layer: nn.Module, picture: Tensor, target: int | None) -> Tensor:
    """The Grad-CAM of one layer, enlarged to the picture: (H, W), 0 or more."""
    cam = LayerGradCam(model, layer).attribute(picture.detach().requires_grad_(), target, relu_attributions=True)
    return _enlarged(cam.detach(), picture)


def gradcam_plus_plus(question: Question) -> Tensor:
    """Grad-CAM++ (Chattopadhay et al. 2018), for an answer that is the exponential of the logit; 0 or more.

    A position's gradient counts with g^2 / (2 g^2 + g^3 * sum of the channel's activations), and where it is above 0.
    """
    layer = cam_layer(question.model, question.picture, question.config.layer)
    activation, gradient = _at_layer(question, layer)  # (1, C, h, w) each
    total = activation.sum(dim=(2, 3), keepdim=True)
    divisor = 2 * gradient**2 + total * gradient**3
    share = torch.where(gradient != 0, gradient**2 / (divisor + 1e-6), 0)  # 1e-6 as in the grad-cam package
    weights = (gradient.relu() * share).sum(dim=(2, 3), keepdim=True)
    return _enlarged((weights * activation).sum(dim=1, keepdim=True).relu(), question.picture)


def guided_gradcam(question: Question) -> Tensor:
    """Guided backpropagation (Springenberg et al. 2014) where Grad-CAM sees evidence."""
    if not any(isinstance(module, nn.ReLU) for module in question.model.modules()):
        raise ValueError("guided_gradcam guides the gradients of nn.ReLU modules; the network has none")
    layer = cam_layer(question.model, question.picture, question.config.layer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum announces its hooks, and that it removes them
        product = GuidedGradCam(question.model, layer).attribute(
            _leaf(question), question.target, interpolate_mode="bilinear"
        )
    return _over_channels(product)


def saliency(question: Question) -> Tensor:
    """Absolute gradient of the logit (Simonyan et al. 2013), the largest of the three channels; 0 or more."""
    gradient: Tensor = Saliency(question.model).attribute(_leaf(question), question.target)
    return gradient[0].amax(dim=0).detach()


def smoothgrad(question: Question) -> Tensor:
    """SmoothGrad (Smilkov et al. 2017): the absolute value of the mean gradient of noisy copies; 0 or more."""
    config = question.config
    spread = float(question.picture.max() - question.picture.min())
    with seeded(question.seed, question.picture.device):
        gradient: Tensor = NoiseTunnel(Saliency(question.model)).attribute(
            _leaf(question),
            nt_type="smoothgrad",
            nt_samples=config.smoothgrad_samples,
            nt_samples_batch_size=config.batch_size,
            stdevs=config.smoothgrad_noise * (spread or 1.0),
            target=question.target,
            abs=False,
        )
    return gradient[0].abs().amax(dim=0).detach()


def integrated_gradients(question: Question) -> Tensor:
    """Integrated gradients (Sundararajan et al. 2017) from the mean colour to the picture.

    The map adds up to what the logit gains on that way, within config.completeness of it (of LEAST_GAIN, where that is
    more); where the steps do not suffice they are doubled, up to MOST_DOUBLINGS times.
    """
    config = question.config
    baseline = torch.zeros_like(question.picture)
    with torch.no_grad():
        logits = question.model(torch.cat([baseline, question.picture]))
    gain = float(logits[1, question.target] - logits[0, question.target])
    error = config.completeness * max(abs(gain), LEAST_GAIN * float(logits[1].std(correction=0)))
    method = IntegratedGradients(question.model)
    steps = config.integrated_gradients_steps
    for _ in range(MOST_DOUBLINGS + 1):
        values = method.attribute(
            _leaf(question),
            baseline,
            question.target,
            n_steps=steps,
            method="riemann_middle",  # 64 steps come within 1%; Captum's trapezoid, one step short, needs 256 and more
            internal_batch_size=config.batch_size,
        ).detach()
        if abs(float(values.sum()) - gain) <= error:
            break
        steps *= 2
    return _over_channels(values)


def seeded(seed: int, device: torch.device) -> Any:
    """A context in which Captum's draws follow from `seed`; the caller's random state comes back."""
    return _Seeded(seed, device)


class _Seeded:
    def __init__(self, seed: int, device: torch.device) -> None:
        self._seed = seed
        self._fork = torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])

    def __enter__(self) -> None:
        self._fork.__enter__()
        torch.manual_seed(self._seed)

    def __exit__(self, *error: Any) -> None:
        self._fork.__exit__(*error)


def _leaf(question: Question) -> Tensor:
    return question.picture.detach().requires_grad_()


def _over_channels(values: Tensor) -> Tensor:
    """The sum over red, green and blue of (1, 3, H, W)."""
    return values[0].sum(dim=0).detach()


def _enlarged(cam: Tensor, picture: Tensor) -> Tensor:
    """A layer's map (1, 1, h, w) over the picture: (H, W)."""
    height, width = picture.shape[2:]
    enlarged: Tensor = LayerAttribution.interpolate(cam, (height, width), "bilinear")
    return enlarged[0, 0]


def _at_layer(question: Question, layer: nn.Module) -> tuple[Tensor, Tensor]:
    """The activation of a layer and the gradient of the target's logit there."""
    kept: list[Tensor] = []
    handle = layer.register_forward_hook(lambda module, inputs, output: kept.append(output))
    try:
        logit = question.model(_leaf(question))[0, question.target]
    finally:
        handle.remove()
    (gradient,) = torch.autograd.grad(logit, kept[-1])
    return kept[-1].detach(), gradient
