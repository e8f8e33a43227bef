"""Receptive fields of a network's layers, from its traced graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import fx, nn

Reach = tuple[int, int]  # receptive field, stride; both in pixels


def receptive_fields(model: nn.Module) -> Mapping[str, int]:
    """Pixels a side of the image that can reach one position of each module's output, by the module's name.

    Where branches meet the largest counts. Empty for a model that torch.fx cannot trace, and for one with attention,
    which lets every position see more than the arithmetic of convolutions knows.
    Source: Araujo, Norris, Sim, "Computing Receptive Fields of Convolutional Neural Networks" (2019).
    """
    if any("attention" in type(module).__name__.lower() for module in model.modules()):
        return {}
    try:
        graph = _Tracer().trace(model)
    except Exception:  # tracing runs the network's own code on symbols, which may fail in any way
        return {}
    reaches: dict[fx.Node, Reach] = {}
    fields: dict[str, int] = {}
    for node in graph.nodes:
        before = [reaches[source] for source in node.all_input_nodes if source in reaches]
        reach = (max((r for r, _ in before), default=1), max((s for _, s in before), default=1))
        if node.op == "call_module":
            reach = _through(model.get_submodule(str(node.target)), *reach)
            for name in _ending_with(str(node.target)):
                fields[name] = reach[0]
        reaches[node] = reach
    return fields


class _Tracer(fx.Tracer):
    """Does not look into modules that say their own kernel and stride, such as BlurPool: its function has none."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return hasattr(m, "kernel_size") or bool(super().is_leaf_module(m, module_qualified_name))


def _through(module: nn.Module, field: int, stride: int) -> Reach:
    kernel, step, dilation = (_side(getattr(module, key, 1)) for key in ("kernel_size", "stride", "dilation"))
    return field + (kernel - 1) * dilation * stride, stride * step


def _side(value: Any) -> int:
    first = value[0] if isinstance(value, tuple) else value
    return first if isinstance(first, int) else 1


def _ending_with(name: str) -> list[str]:
    """`name` and the modules that end with it and so have its output: layer1.0.relu2, layer1.0, layer1."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
