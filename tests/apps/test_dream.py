from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepdream.provenance import read_provenance
from tests.conftest import run_app

# A dream of a second.
QUICK = ("dream.width=160", "dream.octaves=2", "dream.steps=3")


def test_the_picture_keeps_its_configuration_and_its_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    result = run_app(
        "dream", f"ckpt={checkpoint}", "dream.layers=[layer2,layer3]", *QUICK, "output=art/d.png", cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    assert "art/d.png" in result.stdout
    kept = read_provenance(tmp_path / "art" / "d.png")
    assert kept["config"]["dream"]["layers"] == ["layer2", "layer3"]
    assert kept["config"]["dream"]["steps"] == 3
    assert kept["checkpoint"]["name"] == str(checkpoint)
    assert len(kept["checkpoint"]["sha256"]) == 64
    with Image.open(tmp_path / "art" / "d.png") as picture:
        assert picture.size == (160, 106)


def test_layers_presets_and_seeds_make_different_dreams_and_the_same_makes_the_same(
    checkpoint: Path, tmp_path: Path
) -> None:
    variants = {
        "layer1": ("dream.layers=[layer1]",),
        "again": ("dream.layers=[layer1]",),
        "layer4": ("dream.layers=[layer4]",),
        "seed": ("dream.layers=[layer1]", "seed=1"),
        "inceptionism": ("dream.layers=[layer1]", "dream=inceptionism"),
        "noise": ("dream.layers=[layer1]", "image=noise"),
        "flower": ("dream.layers=[layer1]", "image=flower"),
    }
    pictures = {}
    for name, arguments in variants.items():
        result = run_app("dream", f"ckpt={checkpoint}", *arguments, *QUICK, f"output={name}.png", cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        pictures[name] = np.asarray(Image.open(tmp_path / f"{name}.png")).tobytes()
    assert pictures.pop("again") == pictures["layer1"]
    assert len(set(pictures.values())) == len(pictures)


def test_a_first_dream_needs_nothing_and_says_what_to_try_next(tmp_path: Path) -> None:
    result = run_app("dream", *QUICK, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "dreamed layer3, layer4 of box" in result.stdout
    assert result.stdout.count("python dream.py") == 3
    assert len(list(tmp_path.glob("outputs/*/*/dream.png"))) == 1


def test_list_layers_prints_a_table(checkpoint: Path, tmp_path: Path) -> None:
    result = run_app("dream", f"ckpt={checkpoint}", "dream.list_layers=true", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    (row,) = [line for line in result.stdout.splitlines() if " layer4 " in line]
    assert "512" in row
    assert "32" in row


def test_a_finished_run_says_how_to_look_and_leaves_no_traceback_of_bad_input(checkpoint: Path, tmp_path: Path) -> None:
    Image.new("RGB", (90, 60), "teal").save(tmp_path / "whole.png")
    data = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("not a picture")
    Image.new("RGB", (5, 2000)).save(tmp_path / "thin.png")
    Image.new("RGB", (2000, 5)).save(tmp_path / "flat.png")
    (tmp_path / "folder").mkdir()
    torn = tmp_path / "torn.ckpt"
    torn.write_bytes(checkpoint.read_bytes()[:5000])
    ckpt = f"ckpt={checkpoint}"
    cases = {
        (ckpt, "image=whol.png"): "whole.png",
        (ckpt, "image=cut.png"): "cut.png",
        (ckpt, "image=empty.jpg"): "empty.jpg is empty (0 bytes)",
        (ckpt, "image=text.jpg"): "text.jpg",
        (ckpt, "image=folder"): "there is no picture in folder",
        (ckpt, "image=thin.png"): "dream.width",
        (ckpt, "image=flat.png"): "octave",
        (ckpt, "dream.layers=[layr3]"): "layer3",
        (ckpt, "dream.layers=layer3"): "dream.layers",
        (ckpt, "dream.steps=0"): "dream.steps is 0",
        (ckpt, "dream=gordik"): "Available options in 'dream'",
        (ckpt, "output=dream.bmp"): "must end in .png or .jpg",
        (ckpt, "dream=guided"): "name it with guide=",
        (ckpt, "dream.device=cuda"): "there is cpu",
        ("ckpt=missing.ckpt",): "there is no checkpoint missing.ckpt",
        (f"ckpt={torn}",): "torn.ckpt is truncated",
        ("ckpt=last",): "train.py experiment=demo`",
    }
    for arguments, message in cases.items():
        result = run_app("dream", *arguments, cwd=tmp_path)
        assert result.returncode == 1, arguments
        assert "Traceback" not in result.stderr
        lines = result.stderr.splitlines()
        assert len(lines) == 1, result.stderr
        assert message in lines[0], lines[0]
    assert not list(tmp_path.rglob("dream*.png"))


@pytest.mark.parametrize("mode", ["RGBA", "I;16"])
def test_any_kind_of_picture_dreams(checkpoint: Path, tmp_path: Path, mode: str) -> None:
    picture = Image.effect_noise((120, 90), 60)
    picture = (
        Image.fromarray(np.asarray(picture, np.uint16) * 257)
        if mode == "I;16"
        else picture.convert("RGB").convert(mode)
    )
    picture.save(tmp_path / "photo.png")
    result = run_app("dream", f"ckpt={checkpoint}", "image=photo.png", *QUICK, "output=d.png", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    with Image.open(tmp_path / "d.png") as dream:
        assert (dream.mode, dream.size) == ("RGB", (160, 120))
