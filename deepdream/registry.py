"""Named choices: each name is registered once, and schema, error message, help and documentation read it from here.

A registry knows where to find an object without importing it, so that a configuration is checked without torch.
`Registry` is a fixed table. `OpenRegistry` is a door: one decorated function adds an entry, in this package or in a
file of the user.
"""

from __future__ import annotations

import ast
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from importlib.resources import files
from typing import Any, Generic, ParamSpec, TypeVar

from omegaconf import OmegaConf

from deepdream.schema import did_you_mean

P = ParamSpec("P")
D = TypeVar("D")
F = TypeVar("F", bound=Callable[..., Any])

_only_ours: ContextVar[bool] = ContextVar("_only_ours", default=False)


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
        self.key = key
        self._targets = dict(targets)

    def check(self, name: object) -> None:
        """Raise ValueError, in one line, where nothing is registered under `name`."""
        if name not in self._targets:
            near = did_you_mean(str(name), self._targets)
            raise ValueError(f"{self.key} is {name!r}; it must be one of {', '.join(self._targets)}{near}")

    def __getitem__(self, name: str) -> Any:
        self.check(name)
        return _imported(self._targets[name])

    def __contains__(self, name: object) -> bool:
        return name in self._targets

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __len__(self) -> int:
        return len(self._targets)


@dataclass(frozen=True)
class Entry(Generic[D]):
    """What is known of a registered function without importing it.

    target: "module:attribute". details: made of the decorator's arguments. summary: first line of the docstring.
    """

    target: str
    details: D
    summary: str


class OpenRegistry(Mapping[str, Any], Generic[P, D]):
    """Functions that a decorator registers under their own names.

        METHODS = OpenRegistry("METHODS", "method", "deepdream.explaining", Method)

        @METHODS.register("Grad-CAM", question="where did the last stage find evidence", cost="1 pass")
        def gradcam(context): ...

    variable: its own name, as the decorators write it. key: the configuration key that names an entry, for errors.
    package: the files of it register ours; they are parsed, not imported, so the arguments of the decorator must be
        literals. details: called with these arguments.

    A file of the user registers with the same decorator. Its function is named "file.function" in a configuration,
    which imports the file; after an import the function's own name is enough, in Python.

    `${registered:METHODS}` in a YAML file of conf/ is the list of all entries, for --help.
    """

    def __init__(self, variable: str, key: str, package: str, details: Callable[P, D]) -> None:
        self._variable, self.key, self._package, self._details = variable, key, package, details
        _open_registries[variable] = self

    def register(self, *args: P.args, **kwargs: P.kwargs) -> Callable[[F], F]:
        """A decorator that registers a function; the arguments are those of `details`.

        Raises ValueError where another function has its name.
        """
        details = self._details(*args, **kwargs)

        def decorate(function: F) -> F:
            name, target = function.__name__, f"{function.__module__}:{function.__name__}"
            other = self._entries.get(name)
            if other is not None and other.target != target:
                raise ValueError(f"{self.key} {name!r} is {other.target} already; give {target} another name")
            self._entries[name] = Entry(target, details, _first_line(function.__doc__))
            return function

        return decorate

    def check(self, name: object) -> None:
        """Raise ValueError, in one line, where nothing is registered under `name`; "file.function" imports the file."""
        self.entry(str(name))

    def entry(self, name: str) -> Entry[D]:
        """What is registered under `name`. Raises ValueError as `check`."""
        if name in self._entries:
            return self._entries[name]
        module, _, function = name.rpartition(".")
        if not module:
            raise ValueError(
                f"{self.key} is {name!r}; it must be one of {', '.join(self)}, or file.function of your own"
                f"{did_you_mean(name, self)}"
            )
        if _only_ours.get():
            raise ValueError(
                f"{self.key} is {name!r}, which is not part of deepdream; if you trust it, "
                f"write {self.key}={name} on the command line too"
            )
        try:
            import_module(module)
        except ImportError as error:
            raise ValueError(f"{self.key} is {name!r}: {error}") from error
        found = self._entries.get(function)
        if found is None or found.target != f"{module}:{function}":
            raise ValueError(
                f"{self.key} is {name!r}, but {module} registers no such function; "
                f"write @{self._variable}.register(...) above its def"
            )
        return found

    def details(self, name: str) -> D:
        """What the decorator of `name` says. Raises ValueError as `check`."""
        return self.entry(name).details

    def listing(self, indent: int = 2) -> str:
        """A line for each name: what its details say, or else the first line of its docstring."""
        width = max(map(len, self))
        lines = (f"{name:{width}}  {entry.details or entry.summary}" for name, entry in self._entries.items())
        return f"\n{' ' * indent}".join(lines)

    def __getitem__(self, name: str) -> Any:
        return _imported(self.entry(name).target)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @cached_property
    def _entries(self) -> dict[str, Entry[D]]:
        return {
            name: Entry(target, self._details(*args, **kwargs), summary)
            for variable, name, target, args, kwargs, summary in _decorated(self._package)
            if variable == self._variable
        }


_open_registries: dict[str, OpenRegistry[..., Any]] = {}
OmegaConf.register_new_resolver("registered", lambda variable: _open_registries[variable].listing(), replace=True)


@contextmanager
def only_ours() -> Iterator[None]:
    """Inside, a name of the form "file.function" is an error: for a configuration that was read from a file."""
    token = _only_ours.set(True)
    try:
        yield
    finally:
        _only_ours.reset(token)


def _imported(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def _first_line(docstring: str | None) -> str:
    return (docstring or "").strip().partition("\n")[0]


@cache
def _decorated(package: str) -> list[tuple[str, str, str, list[Any], dict[str, Any], str]]:
    """Each `@VARIABLE.register(...)` of a function in the files of `package`, in the order of files and lines.

    (variable, name of the function, "module:name", arguments, keyword arguments, first line of the docstring)
    """
    found = []
    for path in sorted(files(package).iterdir(), key=lambda path: path.name):
        source = path.read_text(encoding="utf-8") if path.name.endswith(".py") else ""
        for node in ast.parse(source).body if ".register(" in source else ():
            if not isinstance(node, ast.FunctionDef):
                continue
            for call in node.decorator_list:
                match call:
                    case ast.Call(ast.Attribute(ast.Name(variable), "register"), args, keywords):
                        target = f"{package}.{path.name.removesuffix('.py')}:{node.name}"
                        values = [ast.literal_eval(arg) for arg in args]
                        named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in keywords}
                        found.append((variable, node.name, target, values, named, _first_line(ast.get_docstring(node))))
    return found
