"""Selections of layers, channels and units: `layer4`, `layer4:12`, `layer3:5@10,14`, `layer3.*`, `-0.5*layer2`.

A layer may also be named for any network: `75%` is the block at that share of its depth, and of `relu4_3|layer3|75%`
the first counts that the network has.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from torch import Tensor

from deepdream.models.layers import Layer, choose_layers, layer_at

SYNTAX = (
    "layer4, layer4:12 (a channel), layer4:12@3,5 (a unit), layer3.* (all below layer3), -0.5*layer4 (a weight), "
    "75% (of the network's depth), layer4|75% (the first that there is)"
)
_DEPTH = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)%")
# Possessive (++), so that a long text takes time in proportion to its length.
_PATTERN = re.compile(
    r"(?:(?P<weight>[-+]?(?:\d++(?:\.\d++)?+|\.\d++)(?:e[-+]?\d{1,3})?)\*)?(?P<layer>[^:@*]+(?:\*[^:@*]*)*)"
    r"(?::(?P<channel>\d{1,9})(?:@(?P<row>\d{1,9}),\s*(?P<column>\d{1,9}))?)?"
)


@dataclass(frozen=True)
class Selection:
    """A layer, one channel of it, or one unit (a channel at one position), with a weight.

    layer: the module's dotted name, a pattern, or one of the forms above. channel: None is all. position: row and
    column of the feature map; None is all. weight: a negative one makes the dream reduce the activations.
    """

    layer: str
    channel: int | None = None
    position: tuple[int, int] | None = None
    weight: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Selection:
        """The selection that `text` names. Raises ValueError for text in another form.

        >>> Selection.parse("-0.5*layer3:5@10,14")
        Selection(layer='layer3', channel=5, position=(10, 14), weight=-0.5)
        """
        match = _PATTERN.fullmatch(text.strip())
        weight = 1.0 if match is None or match["weight"] is None else float(match["weight"])
        if match is None or not math.isfinite(weight):
            raise ValueError(f"dream.layers has {text!r}; a layer is written {SYNTAX}")
        channel, row, column = match["channel"], match["row"], match["column"]
        return cls(
            match["layer"],
            None if channel is None else int(channel),
            None if row is None else (int(row), int(column)),
            weight,
        )

    def __str__(self) -> str:
        weight = "" if self.weight == 1 else f"{self.weight!r}*".replace(".0*", "*")
        channel = "" if self.channel is None else f":{self.channel}"
        position = "" if self.position is None else f"@{self.position[0]},{self.position[1]}"
        return f"{weight}{self.layer}{channel}{position}"

    def of(self, feature_map: Tensor) -> Tensor:
        """The selected part of a feature map (N, C, H, W), in four dimensions; the map itself where all is selected."""
        if self.channel is not None:
            feature_map = feature_map[:, self.channel : self.channel + 1]
        if self.position is not None:
            row, column = self.position
            feature_map = feature_map[:, :, row : row + 1, column : column + 1]
        return feature_map


def resolved(text: str, layers: list[Layer]) -> str:
    """`text` with the name of a layer of the network; a pattern stays one. Raises ValueError where there is none."""
    selection = Selection.parse(text)
    layer = _resolved_layer(selection.layer, layers)
    return text if layer == selection.layer else str(replace(selection, layer=layer))


def _resolved_layer(written: str, layers: list[Layer]) -> str:
    """The name, or pattern, that the first alternative in `written` with a layer stands for."""
    names = {layer.alias: layer.name for layer in layers} | {layer.name: layer.name for layer in layers}
    alternatives = [part.strip() for part in written.split("|")]
    for part in alternatives:
        depth = _DEPTH.fullmatch(part)
        if depth is not None:
            return layer_at(_share(depth[1]), layers).name
        if part in names:
            return names[part]
        if "*" in part and any(_matches(layer.name, part) for layer in layers):
            return part
    return alternatives[0]  # which is missing: who reads it says so


def _share(percent: str) -> float:
    share = float(percent) / 100
    if not 0 < share <= 1:
        raise ValueError(f"dream.layers has {percent}%; a depth is more than 0% and at most 100%")
    return share


def expand_patterns(selections: Iterable[Selection], layers: list[Layer]) -> list[Selection]:
    """`selections` with each pattern replaced by the layers that match it, without repeats.

    Raises ValueError for a layer, or a channel of it, that `layers` lacks.
    """
    chosen: dict[Selection, None] = {}
    known = {layer.name: layer for layer in layers}
    for selection in selections:
        written = _resolved_layer(selection.layer, layers)
        names = [written]
        if "*" in written:
            names = [layer.name for layer in layers if _matches(layer.name, written)]
            if not names:
                raise ValueError(f"no layer of the network matches '{selection}' (mode=layers lists all layers)")
        choose_layers(names, layers)
        for name in names:
            channels = known[name].channels
            if selection.channel is not None and selection.channel >= channels:
                raise ValueError(f"there is no '{selection}': {name} has channels 0 to {channels - 1}")
            chosen[replace(selection, layer=name)] = None
    return list(chosen)


def _matches(name: str, pattern: str) -> bool:
    """Whether a layer's name matches a pattern level by level; only * has a meaning."""
    levels, patterns = name.split("."), pattern.replace("[", "[[]").replace("?", "[?]").split(".")
    return len(levels) == len(patterns) and all(map(fnmatchcase, levels, patterns))
