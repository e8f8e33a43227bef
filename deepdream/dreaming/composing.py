"""From the objective as YAML writes it to an Objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deepdream.dreaming import comparisons, objectives
from deepdream.dreaming.config import DreamConfig
from deepdream.dreaming.objectives import Objective
from deepdream.dreaming.selection import Selection, select
from deepdream.models.layers import Layer
from deepdream.schema import did_you_mean

PLAIN: dict[str, Objective] = {
    "mean_square": objectives.mean_square,
    "half_sum_square": objectives.half_sum_square,
    "mean": objectives.mean,
    "total_variation": objectives.total_variation,
    "l2": objectives.l2,
    "style": comparisons.style,
    "content": comparisons.content,
    "diversity": comparisons.diversity,
}


def compose(config: DreamConfig, classes: Sequence[str], layers: list[Layer]) -> Objective:
    """The objective of `config` for a network with `classes` and `layers`, patterns written out.

    Raises ValueError for a layer, channel or class that the network lacks.
    """
    total: Objective | None = None
    for entry in config.terms():
        term = _term(entry["term"], entry, config, classes)
        if entry.get("layers"):
            term = term.at(*entry["layers"])
        term = term if entry["weight"] == 1 else entry["weight"] * term
        total = term if total is None else total + term
    assert total is not None  # the schema asks for one term or more
    return written_out(total.at(*config.layers), layers)


def written_out(objective: Objective, layers: list[Layer]) -> Objective:
    """`objective` with every pattern in its selections replaced by the layers that fit it."""

    def resolve(selections: Sequence[Selection]) -> list[Selection]:
        return select(map(str, selections), layers)

    return objective.resolved(resolve)


def _term(name: str, options: Mapping[str, Any], config: DreamConfig, classes: Sequence[str]) -> Objective:
    if name == "logit":
        return objectives.logit(class_index(options.get("target", config.target), classes))
    if name == "guide":
        return comparisons.guide(config.similarity)
    if name == "direction":
        (layer,) = options.get("layers") or config.layers[:1]
        return objectives.direction(layer, options["vector"])
    if name in ("channel", "unit"):
        parts = [getattr(objectives, name)(text) for text in options.get("layers") or config.layers]
        return objectives.mean.at(*[s for part in parts for s in part.selections])
    return PLAIN[name]


def class_index(target: str | int | None, classes: Sequence[str]) -> int:
    """The number of the class called `target`, or numbered so. Raises ValueError, with close names, where none is."""
    if target is None:
        raise ValueError("the objective logit needs a class; name it with dream.target=<class>")
    if str(target) in classes:
        return list(classes).index(str(target))
    if str(target).isdigit() and int(target) < len(classes):
        return int(target)
    raise ValueError(f"the network knows no class {target!r}{did_you_mean(str(target), classes)}")
