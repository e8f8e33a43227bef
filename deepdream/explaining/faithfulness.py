"""Can an attribution be trusted? Five checks, each a number.

deletion_auc            mean probability while pixels are removed, those with most evidence first; lower is better
insertion_auc           the same while they are added to a blurred image; higher is better (Petsiuk et al. 2018)
infidelity              mean squared error of the attribution as a prediction of the loss in probability when a square
                        is removed, after the best scaling; lower is better (Yeh et al. 2019, Captum)
sensitivity             largest relative change of the attribution under small noise, at most 2; lower is better
                        (Yeh et al. 2019, Captum)
randomised_correlation  mean rank correlation of the attribution with those of the network as its weights are shuffled,
                        stage by stage from the top: 1 means independent of the weights (Adebayo et al. 2018)
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from captum import metrics
from scipy.stats import spearmanr
from torch import Tensor, nn
from torchvision.transforms.functional import gaussian_blur

from deepdream.explaining.config import CHECKS
from deepdream.explaining.context import AttributionContext

SQUARES = (0.2, 0.5)  # smallest and largest side of a square that infidelity removes, relative to the shorter side
BLUR_SIGMA = 5 / 224  # of the first image of insertion, relative to the shorter side (Petsiuk et al.: 5 at 224 px)

LARGEST_CHANGE = 2.0  # of sensitivity

Method = Callable[[AttributionContext], Tensor]


def check_attribution(
    context: AttributionContext, method: Method, attribution: Tensor, checks: Sequence[str]
) -> dict[str, float]:
    """The values of `checks`, of CHECKS, for an attribution (H, W) that `method` made. Raises ValueError for others."""
    for name in checks:
        CHECKS.check(name)
    return {
        name: CHECKS[name](context, method if CHECKS.details(name).repeats_method else attribution) for name in checks
    }


@CHECKS.register("deletion", "low")
def deletion_auc(context: AttributionContext, attribution: Tensor) -> float:
    """Area under the target's probability while pixels turn into mean colour, in [0, 1]."""
    return _area(_curve(context, attribution, context.image, torch.zeros_like(context.image)))


@CHECKS.register("insertion", "high")
def insertion_auc(context: AttributionContext, attribution: Tensor) -> float:
    """Area under the target's probability while pixels of a blurred image are restored, in [0, 1]."""
    sigma = max(0.5, BLUR_SIGMA * min(context.image.shape[2:]))
    most = (min(context.image.shape[2:]) - 1) // 2 * 2 - 1  # reflection needs less than a side
    kernel = max(1, min(2 * round(3 * sigma) + 1, most))
    blurred = gaussian_blur(context.image, [kernel, kernel], [sigma, sigma])
    return _area(_curve(context, attribution, blurred, context.image))


@CHECKS.register("infidelity", "low")
def infidelity(context: AttributionContext, attribution: Tensor) -> float:
    """Captum's infidelity, normalised, over squares of mean colour; the sum over a square predicts the loss."""
    config, image = context.config, context.image
    height, width = image.shape[2:]
    generator = torch.Generator().manual_seed(context.seed)

    def remove_squares(images: Tensor) -> tuple[Tensor, Tensor]:
        removed = torch.zeros(len(images), 1, height, width)
        for square in removed:
            scale = SQUARES[0] + (SQUARES[1] - SQUARES[0]) * float(torch.rand((), generator=generator))
            side = max(1, round(scale * min(height, width)))
            top, left = (int(torch.randint(0, s - side + 1, (), generator=generator)) for s in (height, width))
            square[:, top : top + side, left : left + side] = 1
        removed = removed.to(images)
        return removed.expand_as(images), images * (1 - removed)

    # Scaled to a mean of 1, so that the sums below neither vanish nor overflow; Captum's own scaling comes after.
    scaled = attribution.to(image) / attribution.abs().mean().clamp(min=torch.finfo(torch.float32).tiny)
    error = metrics.infidelity(
        context.probability,
        remove_squares,
        image,
        (scaled / 3).expand_as(image),
        n_perturb_samples=config.infidelity_samples,
        max_examples_per_batch=min(config.batch_size, config.infidelity_samples),
        normalize=True,
    )
    return max(0.0, float(error))


