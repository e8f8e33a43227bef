"""What all commands have in common: mistakes on the command line, printed configurations, the user's own YAML files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from deepdream.apps import command
from tests.conftest import TINY, data_of, run_app, start_app


@pytest.fixture(scope="module")
def without_torch(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which importing torch ends the command."""
    folder = tmp_path_factory.mktemp("without")
    (folder / "torch.py").write_text("raise SystemExit('torch was imported')")
    return {"PYTHONPATH": str(folder)}


@pytest.mark.parametrize(
    ("app", "arguments", "message"),
    [
        pytest.param("train", ("+nonsense=1",), "unknown key `nonsense`", marks=pytest.mark.slow),
        ("train", ("+model.dilation=2", "data=rooms"), "unknown key `model.dilation`"),
        ("train", ("+model.dpth=18",), "unknown key `model.dpth`. Did you mean `model.depth`?"),
        ("dream", ("+dream.stpes=50",), "unknown key `dream.stpes`. Did you mean `dream.steps`?"),
        (
            "explain",
            ("+explain.superpixel=9",),
            "unknown key `explain.superpixel`. Did you mean `explain.superpixels`?",
        ),
        pytest.param(
            *("evaluate", ("bach_size=2",), "unknown key `bach_size`. Did you mean `batch_size`?"),
            marks=pytest.mark.slow,
        ),
        ("dream", ("dream=vivd",), "unknown choice `dream=vivd`. Did you mean `dream=vivid`?"),
        ("train", ("best.ckpt",), "`best.ckpt` has no key; write model.pretrained=best.ckpt"),
        pytest.param("train", (".",), "`.` has no key; write data.root=.", marks=pytest.mark.slow),
        ("evaluate", (".",), "`.` has no key; write root=."),
    ],
)
def test_a_mistake_is_one_line_before_torch_is_imported(
    app: str, arguments: tuple[str, ...], message: str, without_torch: dict[str, str], tmp_path: Path
) -> None:
    result = start_app(app, *arguments, cwd=tmp_path, **without_torch)
    assert (result.returncode, result.stderr) == (1, f"error: {message}\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("app", "argument", "message"),
    [
        ("dream", "image=photo.jpg", "there is no file photo.jpg; check the path"),
        pytest.param(
            "explain", "image=photo.jpg", "there is no file photo.jpg; check the path", marks=pytest.mark.slow
        ),
        pytest.param(
            "predict", "images=photo.jpg", "there is no file photo.jpg; check the path", marks=pytest.mark.slow
        ),
        pytest.param("evaluate", "root=data", "root is data, which does not exist", marks=pytest.mark.slow),
        ("dream", "ckpt=best.ckpt", "there is no checkpoint best.ckpt"),
        pytest.param("train", "model.pretrained=best.ckpt", "there is no checkpoint best.ckpt", marks=pytest.mark.slow),
        pytest.param(
            "train", "distillation.teachers=[best.ckpt]", "there is no checkpoint best.ckpt", marks=pytest.mark.slow
        ),
    ],
)
def test_a_missing_file_is_an_error_before_torch_is_imported(
    app: str, argument: str, message: str, without_torch: dict[str, str], tmp_path: Path
) -> None:
    result = start_app(app, argument, cwd=tmp_path, **without_torch)
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith(f"error: {message}")


@pytest.mark.parametrize("flag", ["job", "hydra", "all"])
def test_printing_the_configuration_creates_no_folder(flag: str, tmp_path: Path) -> None:
    result = run_app("train", "--cfg", flag, *(["--resolve"] if flag == "hydra" else []), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_two_sweeps_of_the_same_second_have_a_folder_each(tmp_path: Path) -> None:
    from tests.faults.test_surroundings import stopped_clock
    from tests.forks import begin

    jobs = ("-m", "seed=0,1", "ckpt=box", "dream.width=64", "dream.octaves=1", "dream.steps=1")
    sweeps = [begin("dream", *jobs, folder=tmp_path, before=stopped_clock) for _ in range(2)]
    assert [sweep.wait() for sweep in sweeps] == [0, 0], [sweep.said for sweep in sweeps]
    made = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("multirun/*/*/*/dream.png"))
    folder = "multirun/2026-01-31/12-00-00"
    assert made == [f"{folder}{sweep}/{job}/dream.png" for sweep in ("", "_2") for job in (0, 1)]


def test_a_preset_of_the_users_config_dir_is_known_to_the_callbacks_too(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "mine" / "dream").mkdir(parents=True)
    (tmp_path / "mine" / "dream" / "embers.yaml").write_text("defaults: [gordic, _self_]\nsteps: 1\noctaves: 1\n")
    dreams = ("callbacks=dreams", "callbacks.dreams.preset=embers", "callbacks.dreams.width=48")
    small = (*TINY, *data_of(trained), "callbacks.dreams.every=1", "evaluate=false", "hydra.run.dir=run")
    result = run_app("train", *small, *dreams, "--config-dir", "mine", cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert list((tmp_path / "run" / "figures" / "dreams").glob("epoch_*.png"))
    unknown = run_app("train", *small, *dreams, cwd=tmp_path)
    assert unknown.returncode == 1
    assert "embers" in unknown.stderr.splitlines()[-1]


def test_what_python_ignores_while_it_deletes_is_in_the_log_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    class Loader:
        def __del__(self) -> None:
            raise RuntimeError("a worker was killed")

    monkeypatch.setattr(sys, "unraisablehook", command._log_ignored_failure)
    caplog.set_level("INFO")
    loader = Loader()
    del loader
    assert capsys.readouterr() == ("", "")
    assert "a worker was killed" in caplog.text
    assert "__del__" in caplog.text
