"""From YAML and overrides to a checked instance of a dataclass, and what is wrong where that fails.

Hydra composes the YAML files of conf/ here as it does on the command line, so that both have the same defaults. Inside
a running command the search path of that command is used, with the folder of its --config-dir.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobRuntime
from hydra.errors import HydraException, MissingConfigException
from hydra.version import VersionBase
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from deepdream.key_kinds import expand_home

T = TypeVar("T")

CONF = "deepdream.conf"
HYDRA_VERSION = "1.3"  # whose behaviour is wanted

# conf/<name>.yaml -> the dataclass that types it. Imported when it is needed, because the stations import this module.
SCHEMAS = {
    "train": "deepdream.training.config:TrainConfig",
    "dream": "deepdream.dreaming.config:DreamAppConfig",
    "explain": "deepdream.explaining.config:ExplainAppConfig",
    "evaluate": "deepdream.evaluating.config:EvaluateConfig",
    "microscope": "deepdream.microscope.config:MicroscopeConfig",
    "studio": "deepdream.studio.config:StudioConfig",
    "predict": "deepdream.evaluating.config:PredictConfig",
    "export": "deepdream.models.config:ExportConfig",
    "data": "deepdream.scenes.config:DataAppConfig",
}

CLOSE = 0.7  # similarity (difflib's ratio) from which on a name is worth suggesting
CLOSE_ELSEWHERE = 0.85  # the same for a key of another group
SUGGESTIONS = 3
MUCH_CLOSER = 0.1  # a key that is closer by this makes the others not worth suggesting


BELOW_NULL = "an override sets a key below one that is null, as data.rooms.size without data=rooms"

COMPOSING = (HydraException, OmegaConfBaseException, AssertionError)  # what composing a configuration raises


class UnknownName(ValueError):
    """A key, or a choice of a group, that does not exist. name: "dream.stps", "dream.stps=3" or "dream=gordik"."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


def typed(schema: type[T], *layers: Any, group: str = "") -> T:
    """`layers` merged, the later over the earlier, as a checked instance of the dataclass `schema`.

    A text of plain data stays as it is: `${seed}` in it is no interpolation.
    group: where the keys stand in the whole configuration, for error messages.

    Raises ValueError, in one line, for an unknown key, a value of the wrong type, or one out of range.
    """
    try:
        merged = OmegaConf.merge(OmegaConf.structured(schema), *map(_as_texts, layers))
        return OmegaConf.to_object(merged)  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        raise as_value_error(error, group=group) from error


def _as_texts(value: Any) -> Any:
    """Plain data in which `${` is part of a text, and no interpolation; what OmegaConf has made stays as it is."""
    if isinstance(value, str):
        return re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
    if isinstance(value, dict):
        return {key: _as_texts(each) for key, each in value.items()}
    return [_as_texts(each) for each in value] if isinstance(value, list | tuple) else value


def checked(config: DictConfig) -> Any:
    """A composed configuration as an instance of the dataclass that types it.

    Raises UnknownName for a key that the dataclass, or one inside it, has no field for: `+key=value` adds any key.
    """
    for key in _extra_keys(config):
        raise UnknownName(unknown_key(key, _keys(config, typed_only=True)), key)
    made = OmegaConf.to_object(config)
    expand_home(made)
    return made


def as_data(kept: Mapping[str, Any], source: object) -> Mapping[str, Any]:
    """`kept` itself, which comes from a file and is about to be read by OmegaConf.

    Raises ValueError where a text in it has an interpolation: `${oc.env:NAME}` would be replaced by this user's value.
    """
    waiting: list[Any] = [kept]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str) and "${" in value:
            raise ValueError(f"{source} holds {value!r}, which asks for a value of this machine; it is refused")
        if isinstance(value, Mapping):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple):
            waiting += value
    return kept


def compose(app: str, overrides: Sequence[str] = ()) -> Any:
    """The configuration that the command `app` has with these overrides, as an instance of its dataclass.

    >>> compose("train", ["data=rooms", "optimizer.lr=0.1"]).optimizer["lr"]
    0.1

    Outside a run, the output folder is the current one. Raises ValueError, in one line, for what the command refuses.
    """
    register(app)
    with _our_hydra():
        try:
            config = hydra.compose(app, overrides=list(overrides), return_hydra_config=True)
        except COMPOSING as error:
            raise as_value_error(error) from error
        before = HydraConfig.instance().cfg
        try:
            if before is None:  # `${hydra:...}` is answered from it
                with open_dict(config):
                    config.hydra.runtime.output_dir = os.getcwd()
                HydraConfig.instance().set_config(config)
                config = config.copy()
            with open_dict(config):
                del config["hydra"]
            return checked(config)
        except OmegaConfBaseException as error:
            raise as_value_error(error) from error
        finally:
            HydraConfig.instance().cfg = before


