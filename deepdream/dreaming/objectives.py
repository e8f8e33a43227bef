"""Objectives: weighted sums of terms that a dream maximises, and how the configuration writes them.

    mean_square.at("layer3") + 0.5 * channel("layer4:12") - 0.1 * total_variation

is an objective; the YAML files of conf/dream write the same as names with weights. The terms are in `terms`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from deepdream.dreaming.config import OBJECTIVES, DreamConfig
from deepdream.dreaming.selection import Selection, expand_patterns, resolved
from deepdream.models import Network
from deepdream.models.layers import Layer
from deepdream.models.taps import LOGITS

BATCH = "batch"  # what an objective needs that compares the images of a batch with each other


@dataclass(frozen=True)
class Activations:
    """What an objective is computed from.

    maps: feature maps (N, C, H, W) by layer; under LOGITS the network's logits (N, classes).
    image: in [0, 1], (N, 3, H, W).
    guide, content: feature maps of the guide image, and of the undreamed image, by layer.
    dtype: to compute in; None is that of the maps.
    """

    maps: Mapping[str, Tensor]
    image: Tensor | None = None
    guide: Mapping[str, Tensor] = field(default_factory=dict)
    content: Mapping[str, Tensor] = field(default_factory=dict)
    dtype: torch.dtype | None = None

    def select(self, selection: Selection) -> Tensor:
        """The selected activations (N, C, H, W), cast to `dtype`."""
        return selection.of(self.maps[selection.layer]).to(self.dtype)

    def logits(self) -> Tensor:
        """The network's logits (N, classes), cast to `dtype`."""
        return self.maps[LOGITS].to(self.dtype)


Measure = Callable[[Activations, Sequence[Selection]], Tensor]


@dataclass(frozen=True)
class Term:
    """One term of an objective: `weight` times `measure` of the selections.

    selections: None takes those of the dream. needs: of layers, image, guide, content, logits and batch.
    """

    name: str
    measure: Measure
    selections: tuple[Selection, ...] | None = None
    weight: float = 1.0
    needs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Objective:
    """A weighted sum of terms. Called with Activations, or with feature maps by layer, it returns a value per image."""

    terms: tuple[Term, ...]

    def __call__(self, activations: Activations | Mapping[str, Tensor]) -> Tensor:
        """The objective of each image, (N,)."""
        if not isinstance(activations, Activations):
            activations = Activations(activations)
        everything = [Selection(name) for name in activations.maps if name != LOGITS]
        values = []
        for term in self.terms:
            value = term.measure(activations, everything if term.selections is None else term.selections)
            values.append(value if term.weight == 1 else term.weight * value)
        return values[0] if len(values) == 1 else torch.stack(values).sum(dim=0)

    def at(self, *layers: str | Selection) -> Objective:
        """The same objective of these layers, in the terms that have no selections yet."""
        chosen = tuple(Selection.parse(layer) if isinstance(layer, str) else layer for layer in layers)
        return Objective(tuple(replace(t, selections=chosen) if t.selections is None else t for t in self.terms))

    def expanded(self, layers: list[Layer]) -> Objective:
        """The same objective with each pattern in its selections replaced by the layers that match it.

        Raises ValueError for a layer, or a channel of it, that `layers` lacks.
        """
        return Objective(
            tuple(
                t if t.selections is None else replace(t, selections=tuple(expand_patterns(t.selections, layers)))
                for t in self.terms
            )
        )

    @property
    def layers(self) -> list[str]:
        """The layers to tap, without repeats."""
        return list(dict.fromkeys(selection.layer for selection in self.selections))

    @property
    def selections(self) -> list[Selection]:
        """The selections of all terms that need layers."""
        return [s for term in self.terms if "layers" in term.needs for s in term.selections or ()]

    @property
    def is_of_channels(self) -> bool:
        """Whether it selects single channels, which may all be inactive (zero after their ReLU) in an image."""
        return any(selection.channel is not None for selection in self.selections)

    def needs(self, what: str) -> bool:
        """Whether a term needs `what`: layers, image, guide, content, logits or batch."""
        return any(what in term.needs for term in self.terms)

    def __add__(self, other: Objective) -> Objective:
        return Objective(self.terms + other.terms)

    def __mul__(self, weight: float) -> Objective:
        return Objective(tuple(replace(term, weight=weight * term.weight) for term in self.terms))

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        return -1 * self

    def __sub__(self, other: Objective) -> Objective:
        return self + -1 * other


def objective(name: str, measure: Measure, *needs: str, selections: tuple[Selection, ...] | None = None) -> Objective:
    """An objective of one term."""
    return Objective((Term(name, measure, selections, needs=frozenset(needs)),))


def resolve_layers(config: DreamConfig, layers: list[Layer]) -> DreamConfig:
    """`config` with the names of this network's layers, in place of depths, alternatives and aliases.

    Raises ValueError for a layer that `layers` lacks.
    """

    def names(texts: Sequence[str]) -> list[str]:
        return [resolved(text, layers) for text in texts]

    objective = config.objective
    if isinstance(objective, list):
        objective = [
            {**entry, **({"layers": names(entry["layers"])} if "layers" in entry else {})} for entry in objective
        ]
    return replace(config, layers=names(config.layers), objective=objective)


def build_objective(config: DreamConfig, network: Network, layers: list[Layer]) -> Objective:
    """The objective that `config` names, for `network` with `layers`; patterns are expanded.

    Raises ValueError for a layer, channel or class that the network lacks.
    """
    total: Objective | None = None
    for entry in config.terms():
        term = _named_term(entry, config, network)
        if entry.get("layers"):
            term = term.at(*entry["layers"])
        term = term if entry["weight"] == 1 else entry["weight"] * term
        total = term if total is None else total + term
    assert total is not None  # DreamConfig.terms returns at least one
    return total.at(*config.layers).expanded(layers)


def _named_term(entry: Mapping[str, Any], config: DreamConfig, network: Network) -> Objective:
    name, registered = entry["term"], OBJECTIVES[entry["term"]]
    if isinstance(registered, Objective):
        return registered
    if name == "guide":
        return registered(config.similarity)  # type: ignore[no-any-return]
    layers = entry.get("layers") or config.layers
    if name == "logit":
        target = entry.get("target", config.target)
        if target is None:
            raise ValueError("the objective logit needs a class; name it with target=<class>")
        return registered(network.class_index(target))  # type: ignore[no-any-return]
    if name == "direction":
        if len(entry.get("layers") or ()) > 1:
            raise ValueError("dream.objective: direction takes one layer; write a term for each")
        return registered(layers[0], entry["vector"])  # type: ignore[no-any-return]
    parts = [registered(text) for text in layers]  # channel, unit
    return OBJECTIVES["mean"].at(*[s for part in parts for s in part.selections])  # type: ignore[no-any-return]
