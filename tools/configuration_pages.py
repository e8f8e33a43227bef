"""The configuration reference of the site: every key of conf/ with its value, its comment and its type.

The YAML files hold values and comments, the dataclasses of `deepdream.schema.SCHEMAS` the types; nothing is repeated.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from omegaconf import OmegaConf

from deepdream.apps.cli import SUBCOMMANDS
from deepdream.key_kinds import TYPED
from deepdream.registry import OpenRegistry, Registry
from deepdream.schema import SCHEMAS, schema_of

CONF = Path(__file__).parents[1] / "conf"

HIDDEN = ("hydra", "defaults")  # top-level keys that are no settings of ours
KEY = re.compile(r"( *)([\w]+):(?: +(.*?))?$")
COMMENT = re.compile(r"(?:^|\s)#\s?(.*)$")
BACKSLASH = "\\"
TYPES = {bool: "true or false", int: "integer", float: "number", str: "text", NoneType: "null", Any: ""}


@dataclass
class Key:
    """A key of a YAML file: its full name inside the file, its value as written, and the comment beside it."""

    name: str
    value: str
    comment: str


@cache
def configuration_pages() -> dict[str, str]:
    """Path in the site -> Markdown: an overview, then a page for each command."""
    rows = [
        f"| [`{group}`]({_command(group)}.md#{group}) | {', '.join(f'`{path.stem}`' for path in _choices(group))} |"
        for group in _groups()
    ]
    overview = OVERVIEW.format(groups="\n".join(rows), commands="\n".join(_command_rows()))
    return {"configuration/index.md": overview} | {f"configuration/{app}.md": _page(app) for app in SCHEMAS}


OVERVIEW = """# Configuration

Every setting is a key on the command line. To see all keys of a command with their values:

    python train.py --cfg job

A key is set by `key=value`, a group is chosen by `group=choice`, and a key inside a group is `group.key=value`:

    python train.py model=resnet50 optimizer.lr=0.01 trainer.max_epochs=30

The files are in `conf/`, one for each choice of a group. Files of your own go into a folder of the same structure,
which `--config-dir FOLDER` adds. This reference is made from these files and from the dataclasses that check them.

## Commands

| command | purpose |
|---|---|
{commands}

## Groups

| group | choices |
|---|---|
{groups}

## Errors

Misspelled keys and invalid values fail at once with a one-line error (exit status 1):

    $ python train.py model.dpth=18
    error: unknown key `model.dpth`. Did you mean `model.depth`?

A command that is given a key of an earlier version prints its new name.
"""


def page_of(path: str) -> str:
    """The page that describes a file of the tree below conf/, such as conf/dream/gordic.yaml."""
    name = path.removeprefix("conf").strip("/").partition("/")[0].removesuffix(".yaml")
    app = name if name in SCHEMAS else _command(name) if name in _groups() else "index"
    return f"configuration/{app}.md"


def _command_rows() -> Iterator[str]:
    for app in SCHEMAS:
        yield f"| [`python {_script(app)}`]({app}.md) | {SUBCOMMANDS[app][1]} |"


def _script(app: str) -> str:
    return f"{app}.py" if (CONF.parent / f"{app}.py").exists() else f"-m deepdream {app}"


def _page(app: str) -> str:
    path, weights, schema = CONF / f"{app}.yaml", CONF / "weights.yaml", schema_of(app)
    title = f"# {_script(app).removeprefix('-m ')}"
    text = [title, _comment(path), "## Keys of the command", _table(_keys(path), schema)]
    if "weights" in _defaults(path):
        text += [_comment(weights), _table(_keys(weights), schema)]
    for group in _groups():
        owner = _command(group)
        if owner == app:
            text += [f"## {group}", *_group(group, app)]
        elif group in _defaults(path):
            text.append(f"The choices of `{group}` are those of [{_script(owner)}]({owner}.md#{group}).")
    return "\n\n".join(text) + "\n"


def _group(group: str, app: str) -> Iterator[str]:
    """A section for each file of a group. A key without a comment has that of the first file that explains it."""
    known: dict[str, str] = {}
    schema = _field_type(schema_of(app), group)
    for path in [*sorted((CONF / group).glob("*/shared.yaml")), *_choices(group)]:
        keys = _keys(path)
        for key in keys:
            key.comment = key.comment or known.get(key.name, "")
            known.setdefault(key.name, key.comment)
        is_choice = path.stem != "shared"
        yield f"### {group}={_choice(path, group)}" if is_choice else f"### Every {group}"
        yield _comment(path)
        base = [name for name in _defaults(path) if name not in ("_self_", "none", "engine/shared", "layers/shared")]
        if base and is_choice:
            yield f"Other keys are those of {', '.join(f'`{name}`' for name in base)}."
        if keys:
            yield _table(keys, schema, group)


@cache
def _groups() -> list[str]:
    """The folders of conf/, in the order of the commands that use them."""
    used = [name for app in SCHEMAS for name in _defaults(CONF / f"{app}.yaml")]
    folders = {path.name for path in CONF.iterdir() if path.is_dir() and any(path.rglob("*.yaml"))}
    return [name for name in dict.fromkeys(used) if name in folders]


@cache
def _command(group: str) -> str:
    return next(app for app in SCHEMAS if group in _defaults(CONF / f"{app}.yaml"))


@cache
def _choices(group: str) -> list[Path]:
    """The files of a group, first those that explain every key; files of subfolders last."""
    files = [path for path in (CONF / group).rglob("*.yaml") if path.stem != "shared"]
    explained = {path: sum(bool(key.comment) for key in _keys(path)) for path in files}
    return sorted(files, key=lambda path: (len(path.parts), -explained[path], path.stem))


def _choice(path: Path, group: str) -> str:
    return path.relative_to(CONF / group).with_suffix("").as_posix()


@cache
def _defaults(path: Path) -> list[str]:
    """The names in the defaults list of a YAML file: `data: mit_indoor` gives data."""
    values: Any = OmegaConf.to_container(OmegaConf.load(path))
    entries = values.get("defaults", [])
    return [str(next(iter(entry))) if isinstance(entry, dict) else str(entry) for entry in entries]


def _comment(path: Path) -> str:
    """The comment at the head of a YAML file; commands in it stay lines."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").rstrip())
    text = "\n".join(line for line in lines if not line.startswith("@package"))
    text = re.sub(r"^(.*): (python .*)", r"\1:\n\2", text)  # a command at the end of the first line
    commands = [line for line in text.split("\n") if line.startswith("python ")]
    prose = " ".join(line for line in text.split("\n") if line not in commands)
    return "\n\n".join(filter(None, [_text(prose), "\n".join(f"    {line}" for line in commands)]))


