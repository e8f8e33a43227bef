import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from pytorch_lightning.loggers import CSVLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from deepdream import models
from deepdream.apps.evaluate import data_of, evaluate_network
from deepdream.evaluating import EvaluationOptions
from tests.conftest import run_app

# Keys of the record in the checkpoints of version 0.1.0, and what they hold there and in conf/data/rooms.yaml.
OLD = {"store": True, "store_size": None, "cache": "data/cache"}


@pytest.mark.slow
def test_two_checkpoints_are_compared_on_the_same_images(checkpoint: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "checkpoints" / "best.ckpt"
    other.parent.mkdir(parents=True)
    shutil.copy(checkpoint, other)
    result = run_app("evaluate", f"ckpt=[{checkpoint},{other}]", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    (run,) = tmp_path.glob("outputs/*/*")
    rows = list(csv.reader((run / "comparison.csv").open()))
    assert [row[0] for row in rows[1:]] == [f"rooms, {checkpoint.parents[1].name}/best", "rooms, other/best"]
    (test,) = csv.DictReader((run / "paired_tests.csv").open())
    assert (test["only first correct"], test["only second correct"], test["p"]) == ("0", "0", "1")
    one, two = (json.loads((run / n / "figures" / "evaluation.json").read_text()) for n in ("1", "2"))
    assert one == two
    assert "2 networks on the same images" in (run / "report.html").read_text()


def test_training_leaves_its_evaluation_in_the_run_folder_and_in_tensorboard(checkpoint: Path) -> None:
    run = checkpoint.parents[1]
    names = {p.name for p in (run / "figures").iterdir()}
    assert names >= {"reliability.png", "per_class.png", "confused_pairs.png", "mistakes.png", "pca.png", "tsne.png"}
    assert (run / "report.html").stat().st_size > 100_000
    assert list((run / "tensorboard").rglob("sprite.png"))
    events = [EventAccumulator(str(file)).Reload().Tags() for file in (run / "tensorboard").glob("events*")]
    images = {tag for tags in events for tag in tags["images"]}
    assert images >= {f"evaluation/{name}" for name in ("confusion", "per_class", "reliability", "tsne", "mistakes")}


def test_invalid_values_are_refused_in_one_line(checkpoint: Path, tmp_path: Path) -> None:
    cases = {
        ("ckpt=[]",): "ckpt is []; it must be a path, or a list of paths",
        ("tta=mirror",): "tta is 'mirror'; it must be one of none, flip, multicrop",
        (f"ckpt=[{checkpoint},nowhere.ckpt]",): "there is no checkpoint nowhere.ckpt",
    }
    for arguments, message in cases.items():
        result = run_app("evaluate", *arguments, cwd=tmp_path)
        assert result.returncode == 1, arguments
        (line,) = result.stderr.splitlines()
        assert message in line, line


def old_record(network: models.Network) -> models.Network:
    """The network with the record that version 0.1.0 would have written."""
    parameters = dict(network.hyper_parameters or {})
    new = ("cache_images", "cache_image_size", "cache_dir")
    record = {key: value for key, value in parameters["data"].items() if key not in new} | OLD
    if record.get("rooms"):
        record["rooms"] = {key: value for key, value in record["rooms"].items() if "shortcut" not in key}
    return replace(network, hyper_parameters={**parameters, "data": record})


def test_the_bundled_record_of_version_0_1_0_is_understood() -> None:
    """It was packed without the folders of the machine that it was trained on."""
    with pytest.raises(ValueError, match="box has no record of the folder of its data; name it with root=PATH"):
        data_of(models.load_network("box"))


def test_a_checkpoint_of_version_0_1_0_finds_its_data(
    checkpoint: Path, trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(trained)
    network = models.load_network(checkpoint)
    data, of_old = (data_of(each, workers=0) for each in (network, old_record(network)))
    assert of_old.fingerprint == data.fingerprint
    assert capsys.readouterr().out == ""


def test_a_record_older_than_a_key_takes_the_value_of_the_yaml(
    checkpoint: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained)
    network = old_record(models.load_network(checkpoint))
    del (network.hyper_parameters or {})["data"]["test_list"]
    assert len(data_of(network).split("test")) > 0
    (network.hyper_parameters or {})["data"] |= {"colour": 1, 7: 2}
    with pytest.raises(ValueError, match=r"best\.ckpt has a record of its data with unknown keys: colour, 7"):
        data_of(network)


def test_data_with_other_classes_are_refused(checkpoint: Path, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)
    network = models.load_network(checkpoint)
    first, *others = network.classes
    with pytest.raises(ValueError, match=rf"rooms has other classes than .*best\.ckpt: {first} in place of attic$"):
        data_of(replace(network, classes=["attic", *others]))
    count = len(network.classes)
    with pytest.raises(ValueError, match=rf"rooms has {count} classes, .*best\.ckpt has {count - 1}$"):
        data_of(replace(network, classes=others))


@pytest.mark.slow
def test_evaluation_goes_to_the_given_loggers(
    checkpoint: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(trained)
    network = models.load_network(checkpoint)
    table = CSVLogger(tmp_path, name="", version="csv")
    options = EvaluationOptions(device="cpu", precision="fp32")
    evaluation = evaluate_network(network, data_of(network, workers=0), tmp_path / "run", options, loggers=[table])
    table.save()
    (row,) = csv.DictReader((tmp_path / "csv" / "metrics.csv").open())
    assert float(row["evaluation/accuracy"]) == pytest.approx(evaluation.metrics["accuracy"])
    assert not (tmp_path / "run" / "tensorboard").exists()
    printed = capsys.readouterr().out
    assert "mean per-class accuracy" in printed
    assert f"report:     {tmp_path / 'run' / 'report.html'}" in printed
