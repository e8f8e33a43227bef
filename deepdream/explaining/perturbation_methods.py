"""Attribution methods that perturb the image: AttributionContext -> signed evidence per pixel, (H, W).

They measure the probability of the target, as in the papers; against another class the difference of the logits.
"""

from __future__ import annotations

import math
import warnings

import torch
from captum.attr import Occlusion
from skimage.segmentation import slic
from torch import Tensor

from deepdream.explaining.config import METHODS
from deepdream.explaining.context import AttributionContext
from deepdream.explaining.surrogates import Response, lime_surrogate, shapley_values


@METHODS.register("occlusion", "what a grey square over the region changes", "300 images")
def occlusion(context: AttributionContext) -> Tensor:
    """The fall of the probability when a square of mean colour covers the place (Zeiler & Fergus 2014)."""
    config, image = context.config, context.image
    shorter = min(image.shape[2:])
    window = max(1, round(config.occlusion_window * shorter))
    stride = min(window, max(1, round(config.occlusion_stride * shorter)))
    with torch.no_grad():
        falls: Tensor = Occlusion(context.response).attribute(
            image,
            sliding_window_shapes=(3, window, window),
            strides=(3, stride, stride),
            baselines=0,
            perturbations_per_eval=config.batch_size,
        )
    return falls[0, 0]  # the same in each channel


@METHODS.register("LIME", "which of about 50 superpixels the prediction depends on", "up to 1,000 images")
def lime(context: AttributionContext) -> Tensor:
    """LIME (Ribeiro et al. 2016): each pixel has the weight of its superpixel, see `lime_weights`."""
    segments = superpixels(context)
    return lime_weights(context, segments)[segments]


def lime_weights(context: AttributionContext, segments: Tensor) -> Tensor:
    """The weight of each superpixel in a linear model of the network around the image: float32 (segments,).

    A ridge regression of the probability on the visible superpixels, over at most config.lime_samples images that hide
    half of them behind their mean colour, weighted by a kernel on the cosine distance to the whole image, as in the
    lime package; config.lime_precision stops it earlier. segments: int64 (H, W), numbered from 0.
    """
    config = context.config
    weights = lime_surrogate(
        _response_to_visible(context, segments),
        int(segments.max()) + 1,
        samples=config.lime_samples,
        precision=config.lime_precision,
        is_probability=context.against is None,
        seed=context.seed,
    )
    return weights.to(context.image.device, torch.float32)


@METHODS.register("KernelSHAP", "how the superpixels add up to the probability", "1,000 images")
def kernel_shap(context: AttributionContext) -> Tensor:
    """KernelSHAP (Lundberg & Lee 2017) over superpixels hidden behind their mean colour.

    The weights are estimates of Shapley values: they add up to the gain in probability over an image in which every
    superpixel is hidden.
    """
    segments = superpixels(context)
    return kernel_shap_values(context, segments)[segments]


def kernel_shap_values(context: AttributionContext, segments: Tensor) -> Tensor:
    """The Shapley value of each superpixel: float32 (segments,). segments: int64 (H, W), from 0.

    Estimated from config.kernel_shap_samples images; exact where these are enough for all combinations.
    """
    values = shapley_values(
        _response_to_visible(context, segments),
        int(segments.max()) + 1,
        samples=context.config.kernel_shap_samples,
        is_probability=context.against is None,
        seed=context.seed,
    )
    return values.to(context.image.device, torch.float32)


def superpixels(context: AttributionContext) -> Tensor:
    """SLIC superpixels (Achanta et al. 2012), about config.superpixels of them: int64 (H, W), numbered from 0."""
    image = context.image[0].permute(1, 2, 0).float().cpu()  # (H, W, 3)
    low, high = image.amin(), image.amax()
    image = (image - low) / (high - low).clamp(min=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about an image of one colour, which gives one superpixel
        found = slic(image.numpy(), n_segments=context.config.superpixels, compactness=10, sigma=1, start_label=0)
    segments = torch.from_numpy(found).long()
    if int(segments.max()) < 3:  # no edges: a grid
        segments = _grid(segments.shape[0], segments.shape[1], context.config.superpixels)
    return segments.to(context.image.device)


def mean_colours(image: Tensor, segments: Tensor) -> Tensor:
    """The image with each superpixel in the mean colour of its pixels: (1, 3, H, W)."""
    count = int(segments.max()) + 1
    index = segments.flatten().expand(3, -1)  # (3, H * W)
    sums = image.new_zeros(3, count).scatter_add_(1, index, image[0].flatten(1))
    sizes = torch.bincount(segments.flatten(), minlength=count).clamp(min=1)
    return (sums / sizes)[:, segments][None]


def _response_to_visible(context: AttributionContext, segments: Tensor) -> Response:
    """The response, (N,), as a function of the visible superpixels, (N, segments) of 0 and 1."""
    image, hidden = (  # (H, W, 3), the memory order of channels-last images
        x[0].permute(1, 2, 0) for x in (context.image, mean_colours(context.image, segments))
    )

    def response(visible: Tensor) -> Tensor:
        answers = []
        for batch in torch.split(visible.to(segments.device), context.config.batch_size):
            mixed = torch.where((batch > 0)[:, segments, None], image, hidden)  # (N, H, W, 3)
            answers.append(context.response(mixed.permute(0, 3, 1, 2)))
        return torch.cat(answers)

    return response


def _grid(height: int, width: int, count: int) -> Tensor:
    """About `count` squares, numbered from 0: int64 (H, W)."""
    side = max(1, round(math.sqrt(height * width / count)))
    rows, columns = torch.arange(height) // side, torch.arange(width) // side
    return rows[:, None] * (int(columns.max()) + 1) + columns