@CHECKS.register("sensitivity", "low", repeats_method=True)
def sensitivity(context: AttributionContext, method: Method) -> float:
    """Captum's maximum sensitivity: the largest relative change of the attribution under uniform noise, at most 2.

    Two attributions of one size differ by 2 at most. Of a flat image nearly nothing is attributed, and the change
    relative to that, in the thousands, would say nothing.
    """
    context = context.for_comparison()

    def attributions(images: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (batch,) = images if isinstance(images, tuple) else (images,)
        with torch.enable_grad():
            return (torch.stack([method(replace(context, image=one[None])).float() for one in batch]),)

    def noise(images: Tensor, radius: float) -> Tensor:
        # In the dtype and on the device of the images, unlike Captum's own.
        return images + torch.empty_like(images).uniform_(-radius, radius)

    config = context.config
    with context.seeded():
        largest = metrics.sensitivity_max(
            attributions,
            context.image,
            perturb_func=noise,
            perturb_radius=config.sensitivity_radius,
            n_perturb_samples=config.sensitivity_samples,
        )
    return min(LARGEST_CHANGE, float(largest))


@CHECKS.register("randomised", "near zero", repeats_method=True)
def randomised_correlation(context: AttributionContext, method: Method) -> float:
    """The mean of `randomised_correlations`."""
    correlations = randomised_correlations(context, method)
    return sum(correlations.values()) / len(correlations)


def randomised_correlations(context: AttributionContext, method: Method) -> dict[str, float]:
    """Spearman's correlation with the attribution after shuffling all stages from the top down to each, by stage.

    Departs from the paper: the weights of a stage are shuffled, not sampled again, so that activations keep their size.
    """
    context = context.for_comparison()
    learned = method(context).float()
    model = copy.deepcopy(context.model)
    generator = torch.Generator().manual_seed(context.seed)
    correlations = {}
    for name, stage in reversed(_stages(model)):
        _shuffle(stage, generator)
        shuffled = method(replace(context, model=model)).float()
        correlations[name] = _rank_correlation(learned, shuffled)
    return correlations


def _curve(context: AttributionContext, attribution: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """The target's probability as pixels of `start` turn into those of `end`, most evidence first."""
    pixels = attribution.numel()
    steps = min(context.config.curve_steps, pixels)
    order = attribution.flatten().argsort(descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(0, order, torch.arange(pixels, device=order.device))
    rank = rank.view(1, 1, *attribution.shape).to(start.device)
    points = []
    for first in range(0, steps + 1, context.config.batch_size):
        turned = torch.arange(first, min(first + context.config.batch_size, steps + 1), device=start.device)
        counts = (turned * pixels / steps).round().view(-1, 1, 1, 1)
        points.append(context.probability(torch.where(rank < counts, end, start)))
    return torch.cat(points)


def _area(curve: Tensor) -> float:
    """Under a curve over [0, 1], by trapezoids."""
    return float(torch.trapezoid(curve) / (len(curve) - 1))


def _stages(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The model's parts with weights, from input to output; of a wrapper around one part, the parts of that."""
    stages = [(name, child) for name, child in model.named_children() if any(True for _ in child.parameters())]
    if len(stages) == 1 and any(True for _ in stages[0][1].children()):
        return _stages(stages[0][1])
    return stages or [("all", model)]


@torch.no_grad()
def _shuffle(stage: nn.Module, generator: torch.Generator) -> None:
    for weights in stage.parameters():
        order = torch.randperm(weights.numel(), generator=generator).to(weights.device)
        weights.copy_(weights.flatten()[order].view_as(weights))


def _rank_correlation(one: Tensor, other: Tensor) -> float:
    """Spearman's; 0 if one of the two is constant and ranks nothing."""
    if one.amin() == one.amax() or other.amin() == other.amax():
        return 0.0
    return float(spearmanr(one.flatten().cpu().numpy(), other.flatten().cpu().numpy()).statistic)
