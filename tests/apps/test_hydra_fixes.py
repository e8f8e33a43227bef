"""The configuration of a run that Hydra composes once is the one that it composes alone."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import hydra
import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from deepdream.apps.hydra_fixes import composed_once
from deepdream.schema import CONF, HYDRA_VERSION, register

# Without the callback that keeps the folder of a sweep locked while this process lives.
PLACE = ("hydra.run.dir=run", "hydra.sweep.dir=many", "~hydra.callbacks.run_folders")


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
        (("-m", "seed=1,2"), 2, 0),
        (("seed=1,2", "hydra.mode=MULTIRUN"), 2, 0),
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