def register(app: str) -> None:
    """Make the dataclass of the command `app` known to Hydra, as <app>_schema in the defaults of conf/<app>.yaml."""
    ConfigStore.instance().store(name=f"{app}_schema", node=schema_of(app))


def schema_of(app: str) -> Any:
    """The dataclass that types the configuration of the command `app`."""
    module, _, name = SCHEMAS[app].partition(":")
    return getattr(import_module(module), name)


def preset(schema: type[T], group: str, name: str, overrides: Mapping[str, Any] | None = None) -> T:
    """The choice conf/<group>/<name>.yaml with keys overridden, as a checked instance of the dataclass `schema`.

    An override replaces the whole value: an objective, say, is not merged with the preset's.

    Raises ValueError for a preset or key that does not exist, and for a value out of its range.
    """
    return typed(schema, {**_read_preset(_search_path(), group, name), **(overrides or {})}, group=group)


@cache
def _read_preset(search_path: tuple[str, ...], group: str, name: str) -> DictConfig:
    known = choices(group)
    if name not in known:
        raise ValueError(f"there is no preset {name!r} in {group}{did_you_mean(name, known) or among(known)}")
    with _our_hydra():
        try:
            composed = hydra.compose(f"{group}/{name}")[group]
        except COMPOSING as error:
            raise as_value_error(error) from error
    assert isinstance(composed, DictConfig)
    return composed


def choices(group: str) -> list[str]:
    """The names of the files of conf/<group>, and of that folder in the user's --config-dir, sorted."""
    with _our_hydra():
        return sorted(GlobalHydra.instance().config_loader().get_group_options(group))


def _search_path() -> tuple[str, ...]:
    """Where the Hydra at work looks for YAML files; nothing where none is at work, or one that is not ours."""
    running = GlobalHydra.instance()
    if not running.is_initialized():
        return ()
    found = tuple(source.path or "" for source in running.config_loader().get_search_path().get_path())
    return found if f"pkg://{CONF}" in found else ()


@contextmanager
def _our_hydra() -> Iterator[None]:
    """A Hydra that knows conf/: the one of the running command, or one of its own, which leaves no trace."""
    if _search_path():
        yield
        return
    state = (GlobalHydra, HydraConfig, JobRuntime, VersionBase)
    before = {kind: Singleton._instances.pop(kind, None) for kind in state}
    try:
        with hydra.initialize_config_module(CONF, job_name="deepdream", version_base=HYDRA_VERSION):
            yield
    finally:
        for kind, instance in before.items():
            Singleton._instances.pop(kind, None)
            if instance is not None:
                Singleton._instances[kind] = instance


def as_value_error(error: Exception, *, group: str = "") -> ValueError:
    """An error of COMPOSING as a ValueError in one line that names the full key."""
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    if isinstance(cause, ConfigKeyError | ConfigAttributeError) and isinstance(cause.parent_node, DictConfig):
        if not cause.parent_node and "." in str(cause.parent_node._get_full_key("")):  # null, in which a key was tried
            return ValueError(BELOW_NULL)
        root = cause.parent_node._get_root()
        inside = ".".join(filter(None, [group, cause.full_key or str(cause.key)]))
        argument = re.search(r"^To append to your config use \+(.*)", str(error), re.MULTILINE)
        name = argument[1] if argument else inside  # "trainer.extra.x=1"; `inside` may be only "trainer.extra"
        known = [".".join(filter(None, [group, key])) for key in _keys(root)] if isinstance(root, DictConfig) else []
        key = name.partition("=")[0]
        is_open = OmegaConf.get_type(cause.parent_node) is dict and argument is not None
        return UnknownName(unknown_key(key, known, is_open=is_open), name)
    if isinstance(cause, OmegaConfBaseException):
        lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
        text = " ".join(line for line in lines if not line.startswith(("full_key:", "object_type=", "reference_type=")))
        full_key = ".".join(filter(None, [group, cause.full_key]))
        return ValueError(f"{full_key}: {text}" if full_key and full_key not in text else text)
    if isinstance(error, AssertionError):  # of OmegaConf, which does not name the key
        return ValueError(BELOW_NULL)
    if isinstance(error, MissingConfigException) and "/" in (error.missing_cfg_file or ""):
        return _unknown_choice(error)
    return ValueError(" ".join(str(error).partition("Config search path:")[0].split()))


