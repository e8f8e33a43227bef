"""A frozen copy of a network, made fast for one number format: batch norm folded away, channels last."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Collection

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def frozen_copy(model: nn.Module, dtype: torch.dtype, device: torch.device, keep: Collection[str]) -> nn.Module:
    """A copy of `model` (in eval mode) that computes in `dtype` on `device`; `model` stays as it is.

    keep: names of modules whose outputs must stay what they are in `model`. Low precision is reached by weights of
    that precision, not by autocast, which would cast the frozen weights again at each step.
    """
    fold_in = torch.float64 if dtype == torch.float64 else torch.float32
    frozen = copy.deepcopy(model).to(device=device, dtype=fold_in)
    fold_batch_norm(frozen, keep)
    return frozen.to(dtype).to(memory_format=torch.channels_last).requires_grad_(False)


def fold_batch_norm(model: nn.Module, keep: Collection[str] = ()) -> None:
    """Multiply each batch norm of `model` into the convolution that feeds only it, in place.

    Exact up to rounding. `model` must be in eval mode. A convolution is left alone where its own output is read:
    where it, or a module that ends with it, is named in `keep`. So is a model that torch.fx cannot trace.
    """
    for conv, norm in _pairs(model):
        if any(_holds(name, conv) and not _holds(name, norm) for name in keep):
            continue
        convolution, batch_norm = model.get_submodule(conv), model.get_submodule(norm)
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(batch_norm, nn.BatchNorm2d)
        model.set_submodule(conv, fuse_conv_bn_eval(convolution, batch_norm))
        model.set_submodule(norm, nn.Identity())


def _holds(name: str, inner: str) -> bool:
    return inner == name or inner.startswith(f"{name}.")


def _pairs(model: nn.Module) -> list[tuple[str, str]]:
    """The names of every convolution and batch norm of which the first feeds only the second, and each runs once."""
    try:
        graph = fx.Tracer().trace(model)
    except Exception:  # tracing runs the network's own code on symbols, which may fail in any way
        return []
    called = Counter(str(node.target) for node in graph.nodes if node.op == "call_module")
    read = {str(node.target).rpartition(".")[0] for node in graph.nodes if node.op == "get_attr"}
    named = Counter(id(module) for _, module in model.named_modules(remove_duplicate=False))

    def is_plain(node: fx.Node, kind: type[nn.Module]) -> bool:
        """Whether `node` is one `kind` and no more: one call, one name, no hooks, weights that nothing else reads."""
        if node.op != "call_module" or called[str(node.target)] != 1 or str(node.target) in read:
            return False
        module = model.get_submodule(str(node.target))
        hooked = module._forward_hooks or module._forward_pre_hooks
        return type(module) is kind and named[id(module)] == 1 and not hooked

    pairs = []
    for norm in graph.nodes:
        if is_plain(norm, nn.BatchNorm2d) and len(norm.all_input_nodes) == 1:
            conv = norm.all_input_nodes[0]
            has_statistics = model.get_submodule(str(norm.target)).running_mean is not None
            if is_plain(conv, nn.Conv2d) and len(conv.users) == 1 and has_statistics:
                pairs.append((str(conv.target), str(norm.target)))
    return pairs
