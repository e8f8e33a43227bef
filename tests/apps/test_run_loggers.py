"""logger=[tensorboard,csv,mlflow,wandb]: what a run logs is counted in each of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from deepdream.apps import run_loggers
from tests.conftest import TINY, data_of, run_app

QUICK = ("dream.layers=[layer2]", "dream.width=64", "dream.octaves=1", "dream.steps=1")
ALONE = {"WANDB_API_KEY": "", "NETRC": "/nowhere", "MLFLOW_TRACKING_URI": "sqlite:///outputs/mlflow.db"}


def in_tensorboard(folder: Path) -> list[str]:
    """The tag of each image."""
    events = EventAccumulator(str(folder), size_guidance={"images": 0}).Reload()
    return sorted(tag for tag in events.Tags()["images"] for _ in events.Images(tag))


def in_csv(folder: Path) -> list[str]:
    images = folder / "images"
    return sorted(path.parent.relative_to(images).as_posix() for path in images.rglob("*.png"))


def in_mlflow(folder: Path) -> list[str]:
    return sorted(path.name.partition("+")[0].replace("~", "/") for path in folder.glob("*/artifacts/images/*.png"))


def in_wandb(folder: Path) -> list[str]:
    media = next(folder.glob("offline-run-*")) / "files" / "media" / "images"
    return sorted(path.relative_to(media).as_posix().rsplit("_", 2)[0] for path in media.rglob("*.png"))


def mlflow_runs(folder: Path) -> Sequence[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder}/outputs/mlflow.db")
    return client.search_runs([each.experiment_id for each in client.search_experiments()])


@pytest.mark.slow
def test_every_image_metric_and_setting_reaches_every_logger_and_a_resume_continues_their_runs(
    trained: Path, tmp_path: Path
) -> None:
    loggers = "logger=[tensorboard,csv,mlflow,wandb]"
    watched = ("callbacks=gradcam", "callbacks.gradcam.every=1", "hydra.run.dir=run", "tags=[baseline]")
    result = run_app("train", *TINY, *data_of(trained), *watched, loggers, cwd=tmp_path, **ALONE)
    assert result.returncode == 0, result.stdout + result.stderr

    run = tmp_path / "run"
    images = in_tensorboard(run / "tensorboard")
    assert images.count("images/gradcam") == 2
    assert {"data/first_batch", "evaluation/confusion", "evaluation/tsne"} <= set(images)
    assert in_csv(run / "csv") == in_mlflow(tmp_path / "outputs" / "mlflow") == in_wandb(run / "wandb") == images

    (of_mlflow,) = mlflow_runs(tmp_path)
    hyper_parameters = yaml.safe_load((run / "csv" / "hparams.yaml").read_text())
    assert of_mlflow.info.status == "FINISHED"
    assert of_mlflow.data.tags["baseline"] == "true"
    assert of_mlflow.data.params["trainer/max_epochs"] == "1"
    assert of_mlflow.data.params["environment/packages/torch"] == hyper_parameters["environment"]["packages"]["torch"]
    assert hyper_parameters["model"]["depth"] == 10
    assert hyper_parameters["tags"] == ["baseline"]
    rows = list(csv.DictReader((run / "csv" / "metrics.csv").open()))
    for name in ("val/accuracy", "speed/images_per_second", "evaluation/accuracy", "hp/test_accuracy"):
        assert name in of_mlflow.data.metrics
        assert any(row[name] for row in rows)

    ids = json.loads((run / "logger_runs.json").read_text())
    resumed = run_app("train", "resume=run", "trainer.max_epochs=2", "evaluate=false", cwd=tmp_path, **ALONE)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert json.loads((run / "logger_runs.json").read_text()) == ids
    assert ids["mlflow"] == of_mlflow.info.run_id
    (of_mlflow,) = mlflow_runs(tmp_path)
    assert of_mlflow.info.status == "FINISHED"
    assert {each.name.rpartition("-")[2] for each in (run / "wandb").glob("offline-run-*")} == {ids["wandb"]}
    rows = list(csv.DictReader((run / "csv" / "metrics.csv").open()))
    assert [row["epoch"] for row in rows if row["val/accuracy"]] == ["0", "1"]
    assert in_tensorboard(run / "tensorboard").count("images/gradcam") == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("app", "arguments", "tags"),
    [
        ("dream", (*QUICK, "image=flower"), ["dream/layer2"]),
        ("dream", (*QUICK, "mode=channels", "channels=1"), ["dream/channels/layer2"]),
        (
            "explain",
            ("methods=[saliency]", "image=[bedroom,kitchen]"),
            ["explanations/bedroom", "explanations/kitchen"],
        ),
    ],
)
def test_images_of_a_command_without_training_reach_the_logger(
    app: str, arguments: tuple[str, ...], tags: list[str], checkpoint: Path, tmp_path: Path
) -> None:
    places = (f"ckpt={checkpoint}", "logger=csv", "hydra.run.dir=run", "tags=[try]")
    result = run_app(app, *arguments, *places, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert in_csv(tmp_path / "run" / "csv") == tags
    assert yaml.safe_load((tmp_path / "run" / "csv" / "hparams.yaml").read_text())["tags"] == ["try"]
    assert not (tmp_path / "run" / "tensorboard").exists()
    assert json.loads((tmp_path / "run" / "environment.json").read_text())["packages"]["torch"]


def test_without_a_logger_a_training_keeps_its_files(trained: Path, tmp_path: Path) -> None:
    places = ("logger=none", "hydra.run.dir=run", "evaluate=false")
    result = run_app("train", *TINY, *data_of(trained), *places, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "run" / "metrics.csv").is_file()
    assert not (tmp_path / "run" / "tensorboard").exists()


class Recorder:
    """What a logger is told."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.ended: list[str] = []

    def log_hyperparams(self, values: dict[str, Any]) -> None:
        self.values = values

    def finalize(self, status: str) -> None:
        self.ended.append(status)


