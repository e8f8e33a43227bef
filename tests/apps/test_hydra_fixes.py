"""What is changed in Hydra gives what Hydra gives alone, with less work."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import hydra
import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from deepdream.apps.hydra_fixes import brief_help, composed_once
from deepdream.schema import CONF, HYDRA_VERSION, register

# Without the callback that keeps the folder of a sweep locked while this process lives.
PLACE = ("hydra.run.dir=run", "hydra.sweep.dir=many", "~hydra.callbacks.run_folders")


@pytest.fixture(autouse=True)
def _loggers_restored() -> Iterator[None]:
    """Hydra logs to the stdout of the test, which is closed after it."""
    yield
    root = logging.getLogger()
    for handler in [each for each in root.handlers if type(each) is logging.StreamHandler]:
        root.removeHandler(handler)


def composed(arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, *, once: bool) -> tuple[list[Any], int]:
    """The configuration of each job and Hydra's own, and how often one was composed."""
    jobs: list[Any] = []
    calls = 0
    compose = ConfigLoaderImpl._compose_config_from_defaults_list

    def counted(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        return compose(*args, **options)

    def job(config: Any) -> None:
        jobs.extend(map(OmegaConf.to_container, (config, HydraConfig.get())))

    register("dream")
    monkeypatch.setattr(sys, "argv", ["dream.py", *arguments, *PLACE])
    monkeypatch.setattr(ConfigLoaderImpl, "_compose_config_from_defaults_list", counted)
    with composed_once() if once else nullcontext():
        hydra.main(version_base=HYDRA_VERSION, config_path=f"pkg://{CONF}", config_name="dream")(job)()
    return jobs, calls


@pytest.mark.parametrize(
    ("arguments", "count", "saved"),
    [
        ((), 1, 1),
        (("dream=gordic", "seed=3", "hydra.mode=RUN"), 1, 1),
        pytest.param(("-m", "seed=1,2"), 2, 0, marks=pytest.mark.slow),
        pytest.param(("seed=1,2", "hydra.mode=MULTIRUN"), 2, 0, marks=pytest.mark.slow),
        (("--config-dir=mine", "dream=sweeping"), 2, 0),
    ],
    ids=["run", "mode", "flag", "sweep", "yaml"],
)
def test_a_run_composes_once_what_hydra_composes(
    arguments: tuple[str, ...], count: int, saved: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine" / "dream").mkdir(parents=True)
    (tmp_path / "mine" / "dream" / "sweeping.yaml").write_text(
        "# @package _global_\nhydra: {mode: MULTIRUN, sweeper: {params: {seed: '1,2'}}}\n"
    )
    monkeypatch.chdir(tmp_path)
    expected, alone = composed(arguments, monkeypatch, once=False)
    found, calls = composed(arguments, monkeypatch, once=True)
    assert len(found) == 2 * count
    assert found == expected
    assert alone - calls == saved


@pytest.mark.parametrize("flag", ["--help", pytest.param("--hydra-help", marks=pytest.mark.slow)])
def test_help_lists_the_choices_of_groups_only_where_it_shows_them(
    flag: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed: list[str] = []
    options = ConfigLoaderImpl.get_group_options

    def counted(loader: ConfigLoaderImpl, group_name: str, *arguments: Any, **others: Any) -> list[str]:
        listed.append(group_name)
        return options(loader, group_name, *arguments, **others)

    def printed() -> str:
        with pytest.raises(SystemExit) as ended:
            hydra.main(version_base=HYDRA_VERSION, config_path=f"pkg://{CONF}", config_name="dream")(print)()
        assert not ended.value.code
        return capsys.readouterr().out

    register("dream")
    monkeypatch.setattr(sys, "argv", ["dream.py", flag])
    alone = printed()
    monkeypatch.setattr(ConfigLoaderImpl, "get_group_options", counted)
    with brief_help():
        assert printed() == alone
    assert bool(listed) == (flag == "--hydra-help")
