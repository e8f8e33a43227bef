"""Can a map be trusted: five checks, each a number.

deletion_auc            mean probability while pixels are taken out, those that count most first; lower is better
insertion_auc           the same while they are put into a blurred picture; higher is better (Petsiuk et al. 2018)
infidelity              mean squared error between what the map says of a square and what its loss costs, after the
                        best scaling of the map; lower is better (Yeh et al. 2019, Captum)
sensitivity             largest relative change of the map under noise that is not seen; lower is better (Yeh et al.
                        2019, Captum)
randomised_correlation  mean rank correlation of the map with itself as the network's weights are shuffled, stage by
                        stage from the top: 1 is a map that does not depend on what was learned (Adebayo et al. 2018)
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from captum.metrics import infidelity, sensitivity_max
from scipy.stats import spearmanr
from torch import Tensor, nn
from torchvision.transforms.functional import gaussian_blur

from deepdream.explaining.config import CHECKS
from deepdream.explaining.context import Question
from deepdream.explaining.gradient_methods import seeded
from deepdream.schema import did_you_mean

SQUARE = 0.2  # smallest and ...
LARGEST_SQUARE = 0.5  # ... largest side of a square that infidelity takes out, as shares of the shorter side
BLUR_SIGMA = 5 / 224  # of insertion's start, as a share of the shorter side (Petsiuk et al.: 5 at 224 px)

Method = Callable[[Question], Tensor]


def check_map(question: Question, method: Method, attribution: Tensor, checks: Sequence[str]) -> dict[str, float]:
    """The `checks`, of CHECKS, of a map that `method` made, (H, W); by name. Raises ValueError for another name."""
    for check in checks:
        if check not in CHECKS:
            raise ValueError(f"there is no check {check!r}{did_you_mean(check, CHECKS)}")
    scores = {}
    for check in checks:
        if check == "deletion_auc":
            scores[check] = deletion_auc(question, attribution)
        elif check == "insertion_auc":
            scores[check] = insertion_auc(question, attribution)
        elif check == "infidelity":
            scores[check] = infidelity_of(question, attribution)
        elif check == "sensitivity":
            scores[check] = sensitivity(question, method)
        else:
            correlations = randomised_correlations(question, method)
            scores[check] = sum(correlations.values()) / len(correlations)
    return scores


def deletion_auc(question: Question, attribution: Tensor) -> float:
    """Area under the target's probability while pixels turn into mean colour, in [0, 1]."""
    return _area(_curve(question, attribution, question.picture, torch.zeros_like(question.picture)))


def insertion_auc(question: Question, attribution: Tensor) -> float:
    """Area under the target's probability while a blurred picture gets its pixels back, in [0, 1]."""
    sigma = max(0.5, BLUR_SIGMA * min(question.picture.shape[2:]))
    most = (min(question.picture.shape[2:]) - 1) // 2 * 2 - 1  # reflection needs less than a side
    kernel = max(1, min(2 * round(3 * sigma) + 1, most))
    blurred = gaussian_blur(question.picture, [kernel, kernel], [sigma, sigma])
    return _area(_curve(question, attribution, blurred, question.picture))


def infidelity_of(question: Question, attribution: Tensor) -> float:
    """Captum's infidelity, normalised, over squares of mean colour; the map's share of a square foretells the loss."""
    config, picture = question.config, question.picture
    height, width = picture.shape[2:]
    generator = torch.Generator().manual_seed(question.seed)

    def take_squares_out(pictures: Tensor) -> tuple[Tensor, Tensor]:
        gone = torch.zeros(len(pictures), 1, height, width)
        for square in gone:
            share = SQUARE + (LARGEST_SQUARE - SQUARE) * float(torch.rand((), generator=generator))
            side = max(1, round(share * min(height, width)))
            top, left = (int(torch.randint(0, s - side + 1, (), generator=generator)) for s in (height, width))
            square[:, top : top + side, left : left + side] = 1
        gone = gone.to(pictures)
        return gone.expand_as(pictures), pictures * (1 - gone)

    # Scaled to a mean of 1, so that the sums below neither vanish nor overflow; Captum's own scaling comes after.
    scaled = attribution.to(picture) / attribution.abs().mean().clamp(min=torch.finfo(torch.float32).tiny)
    error = infidelity(
        question.probability,
        take_squares_out,
        picture,
        (scaled / 3).expand_as(picture),
        n_perturb_samples=config.infidelity_samples,
        max_examples_per_batch=min(config.batch_size, config.infidelity_samples),
        normalize=True,
    )
    return max(0.0, float(error))


def sensitivity(question: Question, method: Method) -> float:
    """Captum's maximum sensitivity: the largest relative change of the map under uniform noise."""
    question = question.for_comparison()

    def maps(pictures: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        (batch,) = pictures if isinstance(pictures, tuple) else (pictures,)
        with torch.enable_grad():
            return (torch.stack([method(replace(question, picture=one[None])).float() for one in batch]),)

    def noise(pictures: Tensor, radius: float) -> Tensor:
        # Of the question's type and place, which Captum's own is not.
        return pictures + torch.empty_like(pictures).uniform_(-radius, radius)

    config = question.config
    with seeded(question.seed, question.picture.device):
        largest = sensitivity_max(
            maps,
            question.picture,
            perturb_func=noise,
            perturb_radius=config.sensitivity_radius,
            n_perturb_samples=config.sensitivity_samples,
        )
    return float(largest)


def randomised_correlations(question: Question, method: Method) -> dict[str, float]:
    """Spearman's correlation of the map with that of the network whose stages are random from the top down to each.

    Departs from the paper: a stage's weights are shuffled rather than drawn anew, so that activations keep their size.
    """
    question = question.for_comparison()
    learned = method(question).float()
    model = copy.deepcopy(question.model)
    generator = torch.Generator().manual_seed(question.seed)
    correlations = {}
    for name, stage in reversed(_stages(model)):
        _shuffle(stage, generator)
        shuffled = method(replace(question, model=model)).float()
        correlations[name] = _rank_correlation(learned, shuffled)
    return correlations


def _curve(question: Question, attribution: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """The target's probability as pixels of `start` turn into those of `end`, most evidence first."""
    pixels = attribution.numel()
    steps = min(question.config.curve_steps, pixels)
    order = attribution.flatten().argsort(descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(0, order, torch.arange(pixels, device=order.device))
    rank = rank.view(1, 1, *attribution.shape).to(start.device)
    points = []
    for first in range(0, steps + 1, question.config.batch_size):
        turned = torch.arange(first, min(first + question.config.batch_size, steps + 1), device=start.device)
        counts = (turned * pixels / steps).round().view(-1, 1, 1, 1)
        points.append(question.probability(torch.where(rank < counts, end, start)))
    return torch.cat(points)


def _area(curve: Tensor) -> float:
    """Under a curve over [0, 1], by trapezoids."""
    return float(torch.trapezoid(curve) / (len(curve) - 1))


def _stages(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The model's parts that hold weights, from input to output; a wrapper around one part is looked into."""
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
    """Spearman's; 0 where a map is the same everywhere and ranks nothing."""
    if one.amin() == one.amax() or other.amin() == other.amax():
        return 0.0
    return float(spearmanr(one.flatten().cpu().numpy(), other.flatten().cpu().numpy()).statistic)