@pytest.mark.parametrize(("error", "status"), [(ValueError, "failed"), (KeyboardInterrupt, "KILLED")])
def test_loggers_are_closed_with_the_outcome(error: type[BaseException], status: str, tmp_path: Path) -> None:
    good, bad = Recorder(), Recorder()
    with run_loggers.recorded({"mine": good}, {"seed": 3}, tmp_path):
        assert good.ended == []
    assert good.ended == ["success"]
    assert good.values == {"seed": 3, "environment": json.loads((tmp_path / "environment.json").read_text())}
    with pytest.raises(error), run_loggers.recorded({"mine": bad}, {}, tmp_path):
        raise error
    assert bad.ended == [status]


def test_what_failed_first_is_raised_though_a_logger_cannot_be_closed_after_it(tmp_path: Path) -> None:
    class Closed(Recorder):
        def finalize(self, status: str) -> None:
            raise OSError("Writer is closed")

    other = Recorder()
    with (
        pytest.raises(ValueError, match="a process was ended"),
        run_loggers.recorded({"tensorboard": Closed(), "mine": other}, {}, tmp_path),
    ):
        raise ValueError("a process was ended")
    assert other.ended == ["failed"]


@pytest.mark.parametrize(("name", "target"), [("wandb", "WandbLogger"), ("mlflow", "MLFlowLogger")])
def test_a_missing_package_is_one_line_that_names_the_extra(
    name: str, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_loggers, "find_spec", lambda package: None)
    entry = {name: {"_target_": f"pytorch_lightning.loggers.{target}"}}
    with pytest.raises(
        ValueError, match=rf"^logger.{name} needs {name}, .* 'deepdream-lightning\[{name}\]'` brings it$"
    ):
        run_loggers.build_loggers(entry, tmp_path, [])
