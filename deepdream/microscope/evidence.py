"""What single images tell of the channels: predictions, contributions to them, and removals of channels.

The contribution of a channel to a logit is its activation times the gradient of the logit, summed over the positions;
the logit counts relative to the mean of all logits, which softmax does not see. Behind average pooling and a linear
layer it is exact: weight times mean activation. Elsewhere it is the first-order effect of setting the channel to zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepdream.acceleration import accelerated_copy
from deepdream.explaining import ExplainConfig
from deepdream.explaining.cam_methods import gradcam
from deepdream.explaining.context import attribution_context
from deepdream.explaining.explanation import heatmap
from deepdream.microscope.channel_statistics import response
from deepdream.microscope.image_set import Batch
from deepdream.microscope.streaming import Pass
from deepdream.models import Layer, Network
from deepdream.models.replacing import output_and_logits, passes_all, run_replaced
from deepdream.models.taps import LOGITS, Taps
from deepdream.scenes.transforms import normalize_uint8

TOP = 5  # predictions of an image
STRONGEST = 8  # channels of an image and layer
HEAT_SIDE = 16  # of a Grad-CAM map
EXACT = 1e-3  # relative difference up to which a gradient is that of a linear layer behind average pooling


@dataclass(frozen=True)
class LayerEvidence:
    """Of one layer, over n images.

    strongest: channels with the highest peaks, in standard deviations above their mean peak; values beside them.
    removed: channels with the largest contributions to the prediction; drops: by how much its probability falls when
        the channel is set to zero, highest first. All (n, some).
    contributions: the mean contribution of each channel to each class, (classes, C). exact: over all images, and exact;
        otherwise over the images that are predicted as the class, zeros where there are none.
    means: the mean activations, (n, C).
    """

    strongest: npt.NDArray[np.int64]
    strengths: npt.NDArray[np.float32]
    removed: npt.NDArray[np.int64]
    drops: npt.NDArray[np.float32]
    contributions: npt.NDArray[np.float64]
    exact: bool
    means: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Evidence:
    """Of n images. top: the most probable classes, (n, TOP). probabilities: theirs. heat: Grad-CAM of the prediction,
    uint8 (n, HEAT_SIDE, HEAT_SIDE). layers: by name, in order."""

    top: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    heat: npt.NDArray[np.uint8]
    layers: dict[str, LayerEvidence]

    def most_similar(self, count: int) -> npt.NDArray[np.int64]:
        """For each image the `count` most similar others, by the cosine of their means in the deepest layer."""
        values = list(self.layers.values())[-1].means
        values = values - values.mean(axis=0)
        values = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
        similarity = values @ values.T
        np.fill_diagonal(similarity, -np.inf)
        order: npt.NDArray[np.int64] = np.argsort(-similarity, axis=1, kind="stable")[:, : min(count, len(values) - 1)]
        return order


@dataclass
class _Found:
    """What is collected of a layer, batch by batch."""

    strongest: list[Tensor] = field(default_factory=list)
    strengths: list[Tensor] = field(default_factory=list)
    removed: list[Tensor] = field(default_factory=list)
    drops: list[Tensor] = field(default_factory=list)
    means: list[Tensor] = field(default_factory=list)
    exact: bool = True
    passes_all: bool | None = None  # see `replacing.passes_all`; None until the first batch


def examine(
    network: Network,
    layers: Sequence[Layer],
    batches: Iterable[Batch],
    found: Pass,
    *,
    removals: int,
    device: torch.device,
    on_batch: Callable[[int], None] | None = None,
) -> Evidence:
    """The evidence of the images of `batches`, in float32. removals: channels that are removed of each image and layer.

    on_batch: called with the number of images done so far.
    """
    model = accelerated_copy(network.model, torch.float32, device, [layer.name for layer in layers])
    collected = {layer.name: _Found() for layer in layers}
    classes = len(network.classes)
    sums = {layer.name: torch.zeros(classes, layer.channels, dtype=torch.float64) for layer in layers}
    counts = torch.zeros(classes, 1, dtype=torch.float64)
    top, probabilities, heat = [], [], []
    config = ExplainConfig.preset()
    for batch in batches:
        pixels = batch.images.to(device)
        x = normalize_uint8(pixels, network.mean, network.std).requires_grad_()
        with Taps(model, layers, logits=True) as taps:
            features = taps.run(x)
            logits = features[LOGITS]
            predicted = logits.argmax(dim=1)
            gradients = taps.gradients((logits.gather(1, predicted[:, None])[:, 0] - logits.mean(dim=1)).sum())
        shares = logits.detach().float().softmax(dim=1)
        highest = shares.topk(min(TOP, classes), dim=1)
        top.append(highest.indices.cpu())
        probabilities.append(highest.values.cpu())
        counts += F.one_hot(predicted.cpu(), classes).sum(dim=0)[:, None]
        for layer in layers:
            maps, of = features[layer.name].detach(), collected[layer.name]
            contribution = (maps * gradients[layer.name]).sum(dim=(2, 3))  # (N, C)
            sums[layer.name].index_add_(0, predicted.cpu(), contribution.double().cpu())
            of.exact = of.exact and _is_linear(model, gradients[layer.name], predicted)
            measured = response(maps)
            of.means.append(measured.mean.cpu())
            mean, std = (torch.from_numpy(each).to(maps) for each in found.layers[layer.name].peak_moments)
            strength = (measured.peak - mean) / std.clamp_min(1e-6)
            strongest = strength.topk(min(STRONGEST, layer.channels), dim=1)
            of.strongest.append(strongest.indices.cpu())
            of.strengths.append(strongest.values.cpu())
            candidates = contribution.topk(min(removals, layer.channels), dim=1).indices
            removed, drops = _removed(model, layer, x.detach(), candidates, predicted, of)
            of.removed.append(removed)
            of.drops.append(drops)
        heat += [_heat(network, image, config) for image in pixels.float() / 255]
        if on_batch is not None:
            on_batch(batch.first + len(batch.images))
    evidence = {}
    for layer in layers:
        of, mean = collected[layer.name], found.layers[layer.name].arrays["mean_sum"].sum(axis=0)
        if of.exact:
            weight = _last_linear(model)
            assert weight is not None
            everywhere = mean / max(1, int(found.layers[layer.name].arrays["class_count"].sum()))
            contributions = (weight - weight.mean(dim=0)).double().cpu().numpy() * everywhere
        else:
            contributions = (sums[layer.name] / counts.clamp_min(1)).numpy()
        evidence[layer.name] = LayerEvidence(
            torch.cat(of.strongest).numpy(),
            torch.cat(of.strengths).numpy(),
            torch.cat(of.removed).numpy(),
            torch.cat(of.drops).numpy(),
            contributions,
            of.exact,
            torch.cat(of.means).numpy(),
        )
    return Evidence(torch.cat(top).numpy(), torch.cat(probabilities).numpy(), np.stack(heat), evidence)


@torch.no_grad()
def _removed(
    model: nn.Module, layer: Layer, x: Tensor, candidates: Tensor, predicted: Tensor, found: _Found
) -> tuple[Tensor, Tensor]:
    """Each image's candidates (N, R) sorted by how far the predicted class's probability falls without each: (N, R)."""
    if candidates.shape[1] == 0:
        return candidates.cpu(), torch.zeros(candidates.shape)
    output, logits = output_and_logits(model, layer, x)
    if found.passes_all is None:
        found.passes_all = passes_all(model, layer, x, output, logits)
    images = x[:1] if found.passes_all else x

    def probability(logits: Tensor) -> Tensor:
        return logits.float().softmax(dim=1).gather(1, predicted[:, None])

    def without(channels: Tensor) -> Tensor:
        """The logits where channel `channels[i]` of `layer` is zero in image i."""
        changed = output.clone()
        layer.as_map(changed, (x.shape[2], x.shape[3]))[torch.arange(len(changed)), channels] = 0
        return run_replaced(model, layer, changed, images)

    after = torch.cat([probability(without(channels)) for channels in candidates.unbind(dim=1)], dim=1)
    drops, order = (probability(logits) - after).sort(dim=1, descending=True, stable=True)
    return candidates.gather(1, order).cpu(), drops.cpu()


def _last_linear(model: nn.Module) -> Tensor | None:
    """The weight of the last linear layer, (classes, features)."""
    weights = [module.weight.detach() for module in model.modules() if isinstance(module, nn.Linear)]
    return weights[-1] if weights else None


def _is_linear(model: nn.Module, gradients: Tensor, predicted: Tensor) -> bool:
    """Whether the gradients (N, C, H, W) of the predicted logits are those of average pooling and the last layer."""
    weight = _last_linear(model)
    if weight is None or weight.shape[1] != gradients.shape[1] or int(predicted.max()) >= len(weight):
        return False
    expected = (weight[predicted] - weight.mean(dim=0)) / (gradients.shape[2] * gradients.shape[3])  # (N, C)
    error = (gradients - expected[:, :, None, None]).abs().amax()
    return bool(error <= EXACT * expected.abs().amax())


def _heat(network: Network, image: Tensor, config: ExplainConfig) -> npt.NDArray[np.uint8]:
    """Grad-CAM of the prediction for an image (3, S, S) in [0, 1]."""
    with attribution_context(network, image, 0, config=config) as context:
        cam = heatmap(gradcam(context, of_prediction=True), "gradcam")[None, None]
    small = F.interpolate(cam, (HEAT_SIDE, HEAT_SIDE), mode="bilinear", antialias=True)[0, 0]
    heat: npt.NDArray[np.uint8] = small.mul(255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    return heat
