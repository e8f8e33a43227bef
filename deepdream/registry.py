"""Named choices: each name is registered once, and schema, error message and documentation read it from here.

A registry holds where to find an object, not the object, so that a configuration is checked without importing torch.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from deepdream.schema import did_you_mean


def locate(key: str, target: str) -> Any:
    """What the user's "my.module.Class" names, imported. key: the configuration key that says so, for error messages.

    Raises ValueError, in one line, where it cannot be imported.
    """
    try:
        return pkgutil.resolve_name(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{key} is {target}, which cannot be imported: {error}; its file must be in the folder of the command or "
            "on PYTHONPATH"
        ) from error


def build_target(key: str, target: str, arguments: Mapping[str, Any]) -> Any:
    """What the user's class or function `target` returns for `arguments`. key: "model" or "data", for error messages.

    Its code is run: pass a target that the user has named, never one that only a file names. Arguments are passed as
    they are: a `_target_` inside them is not built.
    Raises ValueError, in one line, where it cannot be imported or does not take the arguments.
    """
    make = locate(f"{key}._target_", target)
    try:
        inspect.signature(make).bind(**arguments)
    except TypeError as error:
        raise ValueError(
            f"{target} cannot be called with {', '.join(arguments) or 'no arguments'}: {error}; {key}=custom begins "
            "without arguments of other choices"
        ) from error
    return make(**arguments)


class Registry(Mapping[str, Any]):
    """Objects by name, imported when they are asked for.

    key: the configuration key that names one of them, for error messages.
    targets: name -> "module:attribute".

    >>> losses = Registry("loss", {"root": "math:sqrt"})
    >>> losses["root"](9.0), list(losses)
    (3.0, ['root'])
    """

    def __init__(self, key: str, targets: Mapping[str, str]) -> None:
        self._key = key
        self._targets = dict(targets)

    def check(self, name: object) -> None:
        """Raise ValueError, in one line, where nothing is registered under `name`."""
        if name not in self._targets:
            near = did_you_mean(str(name), self._targets)
            raise ValueError(f"{self._key} is {name!r}; it must be one of {', '.join(self._targets)}{near}")

    def __getitem__(self, name: str) -> Any:
        self.check(name)
        module, _, attribute = self._targets[name].partition(":")
        return getattr(import_module(module), attribute)

    def __contains__(self, name: object) -> bool:
        return name in self._targets

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __len__(self) -> int:
        return len(self._targets)
