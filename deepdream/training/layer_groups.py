"""The layers of a network from input to output: freeze some of them, and train the early ones more slowly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from deepdream.schema import did_you_mean

NORMS = (_BatchNorm, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
STEM = "stem"


def layer_indices(model: nn.Module) -> dict[str, int]:
    """The layer of each parameter, by the parameter's name: 0 is the stem, each residual block is one, then the head.

    A network of timm says so itself (`group_matcher`). In any other, a block is a module with two weights or more that
    is neither a container nor a backbone, which holds more than half of the network. What precedes the first block is
    the stem, what stands between two blocks belongs to the second, a norm right after a block to that block, what
    follows the last to the head. Without blocks (VGG), each module with parameters is a layer, together with its norm.

    >>> layer_indices(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, bias=False)))
    {'0.weight': 0, '0.bias': 0, '1.weight': 0, '1.bias': 0, '2.weight': 1}
    """
    if callable(matcher := getattr(model, "group_matcher", None)):
        from timm.models import group_parameters

        indices: dict[str, int] = group_parameters(model, matcher(coarse=False), reverse=True)
        return indices
    units = _units(model)
    is_block = [unit.weights >= 2 for unit in units]
    first = is_block.index(True) if any(is_block) else 0
    index = 0
    found: dict[str, int] = {}
    for number, unit in enumerate(units):
        follows_layer = not any(is_block) or is_block[number - 1] or number == first
        index += number > 0 and number >= first and follows_layer
        found |= dict.fromkeys(unit.parameters, index)
    # Parameters beside the units: class tokens, position embeddings.
    return {name: found.get(name, 0) for name, _ in model.named_parameters()}


def freeze(model: nn.Module, names: Sequence[str]) -> str:
    """Freeze the parts `names` of `model`: their parameters require no gradient. Returns a line that says how many.

    names: of modules or parameters ("layer1", "features.0"), patterns of them ("blocks.[0-5]", "layer?"), or "stem" for
        what precedes the first block. The batch norms of a frozen part keep their statistics: see `keep_frozen_norms`.

    Raises ValueError, in one line, for a name that matches nothing, and where nothing is left to train.
    """
    stem = [name for name, index in layer_indices(model).items() if index == 0]
    known = [name for name, _ in model.named_modules() if name] + [name for name, _ in model.named_parameters()]
    frozen: set[str] = set()
    for name in names:
        parts = [part for part in known if fnmatchcase(part, name)]
        found = {
            parameter
            for parameter, _ in model.named_parameters()
            if any(parameter == part or parameter.startswith(f"{part}.") for part in parts)
        }
        if not parts and name == STEM:
            found = set(stem)
        if not found:
            parts = _part_names(model)
            raise ValueError(
                f"optimizer.freeze has {name!r}, which is no part of the network with parameters"
                f"{did_you_mean(name, [*parts, *known]) or '.'} Its parts are {', '.join(parts)}"
            )
        frozen |= found
    for name, parameter in model.named_parameters():
        if name in frozen:
            parameter.requires_grad_(False)
    total = sum(parameter.numel() for parameter in model.parameters())
    left = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    if left == 0:
        raise ValueError(f"optimizer.freeze is [{', '.join(names)}], which leaves nothing to train")
    return f"frozen: {', '.join(names)}; {left:,} of {total:,} parameters train"


def keep_frozen_norms(model: nn.Module) -> None:
    """Put the batch norms whose own parameters are frozen into eval mode: they keep and use their statistics."""
    for module in model.modules():
        parameters = list(module.parameters(recurse=False)) if isinstance(module, _BatchNorm) else []
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()


@dataclass(frozen=True)
class _Unit:
    """A module that is a layer or part of one, with the norm behind it.

    weights: how many of its parameters have two dimensions or more.
    """

    parameters: list[str]
    weights: int


def _units(model: nn.Module) -> list[_Unit]:
    """The modules with parameters, in order. Opened are containers, and backbones: more than half of the network."""
    half = sum(parameter.numel() for parameter in model.parameters()) / 2
    units: list[_Unit] = []

    def add(module: nn.Module, place: str) -> None:
        is_first = True
        for name, child in module.named_children():
            parameters = dict(child.named_parameters(f"{place}{name}"))
            if not parameters:
                continue
            # Inside a container a large module is a block: the last one of a ResNet-10 is most of the network.
            is_backbone = module is model or not isinstance(module, CONTAINERS)
            is_backbone = is_backbone and sum(parameter.numel() for parameter in parameters.values()) > half
            if any(True for _ in child.children()) and (is_backbone or isinstance(child, CONTAINERS)):
                add(child, f"{place}{name}.")
            elif isinstance(child, NORMS) and not is_first:
                units[-1].parameters.extend(parameters)
            else:
                units.append(_Unit(list(parameters), sum(parameter.dim() > 1 for parameter in parameters.values())))
            is_first = False

    add(model, "")
    return units


def _part_names(model: nn.Module) -> list[str]:
    """What an error lists: the parts of the network, and those of a part that holds more than half of it."""
    total = sum(parameter.numel() for parameter in model.parameters())
    names: list[str] = [] if hasattr(model, STEM) else [STEM]
    for name, child in model.named_children():
        size = sum(parameter.numel() for parameter in child.parameters())
        if size:
            names.append(name)
        if size > total / 2:
            names += [
                f"{name}.{part}" for part, inner in child.named_children() if any(True for _ in inner.parameters())
            ]
    return names
