"""What a `_target_` of the configuration names: the user's optimizer, scheduler or loss."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial
from typing import Any

from hydra.utils import instantiate

from deepdream.registry import locate
from deepdream.schema import did_you_mean


def configured_partial(key: str, config: Mapping[str, Any]) -> partial[Any]:
    """The callable that `config["_target_"]` names, with the other entries as keyword arguments.

    key: the configuration key of `config`, for error messages.
    Raises ValueError, in one line, where the callable does not take one of the arguments.
    """
    locate(f"{key}._target_", config["_target_"])
    make: Any = instantiate(dict(config), _partial_=True)
    parameters = inspect.signature(make.func).parameters
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    unknown = [] if takes_any else [name for name in make.keywords if name not in parameters]
    if unknown:
        near = did_you_mean(unknown[0], parameters) if len(unknown) == 1 else ""
        remedy = " ".join(f"~{key}.{name}" for name in unknown)
        raise ValueError(
            f"{config['_target_']} takes no argument {', '.join(f'`{name}`' for name in unknown)}{near or '.'} "
            f"Remove what it does not take: {remedy}"
        )
    return make  # type: ignore[no-any-return]
