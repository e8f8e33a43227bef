"""True effects: how much the logit of a class falls when an object is left out of the same room."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepdream.models import Network
from deepdream.models.probing import evaluating
from deepdream.rooms import BACKGROUND, Room

NOISES = 6  # renderings that differ in sensor noise alone
FLOOR = 2.0  # standard deviations of the logit over them; a smaller effect is none
LEAST_SHARE = 0.001  # of the image; a smaller object counts as background
PAIRED = 4  # objects of the largest effects whose interactions are measured

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Effects:
    """A room, and what its objects do to the logit of a class.

    image: float32 (3, H, W) in [0, 1]. target: index of the class. label: the room's own class.
    objects: the names; the last is the background, which cannot be left out: its walls turn blank.
    owners: (H, W), the place in `objects` of what a pixel shows.
    logit: of the class, by object: the logit of the room minus that without the object; probability: the same.
    replaced: the logit of the room minus that with the object in other colours, by object.
    floor: effects on the logit from -floor to floor are no larger than those of sensor noise.
    interactions: of pairs of objects: the effect of both together minus the sum of their effects.
    noisy, other_walls: the image with other sensor noise, and with walls of other colours.
    """

    image: Tensor
    label: str
    target: int
    predicted: int
    objects: tuple[str, ...]
    owners: NDArray[np.intp]
    logit: Values
    probability: Values
    replaced: Values
    floor: float
    interactions: dict[tuple[str, str], float]
    noisy: Tensor
    other_walls: Tensor

    @property
    def areas(self) -> Values:
        """The share of the image that each object covers."""
        return np.bincount(self.owners.ravel(), minlength=len(self.objects)) / self.owners.size

    @property
    def true(self) -> Values:
        """`logit`, 0 where it is no larger than the effect of sensor noise."""
        return np.where(np.abs(self.logit) > self.floor, self.logit, 0.0)


def measure_effects(network: Network, room: Room, *, target: str | int | None = None) -> Effects:
    """The true effects of the objects of a room on the logit of `target`; None is the network's prediction."""
    least = LEAST_SHARE * room.size**2
    pixels = np.bincount(room.owners.ravel(), minlength=len(room.names))
    names = [name for name in room.objects if pixels[room.names.index(name)] >= least]
    objects = (*names, BACKGROUND)
    full = room.image()
    noisy = [room.image(noise=number) for number in range(1, NOISES + 1)]
    walls = room.image(repainted=[BACKGROUND])
    variants = [full, *noisy, *(room.image(without=[name]) for name in objects)]
    variants += [*(room.image(repainted=[name]) for name in names), walls]
    logits = _logits(network, variants)
    predicted = int(logits[0].argmax())
    index = predicted if target is None else network.class_index(target)
    logit, probability = logits[:, index].double().numpy(), logits.double().softmax(dim=1)[:, index].numpy()
    without = slice(1 + NOISES, 1 + NOISES + len(objects))
    effect: Values = logit[0] - logit[without]
    # Of two renderings the difference has the variance of both.
    floor = FLOOR * 2**0.5 * float(logit[: 1 + NOISES].std(ddof=1))
    return Effects(
        image=_tensor(full),
        label=room.label,
        target=index,
        predicted=predicted,
        objects=objects,
        owners=_owners(room, names),
        logit=effect,
        probability=probability[0] - probability[without],
        replaced=logit[0] - logit[without.stop :],
        floor=floor,
        interactions=_interactions(network, room, index, dict(zip(names, effect[:-1], strict=True)), float(logit[0])),
        noisy=_tensor(noisy[0]),
        other_walls=_tensor(walls),
    )


def _owners(room: Room, names: list[str]) -> NDArray[np.intp]:
    """`room.owners`, counted in `names`; all other objects are background, len(names)."""
    places = [names.index(name) if name in names else len(names) for name in room.names]
    return np.array(places, np.intp)[room.owners]


def _interactions(
    network: Network, room: Room, index: int, effects: dict[str, float], logit: float
) -> dict[tuple[str, str], float]:
    strongest = sorted(effects, key=lambda name: -abs(effects[name]))[:PAIRED]
    pairs = list(combinations(sorted(strongest), 2))
    if not pairs:
        return {}
    logits = _logits(network, [room.image(without=pair) for pair in pairs])[:, index].double().numpy()
    return {
        pair: float(logit - value - effects[pair[0]] - effects[pair[1]])
        for pair, value in zip(pairs, logits, strict=True)
    }


@torch.no_grad()
def _logits(network: Network, images: list[NDArray[np.uint8]]) -> Tensor:
    """Float32 (N, classes), on the CPU; without autocast, so that small effects are exact."""
    batch = torch.stack([_tensor(image) for image in images])
    with evaluating(network.model):
        logits: Tensor = network.model(network.model_input(batch))
    return logits.float().cpu()


def _tensor(image: NDArray[np.uint8]) -> Tensor:
    """(H, W, 3) uint8 -> float32 (3, H, W) in [0, 1]."""
    return torch.from_numpy(image.copy()).permute(2, 0, 1).float() / 255
