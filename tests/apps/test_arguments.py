"""Any name of a file, as a shell hands it over, reaches the configuration as it is."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os.path import normpath  # the file ??? is named ./???
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from deepdream.apps.arguments import CHECKPOINTS, as_overrides
from deepdream.apps.command import command
from deepdream.apps.overrides import recorded, unquoted
from deepdream.dreaming.config import DreamAppConfig
from deepdream.schema import compose

# What grammars, shells and file systems give a meaning to, among letters of several scripts and bytes without one.
SPECIAL = " ()='\"[]{}#~,:%$-+@\\*?!&|;<>`^\n\t\x1b.é居𝒳\udcff"
WORDS = ["${seed}", "${x}", "${oc.env:HOME}", "\\${a", "$HOME", "null", "???", "choice(a,b)", "-m", "--help", "'a b'"]
NAMES = st.lists(st.sampled_from([*SPECIAL, *WORDS, "a", "b"]) | st.characters(codec="utf-8"), min_size=1, max_size=8)

BREAKS = set("\x85\u2028\u2029")  # line breaks of YAML 1.1, which PyYAML writes as they are and reads as spaces


def is_file_name(name: str) -> bool:
    return not {"/", "\0"}.intersection(name) and name not in (".", "..", "~") and len(os.fsencode(name)) < 200


names = NAMES.map("".join).filter(is_file_name)


class Shell:
    """A shell at work, which splits lines into arguments."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(["sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def arguments_of(self, line: str) -> list[str]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(os.fsencode(f'set -- {line}\nprintf \'%s\\0\' "$#" "$@"\n'))
        self.process.stdin.flush()
        return [self._next() for _ in range(int(self._next()))]

    def _next(self) -> str:
        assert self.process.stdout is not None
        return os.fsdecode(b"".join(iter(lambda: self.process.stdout.read(1), b"\0")))  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def shell() -> Iterator[Shell]:
    shell = Shell()
    yield shell
    shell.process.communicate()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def values_of(overrides: list[str], key: str) -> list[Any]:
    """What Hydra and OmegaConf make of the override of `key`, a value for each job."""
    (override,) = OverridesParser.create().parse_overrides([each for each in overrides if each.startswith(f"{key}=")])
    jobs = override.sweep_string_iterator() if override.is_sweep_override() else [override.input_line[len(key) + 1 :]]
    return [unquoted(str(job)) for job in jobs]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names)
@example("-m")
@example("C:\\photos\\\\a.jpg\\")
def test_every_name_arrives_as_it_is(shell: Shell, folder: Path, name: str) -> None:
    """The name of a file that is there, alone, in a list, without a key and in a sweep; and one not there yet."""
    inside = f"in/{name}"
    with made(name, inside):
        typed = shlex.join([f"image={name}", f"mask={inside}", f"output=out/{name}.png", f"target={name}x"])
        single = as_overrides("dream", shell.arguments_of(typed))
        assert [normpath(values_of(single, key)[0]) for key in ("image", "mask")] == [name, inside]
        if "${seed}" not in name and "${oc." not in name:
            assert [values_of(single, key)[0] for key in ("output", "dream.target")] == [f"out/{name}.png", f"{name}x"]
        assert as_overrides("dream", single) == single
        several = as_overrides("dream", shell.arguments_of(shlex.join([f"image=[{name},{inside}]"])))
        assert [normpath(path) for path in values_of(several, "image")[0]] == [name, inside]
        bare = as_overrides("dream", shell.arguments_of(shlex.quote(inside)))
        assert values_of(bare, "ckpt" if name.endswith(CHECKPOINTS) else "image") == [inside]
        sweep = as_overrides("dream", shell.arguments_of(shlex.join(["-m", f"image={inside},noise", f"mask={inside}"])))
        assert (values_of(sweep, "image"), values_of(sweep, "mask")) == ([inside, "noise"], [inside])


@contextmanager
def made(*names: str) -> Iterator[None]:
    for path in map(Path, names):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    yield
    for path in map(Path, names):
        path.unlink()


def configs_of(*arguments: str, monkeypatch: pytest.MonkeyPatch) -> list[DreamAppConfig]:
    """The configurations of the jobs of `dream.py arguments`, with everything around the dream itself."""
    seen: list[DreamAppConfig] = []

    @command("dream")
    def main(config: DreamAppConfig, folder: Path) -> None:
        seen.append(config)
        if not BREAKS.intersection(f"{config.image}{config.output}"):
            again = recorded(OmegaConf.load(folder / ".hydra" / "overrides.yaml"))
            assert compose("dream", as_overrides("dream", again)) == config

    monkeypatch.setattr(sys, "argv", ["dream.py", *arguments])
    main()
    return seen


def run_command(name: str, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    with made(name):
        line = shlex.join(
            ["-m", "hydra.sweep.dir=sweep", f"image={name},noise", f"output={name}_${{hydra:job.num}}.png"]
        )
        jobs = configs_of(*shell.arguments_of(line), monkeypatch=monkeypatch)
        made_of = [(normpath(job.image), job.output) for job in jobs]
        assert made_of == [(name, f"{name}_0.png"), ("noise", f"{name}_1.png")]
        line = shlex.join(["hydra.run.dir=run", f"image={name}", f"output=out/{name}.png"])
        (config,) = configs_of(*shell.arguments_of(line), monkeypatch=monkeypatch)
        assert (normpath(config.image), config.output) == (name, f"out/{name}.png")


@pytest.mark.parametrize(
    "name",
    [pytest.param("with space (1).jpg", marks=pytest.mark.slow), 'it\'s [a], "b" = {c}#~:100%\\${x}$ -居\udcff\n.png'],
)
def test_the_command_and_the_jobs_of_its_sweep_get_the_name(
    name: str, shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_command(name, shell, monkeypatch)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names.filter(lambda name: "${seed}" not in name and "${oc." not in name))
def test_the_command_and_the_jobs_of_its_sweep_get_any_name(shell: Shell, name: str) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch, tempfile.TemporaryDirectory() as folder:
        monkeypatch.chdir(folder)
        run_command(name, shell, monkeypatch)
