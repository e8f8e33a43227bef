"""Attribution methods that use gradients: AttributionContext -> signed evidence per pixel, (H, W)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from captum.attr import InputXGradient, IntegratedGradients, NoiseTunnel, Saliency
from torch import Tensor

from deepdream.explaining.config import METHODS
from deepdream.explaining.context import AttributionContext

MOST_DOUBLINGS = 5  # of the steps of integrated gradients
LEAST_GAIN = 0.1  # in standard deviations of the logits: no number of steps comes within 1 % of a gain of zero


@METHODS.register("saliency", "which pixels change the prediction most", "1 pass", is_grainy=True)
def saliency(context: AttributionContext) -> Tensor:
    """Absolute gradient of the logit (Simonyan et al. 2013), the largest of the three channels; 0 or more."""
    gradient: Tensor = Saliency(context.scorer).attribute(context.leaf())
    return gradient[0].amax(dim=0).detach()


@METHODS.register("SmoothGrad", "the same, averaged over noisy copies", "32 passes", is_grainy=True)
def smoothgrad(context: AttributionContext) -> Tensor:
    """SmoothGrad (Smilkov et al. 2017): the absolute value of the mean gradient of noisy copies; 0 or more."""
    config = context.config
    spread = float(context.image.max() - context.image.min())
    with context.seeded():
        gradient: Tensor = NoiseTunnel(Saliency(context.scorer)).attribute(
            context.leaf(),
            nt_type="smoothgrad",
            nt_samples=config.smoothgrad_samples,
            nt_samples_batch_size=config.batch_size,
            stdevs=config.smoothgrad_noise * (spread or 1.0),
            abs=False,
        )
    return gradient[0].abs().amax(dim=0).detach()


@METHODS.register("input x gradient", "how the pixels add up, to first order", "1 pass", is_grainy=True)
def input_x_gradient(context: AttributionContext) -> Tensor:
    """Input x Gradient (Shrikumar et al. 2016): the gradient times the distance of the pixel from the mean colour."""
    return over_channels(InputXGradient(context.scorer).attribute(context.leaf()))


@METHODS.register(
    "integrated gradients",
    "how the pixels add up to the logit (within 1%)",
    "64 to 1,024 passes",
    is_grainy=True,
)
def integrated_gradients(context: AttributionContext) -> Tensor:
    """Integrated gradients (Sundararajan et al. 2017) from the mean colour to the image.

    The attribution adds up to the gain of the logit on that path, within config.completeness of the gain or of
    LEAST_GAIN, whichever is larger; until then the steps are doubled, up to MOST_DOUBLINGS times.
    """
    config = context.config
    baseline = torch.zeros_like(context.image)
    with torch.no_grad():
        before, after = context.scorer(torch.cat([baseline, context.image])).tolist()
        spread = float(context.model(context.image).std(correction=0))
    error = config.completeness * max(abs(after - before), LEAST_GAIN * spread)
    method = IntegratedGradients(context.scorer)
    steps = config.integrated_gradients_steps
    for _ in range(MOST_DOUBLINGS + 1):
        values = method.attribute(
            context.leaf(),
            baseline,
            n_steps=steps,
            method="riemann_middle",  # 64 steps come within 1 %; Captum's trapezoid needs 256 and more
            internal_batch_size=config.batch_size,
        ).detach()
        if abs(float(values.sum()) - (after - before)) <= error:
            break
        steps *= 2
    return over_channels(values)


@METHODS.register("GradientSHAP", "the same, from images of many colours", "64 passes", is_grainy=True)
def gradient_shap(context: AttributionContext) -> Tensor:
    """GradientSHAP (Lundberg & Lee 2017; expected gradients, Erion et al. 2021), from images of one random colour.

    The mean of gradient * (image - baseline) over random baselines and random points on the way. In expectation it adds
    up to the logit minus its mean over the baselines. Departs from the papers, which draw baselines from the training
    images; a network does not bring those. All colours are as likely, so that none counts as absent. Not Captum's,
    which takes all samples in one batch and draws from numpy's global generator.
    """
    image, samples = context.image, context.config.gradient_shap_samples
    generator = torch.Generator().manual_seed(context.seed)
    colours = torch.rand(samples, 3, 1, 1, generator=generator).to(image)
    baselines = context.black + colours * (context.white - context.black)
    places = torch.rand(samples, 1, 1, 1, generator=generator).to(image)
    total = torch.zeros_like(image)
    size = context.config.batch_size
    for baseline, place in zip(torch.split(baselines, size), torch.split(places, size), strict=True):
        way = image - baseline  # (N, 3, H, W)
        points = (baseline + place * way).requires_grad_()
        (gradient,) = torch.autograd.grad(context.scorer(points).sum(), points)
        total += (gradient * way).sum(dim=0)
    return over_channels(total / samples)


def over_channels(values: Tensor) -> Tensor:
    """The sum over red, green and blue of (1, 3, H, W): (H, W)."""
    return values[0].sum(dim=0).detach()


@contextmanager
def without_notices() -> Iterator[None]:
    """Inside, no warnings: Captum's say that it sets and removes hooks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
