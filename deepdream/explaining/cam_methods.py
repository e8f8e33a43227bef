"""Class activation maps: AttributionContext -> evidence from the feature maps of one layer, (H, W), 0 or more.

All of them read the layer in `layer_maps`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from captum.attr import GuidedBackprop
from torch import Tensor, nn

from deepdream.explaining.config import METHODS
from deepdream.explaining.context import AttributionContext
from deepdream.explaining.gradient_methods import over_channels, without_notices
from deepdream.models.layers import Layer, blocks, choose_layers
from deepdream.models.taps import LOGITS, Taps


@METHODS.register("Grad-CAM", "where did the last stage find evidence", "1 pass")
def gradcam(context: AttributionContext, *, of_prediction: bool = False) -> Tensor:
    """Grad-CAM (Selvaraju et al. 2017): the layer's channels, weighted by their mean gradient.

    of_prediction: see `layer_maps`.
    """
    activation, gradient = layer_maps(context, of_prediction=of_prediction)
    return _enlarged(gradient.mean(dim=(2, 3), keepdim=True) * activation, context.image)


@METHODS.register("Grad-CAM++", "the same, for several objects of the class", "1 pass")
def gradcam_plus_plus(context: AttributionContext) -> Tensor:
    """Grad-CAM++ (Chattopadhay et al. 2018), for a score that is the exponential of the logit.

    Positive gradients g are weighted by g^2 / (2 g^2 + g^3 * sum of the channel's activations).
    """
    activation, gradient = layer_maps(context)
    total = activation.sum(dim=(2, 3), keepdim=True)
    divisor = 2 * gradient**2 + total * gradient**3
    share = torch.where(gradient != 0, gradient**2 / (divisor + 1e-6), 0)  # 1e-6 as in the grad-cam package
    weights = (gradient.relu() * share).sum(dim=(2, 3), keepdim=True)
    return _enlarged(weights * activation, context.image)


@METHODS.register("HiResCAM", "the same, only positions that raised the logit", "1 pass")
def hirescam(context: AttributionContext) -> Tensor:
    """HiResCAM (Draelos & Carin 2020): each activation times its own gradient, not the channel's mean.

    Where only average pooling and a linear layer follow, it is Grad-CAM, and adds up to the logit without its bias.
    """
    activation, gradient = layer_maps(context)
    return _enlarged(gradient * activation, context.image)


@METHODS.register("LayerCAM", "the same, fine enough for early stages (explain.layer=layer2)", "1 pass")
def layercam(context: AttributionContext) -> Tensor:
    """LayerCAM (Jiang et al. 2021): each activation times its own gradient where that is positive."""
    activation, gradient = layer_maps(context)
    return _enlarged(gradient.relu() * activation, context.image)


@METHODS.register("Score-CAM", "the same, without gradients", "1 image per channel: 512 or 2,048")
def scorecam(context: AttributionContext) -> Tensor:
    """Score-CAM (Wang et al. 2020): channels, weighted by the softmax of the score of the image masked by each.

    Departs from the paper: channels that are zero everywhere are left out. They change no map, only its scale. With
    config.score_cam_share < 1 only that share of the others counts, those with the largest means.
    """
    image = context.image
    activation, _ = layer_maps(context)
    means = activation[0].mean(dim=(1, 2))
    active = int(activation[0].flatten(1).any(dim=1).sum())
    count = max(1, round(context.config.score_cam_share * active))
    chosen = activation[0, means.abs().argsort(descending=True, stable=True)[:count]]  # (channels, h, w)
    scores = []
    for channels in torch.split(chosen, context.config.batch_size):
        masks = F.interpolate(channels[:, None], image.shape[2:], mode="bilinear")
        low, high = masks.amin(dim=(2, 3), keepdim=True), masks.amax(dim=(2, 3), keepdim=True)
        scores.append(context.scores(image * (masks - low) / (high - low + 1e-8)))
    weights = torch.cat(scores).softmax(dim=0).to(chosen)
    return _enlarged((weights[:, None, None] * chosen)[None], image)


@METHODS.register("Eigen-CAM", "what the last stage saw, whatever the class", "1 pass")
def eigencam(context: AttributionContext) -> Tensor:
    """Eigen-CAM (Muhammad & Yeasin 2020): the layer's maps along their first principal component, for no class.

    Departs from the paper as the grad-cam package does: the maps are centred first. A principal component has no sign;
    it is chosen so that positions with large activations are positive.
    """
    activation, _ = layer_maps(context)
    _, channels, height, width = activation.shape
    points = activation[0].reshape(channels, -1).t()  # (positions, channels)
    centred = points - points.mean(dim=0)
    axis = torch.linalg.svd(centred, full_matrices=False).Vh[0]
    projection = centred @ axis
    sign = torch.sign(projection @ centred.sum(dim=1)) or 1
    return _enlarged((sign * projection).view(1, 1, height, width), context.image)


@METHODS.register("guided Grad-CAM", "which edges there", "2 passes", is_grainy=True)
def guided_gradcam(context: AttributionContext) -> Tensor:
    """Guided backpropagation (Springenberg et al. 2014) times Grad-CAM (Selvaraju et al. 2017)."""
    if not any(isinstance(module, nn.ReLU) for module in context.model.modules()):
        raise ValueError("guided_gradcam needs nn.ReLU modules; the network has none")
    with without_notices():
        guided = GuidedBackprop(context.scorer).attribute(context.leaf())
    return over_channels(guided) * gradcam(context)


def cam_layer(context: AttributionContext) -> Layer:
    """The layer that config.layer names; for None the deepest block with a map of 2x2 positions or more.

    That is layer4 of a ResNet. Of a transformer that reads its class token it is the last but one block: no logit
    depends on the other tokens of the last. Raises ValueError, with similar names, for a layer that the network lacks.
    """
    layers, name = context.network.probe.layers, context.config.layer
    if name is not None:
        (layer,) = choose_layers([name], layers)
        return layer
    large = large_blocks(layers, context.network.input_sizes.only or min(context.image.shape[2:]))
    if not large:
        height, width = context.image.shape[2:]
        raise ValueError(f"the image is {width}x{height}: no layer has a map of 2x2 positions; use a larger image")
    if not large[-1].extra_tokens:
        return large[-1]
    with Taps(context.model, large, logits=True) as taps:
        gradients = taps.gradients(context.score(taps.run(context.leaf())[LOGITS])[0])
    return next((layer for layer in reversed(large) if gradients[layer.name].any()), large[-1])


def large_blocks(layers: Sequence[Layer], side: int) -> list[Layer]:
    """The blocks with a map of 2x2 positions or more of an image of this side, in their order."""
    return [layer for layer in blocks(layers) if 2 * layer.stride <= side]


def layer_maps(context: AttributionContext, *, of_prediction: bool = False) -> tuple[Tensor, Tensor]:
    """The feature map of `cam_layer`, and the gradient of the score there: (1, C, h, w) each.

    of_prediction: of the highest logit in place of the target's, which needs no forward pass to find it.
    """
    layer = cam_layer(context)
    with Taps(context.model, [layer], logits=True) as taps:
        found = taps.run(context.leaf())
        logits = found[LOGITS]
        gradients = taps.gradients(logits[0].amax() if of_prediction else context.score(logits)[0])
    return found[layer.name].detach(), gradients[layer.name]


def _enlarged(maps: Tensor, image: Tensor) -> Tensor:
    """Where the sum over the channels of `maps` (1, C, h, w) is positive, enlarged to the size of the image: (H, W)."""
    cam = maps.sum(dim=1, keepdim=True).relu()
    return F.interpolate(cam, image.shape[2:], mode="bilinear")[0, 0]
