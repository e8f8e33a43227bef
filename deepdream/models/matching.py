"""Weights under the names of a model: prefixes and old names of others' files are understood, differences named."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

Weights = Mapping[str, Tensor]

WRAPPERS = {"module", "_orig_mod"}  # nn.DataParallel and torch.compile put them into names, at any depth
COUNTER = "num_batches_tracked"  # of a batch norm: unused in evaluation, and missing in files before PyTorch 0.4
AUXILIARY = {"aux1", "aux2", "AuxLogits"}  # the classifiers of GoogLeNet and Inception v3 that only train
# Names of older versions of torchvision: of DenseNet, and of the vision transformer.
OLD_NAMES = (
    (re.compile(r"(\.denselayer\d+\.(?:norm|relu|conv))\.([12]\.)"), r"\1\2"),
    (re.compile(r"(\.encoder_layer_\d+\.mlp)\.linear_1\."), r"\1.0."),
    (re.compile(r"(\.encoder_layer_\d+\.mlp)\.linear_2\."), r"\1.3."),
)


def under_names_of(model: Weights, weights: Weights) -> dict[str, Tensor]:
    """`weights` renamed to the names of `model` as far as they agree after a common prefix, without what others add.

    Left out: all that does not stand under the prefix under which most of the model's names do ("model.", "backbone.",
    "ema_model.module." ...), such as a loss; and auxiliary classifiers that the model does not have.
    """
    renamed = {_todays_name(name): value for name, value in weights.items() if isinstance(value, Tensor)}
    prefix = _prefix(model, renamed)
    found = {name.removeprefix(prefix): value for name, value in renamed.items() if name.startswith(prefix)}
    return {name: value for name, value in found.items() if name in model or name.split(".")[0] not in AUXILIARY}


def _todays_name(name: str) -> str:
    name = ".".join(part for part in name.split(".") if part not in WRAPPERS)
    for pattern, replacement in OLD_NAMES:
        name = pattern.sub(replacement, name)
    return name


def _prefix(model: Iterable[str], names: Iterable[str]) -> str:
    """The prefix, possibly empty, under which most names of `model` stand; of several the first in the file."""
    known = set(model)
    count: Counter[str] = Counter()
    for name in names:
        parts = name.split(".")
        for start in range(len(parts)):
            if ".".join(parts[start:]) in known:
                count["".join(f"{part}." for part in parts[:start])] += 1
    return max(count, key=count.__getitem__, default="")


def by_order(model: Weights, weights: Weights, head: Mapping[str, int]) -> dict[str, Tensor] | None:
    """`weights` under the names of `model` by their order; None where the kinds or shapes differ anywhere in it.

    head: by the model's names, the axes whose length is the number of classes, and may differ.
    For a file that shares no name with the model. Two modules of one shape in another order go unnoticed here.
    """
    ours, theirs = ([name for name in each if not name.endswith(COUNTER)] for each in (model, weights))
    if len(ours) != len(theirs):
        return None
    pairs = list(zip(ours, theirs, strict=True))
    if any(_kind(a) != _kind(b) or _free(model[a], head.get(a)) != _free(weights[b], head.get(a)) for a, b in pairs):
        return None
    return {a: weights[b] for a, b in pairs}


def _free(weights: Tensor, axis: int | None) -> list[int]:
    return [0 if each == axis else length for each, length in enumerate(weights.shape)]


def _kind(name: str) -> str:
    return name.rpartition(".")[2]


def differences(theirs: Mapping[str, object], ours: Mapping[str, object], *, most: int = 3) -> str:
    """The first names that are missing on one side or have another shape, in words; "" where all fit."""
    found: list[str] = []
    others = 0
    for name in [*theirs, *(name for name in ours if name not in theirs)]:
        there, here = (_shape(weights.get(name)) for weights in (theirs, ours))
        if there == here or name.endswith(COUNTER):
            continue
        if len(found) < most:
            found.append(f"{name} is {there} in the file and {here} in the model")
        else:
            others += 1
    return "; ".join(found) + (f"; and {others:,} more" if others and most > 1 else "")


def first_difference(theirs: Mapping[str, object], ours: Mapping[str, object]) -> str | None:
    """The first of `differences`; None where all fit."""
    return differences(theirs, ours, most=1) or None


def _shape(weights: object) -> str:
    if not isinstance(weights, Tensor):
        return "missing" if weights is None else f"a {type(weights).__name__}"
    return "x".join(map(str, weights.shape)) or "one number"


def shapes_of(make: Callable[[], nn.Module]) -> dict[str, Tensor]:
    """The weights that the model of `make` has, without their memory where it can be built so."""
    try:
        with torch.device("meta"):
            return dict(make().state_dict())
    except NotImplementedError:  # RegNet reads its widths back from tensors, and meta tensors hold no values
        return dict(make().state_dict())


def loaded(make: Callable[[], nn.Module], weights: Mapping[str, object], misfit: str) -> nn.Module:
    """The model of `make` with `weights`, in eval mode. Memory is allocated after all shapes have been compared.

    misfit: what the ValueError says before the first three differences, where there are any.
    """
    if found := differences(weights, shapes_of(make)):
        raise ValueError(f"{misfit}: {found}")
    with _WithoutDraws():
        model = make()
    own = model.state_dict()  # its version notes are those of today's names; the file's may be older
    own.update({name: value for name, value in weights.items() if name in own and isinstance(value, Tensor)})
    try:
        model.load_state_dict(own)
    except RuntimeError as error:  # sparse tensors, for example
        raise ValueError(f"{misfit}: {' '.join(str(error).split())[:200]}") from error
    for name, value in model.state_dict().items():
        # Both ends are NaN where one value is, and take 20 % of the time of isfinite.
        if value.is_floating_point() and value.numel() and not torch.stack(value.aminmax()).isfinite().all():
            raise ValueError(f"{misfit}: they hold NaN or infinity ({name}), the training run failed")
    return model.eval()


class _WithoutDraws(TorchFunctionMode):
    """Draws no random weights where a model is made that gets others: half a second for a ResNet-50."""

    DRAWS = (Tensor.normal_, Tensor.uniform_, nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in self.DRAWS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)