def _unknown_choice(error: MissingConfigException) -> ValueError:
    """For conf/<group>/<choice>.yaml; the group of hydra/launcher/basic.yaml is hydra/launcher."""
    parts = str(error.missing_cfg_file).split("/")
    length = 2 if parts[0] == "hydra" else 1
    group, choice = "/".join(parts[:length]), "/".join(parts[length:])
    known = ["/".join([*parts[length:-1], str(name)]) for name in error.options or []]
    near = _question([f"{group}={name}" for name in _close(choice, known)])
    return UnknownName(f"unknown choice `{group}={choice}`{near or among(known)}", f"{group}={choice}")


def unknown_key(key: str, known: Iterable[str], *, is_open: bool = False) -> str:
    """ "unknown key `model.dpth`. Did you mean `model.depth`?", with at most three keys of `known` that are like it.

    is_open: the key stands where a user may add keys.
    """
    close = sorted(((_likeness(key, each), each) for each in known), key=lambda pair: (-pair[0], pair[1]))
    best = max((likeness for likeness, _ in close), default=0)
    near = _question([each for likeness, each in close[:SUGGESTIONS] if likeness > max(0, best - MUCH_CLOSER)])
    return f"unknown key `{key}`{near or (f'; to add it, write +{key}=VALUE' if is_open else '')}"


def _likeness(key: str, other: str) -> float:
    """How well `other` answers a request for `key`, at most 1; 0 where it is not worth suggesting."""
    (place, _, name), (other_place, _, other_name) = key.lower().rpartition("."), other.lower().rpartition(".")
    names = difflib.SequenceMatcher(None, name, other_name).ratio()
    if place == other_place:
        return names if names >= CLOSE else 0
    elsewhere = max(names, difflib.SequenceMatcher(None, key.lower(), other.lower()).ratio())
    return elsewhere - 0.01 if elsewhere >= CLOSE_ELSEWHERE else 0


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """ ". Did you mean `a`, `b` or `c`?" with the names most like `name`, at most three; "" where none is close.

    >>> did_you_mean("layr3", ["conv1", "layer3"])
    '. Did you mean `layer3`?'
    >>> did_you_mean("fast_dev_run", ["devices", "seed"])
    ''
    """
    return _question(_close(name, names))


def _close(name: str, names: Iterable[str]) -> list[str]:
    lowered = {each.lower(): each for each in reversed(list(names))}
    close = difflib.get_close_matches(name.lower(), lowered, n=SUGGESTIONS, cutoff=CLOSE)
    return [lowered[each] for each in close]


def _question(names: Sequence[str]) -> str:
    quoted = [f"`{each}`" for each in names]
    return f". Did you mean {' or '.join(filter(None, [', '.join(quoted[:-1]), quoted[-1]]))}?" if quoted else ""


def among(names: Sequence[str]) -> str:
    """What to choose from, as the end of an error message."""
    return f"; choose one of {', '.join(names)}" if names else ""


def _keys(config: DictConfig, *, typed_only: bool = False) -> list[str]:
    """The full names of all keys of a configuration but Hydra's own. typed_only: without those that nothing types."""
    extra = set(_extra_keys(config)) if typed_only else set()

    def below(node: Any, place: str) -> Iterator[str]:
        for key, value in node.items() if isinstance(node, dict) else ():
            name = f"{place}{key}"
            if name not in extra and name != "hydra":
                yield name
                yield from below(value, f"{name}.")

    return list(below(OmegaConf.to_container(config, resolve=False), ""))


def _extra_keys(node: DictConfig, place: str = "") -> Iterator[str]:
    """Full names of the keys of dataclasses that are no fields of them; a dictionary takes any key."""
    kind = OmegaConf.get_type(node)
    allowed = {field.name for field in fields(kind)} if kind is not None and is_dataclass(kind) else None
    for key in node:
        name = f"{place}{key!s}"
        if allowed is not None and key not in allowed:
            yield name
        elif isinstance(key, str) and not OmegaConf.is_interpolation(node, key) and not OmegaConf.is_missing(node, key):
            child = node[key]
            if isinstance(child, DictConfig):
                yield from _extra_keys(child, f"{name}.")