def _keys(path: Path) -> list[Key]:
    """The keys of a YAML file in order, those of mappings as `outer.inner`; lists stay values."""
    keys: list[Key] = []
    outer: list[tuple[int, str]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        match = KEY.match(line)
        if not match or line.lstrip().startswith("#"):
            keys_of_list = re.match(r"\s+- (\S+)", line)
            if keys_of_list and keys:
                keys[-1].value = ", ".join(filter(None, [keys[-1].value, keys_of_list[1]]))
            continue
        indent, name, rest = len(match[1]), match[2], match[3] or ""
        outer = [(column, each) for column, each in outer if column < indent]
        full = ".".join([*(each for _, each in outer), name])
        outer.append((indent, name))
        comment = COMMENT.search(rest)
        value = rest[: comment.start()].strip() if comment else rest.strip()
        keys.append(Key(full, value, comment[1].strip() if comment else ""))
    said = (key for key in keys if key.value or key.comment)  # not the name alone of a mapping, whose keys follow
    return [key for key in said if key.name.partition(".")[0] not in HIDDEN]


@cache
def _names() -> dict[str, str]:
    """Full name of a key -> the registered names that it takes."""
    modules = [sys.modules[schema_of(app).__module__] for app in SCHEMAS]
    found = [each for module in modules for each in vars(module).values() if isinstance(each, Registry | OpenRegistry)]
    return {registry.key: ", ".join(f"`{name}`" for name in registry) for registry in found}


def _table(keys: list[Key], schema: Any, group: str = "") -> str:
    """A table of keys with the types that the dataclass `schema` gives them."""
    rows = ["| key | value | type | meaning |", "|---|---|---|---|"]
    for key in keys:
        names = _names().get(f"{group}.{key.name}".lstrip("."))
        kind = "name" if names else _type_text(_field_type(schema, key.name))
        meaning = "<br>".join(filter(None, [_text(_cell(key.comment)), names and f"One of {names}."]))
        value = f"`{_cell(key.value)}`" if key.value else ""
        rows.append(f"| `{key.name}` | {value} | {kind} | {meaning} |")
    return "\n".join(rows) if keys else ""


def _field_type(schema: Any, name: str) -> Any:
    """The type of the field `name`, such as "ema.half_life_epochs", of a dataclass; Any where nothing types it."""
    for part in name.split("."):
        found = {field.name: field for field in fields(schema)} if is_dataclass(schema) else {}
        if part not in found:
            return Any
        hint = found[part].metadata.get(TYPED) or get_type_hints(schema)[part]
        schema = next((each for each in get_args(hint) if is_dataclass(each)), hint)
    return schema


def _type_text(kind: Any) -> str:
    if isinstance(kind, UnionType):
        return " or ".join(filter(None, map(_type_text, get_args(kind))))
    if get_origin(kind) is list:
        return f"list of {_type_text(get_args(kind)[0])}s".replace("texts", "text")
    return TYPES.get(kind, "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _text(comment: str) -> str:
    """A comment as Markdown: what would be read as markup stays as it is written; pages of docs/ become links."""
    escaped = re.sub(r"[<>*_\[\]]", lambda match: f"\\{match[0]}", comment)
    return re.sub(r"docs/([\w\\]+)\.md", lambda page: f"[{page[0]}](../{page[1].replace(BACKSLASH, '')}.md)", escaped)
