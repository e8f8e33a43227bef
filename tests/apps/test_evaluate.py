import csv
import json
import shutil
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.conftest import run_app


def test_two_checkpoints_are_compared_on_the_same_pictures(checkpoint: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "checkpoints" / "best.ckpt"
    other.parent.mkdir(parents=True)
    shutil.copy(checkpoint, other)
    result = run_app("evaluate", f"ckpt=[{checkpoint},{other}]", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    (run,) = tmp_path.glob("outputs/*/*")
    rows = list(csv.reader((run / "comparison.csv").open()))
    assert [row[0] for row in rows[1:]] == [f"rooms, {checkpoint.parents[1].name}/best", "rooms, other/best"]
    (test,) = csv.DictReader((run / "paired_tests.csv").open())
    assert (test["only first right"], test["only second right"], test["p"]) == ("0", "0", "1")
    one, two = (json.loads((run / n / "figures" / "evaluation.json").read_text()) for n in ("1", "2"))
    assert one == two
    assert "2 networks on the same pictures" in (run / "report.html").read_text()


def test_everything_is_in_the_run_folder_and_in_tensorboard(checkpoint: Path) -> None:
    run = checkpoint.parents[1]
    names = {p.name for p in (run / "figures").iterdir()}
    assert names >= {"reliability.png", "per_class.png", "confused_pairs.png", "mistakes.png", "pca.png", "tsne.png"}
    assert (run / "report.html").stat().st_size > 100_000
    assert list((run / "tensorboard").rglob("sprite.png"))
    events = [EventAccumulator(str(file)).Reload().Tags() for file in (run / "tensorboard").glob("events*")]
    images = {tag for tags in events for tag in tags["images"]}
    assert images >= {f"evaluation/{name}" for name in ("confusion", "per_class", "reliability", "tsne", "mistakes")}


def test_a_mistake_is_said_in_one_line(checkpoint: Path, tmp_path: Path) -> None:
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
