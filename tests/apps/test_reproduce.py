"""Reproduced dreams, folders of dreams, masks and reports, as a user runs them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deepdream.apps.reproduce import check_same_network
from deepdream.dreaming import DreamConfig
from deepdream.images import noise_image, resize_to_width
from deepdream.models import load_network
from deepdream.provenance import read_provenance, write_png
from tests.conftest import run_app
from tests.hostile.test_pictures import config as config_of
from tests.slow import slow_but

QUICK = ("dream=gordic", "dream.width=120", "dream.octaves=2", "dream.steps=2", "dream.layers=[layer2]")


def pixels(path: Path) -> bytes:
    return np.asarray(Image.open(path)).tobytes()


@pytest.mark.parametrize("suffix", ["png", pytest.param("jpg", marks=pytest.mark.slow)])
def test_a_dream_is_reproduced_bit_for_bit(checkpoint: Path, tmp_path: Path, suffix: str) -> None:
    first = run_app("dream", f"ckpt={checkpoint}", *QUICK, "seed=3", f"output=a.{suffix}", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    again = run_app("dream", f"from=a.{suffix}", f"output=b.{suffix}", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_the_configuration_in_an_image_is_data_and_is_checked(checkpoint: Path, tmp_path: Path) -> None:
    assert run_app("dream", f"ckpt={checkpoint}", *QUICK, "output=a.png", cwd=tmp_path).returncode == 0
    kept = read_provenance(tmp_path / "a.png")
    config = kept["config"]
    cases = {
        "unknown": ({**kept, "config": {**config, "_target_": "os.system"}}, "_target_"),
        "range": ({**kept, "config": {**config, "dream": {**config["dream"], "steps": 0}}}, "steps is 0"),
        "other": ({**kept, "checkpoint": {**kept["checkpoint"], "sha256": "0" * 64}}, "dreamed by another network"),
        "empty": ({}, "has no config"),
    }
    for name, (provenance, message) in cases.items():
        write_png(Image.new("RGB", (4, 4)), tmp_path / f"{name}.png", provenance=provenance)
        result = run_app("dream", f"from={name}.png", "output=b.png", cwd=tmp_path)
        assert result.returncode == 1, name
        assert message in result.stderr, result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "b.png").exists()


OLD = Path(__file__).parent / "data"


@pytest.mark.parametrize(
    "name",
    slow_but(["vivid.png"], ["vivid.png", "grid.png", "gordic.png", "class.jpg"]),
)
def test_an_image_of_version_0_1_0_is_reproduced(tmp_path: Path, name: str) -> None:
    """The mean, because the number of threads changes the order of float32 sums, which a dream amplifies."""
    old, output = OLD / f"v0.1.0_{name}", tmp_path / name
    assert read_provenance(old)["version"] == "0.1.0"
    result = run_app("dream", f"from={old}", f"output={name}", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    before, after = (np.asarray(Image.open(path).convert("RGB"), float) for path in (old, output))
    assert np.abs(before - after).mean() < 1
    assert read_provenance(output)["version"] != "0.1.0"


def test_a_masked_dream_of_version_0_1_0_is_refused_with_the_version(tmp_path: Path) -> None:
    stored = read_provenance(OLD / "v0.1.0_gordic.png")
    stored["config"]["mask"] = "gradcam"
    write_png(Image.new("RGB", (4, 4)), tmp_path / "old.png", provenance=stored)
    result = run_app("dream", "from=old.png", cwd=tmp_path)
    assert result.returncode == 1
    assert "old.png was made by version 0.1.0: its mask is computed otherwise since version 0.2.0" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_key_that_would_change_the_reproduced_dream_is_refused(tmp_path: Path) -> None:
    result = run_app("dream", f"from={OLD / 'v0.1.0_gordic.png'}", "dream.steps=3", cwd=tmp_path)
    assert result.returncode == 1
    assert "leave dream.steps=3 out" in result.stderr


@pytest.mark.slow
def test_a_folder_dreams_image_by_image_and_skips_a_bad_one(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for seed, (height, width) in enumerate([(8, 12), (8, 12), (9, 12)]):
        resize_to_width(noise_image(height, width, seed), 150).save(tmp_path / "photos" / f"{seed}.jpg")
    (tmp_path / "photos" / "bad.jpg").write_text("no picture")
    arguments = (f"ckpt={checkpoint}", *QUICK, "image=photos", "output=dreams")
    result = run_app("dream", *arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "skipped: photos/bad.jpg" in result.stderr
    assert sorted(path.name for path in (tmp_path / "dreams").iterdir()) == ["0.jpg.png", "1.jpg.png", "2.jpg.png"]
    alone = run_app("dream", f"ckpt={checkpoint}", *QUICK, "image=photos/1.jpg", "output=alone.png", cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    assert pixels(tmp_path / "alone.png") == pixels(tmp_path / "dreams" / "1.jpg.png")
    assert read_provenance(tmp_path / "dreams" / "1.jpg.png")["config"]["image"] == "photos/1.jpg"
    assert "3 of 4 images exist already" in run_app("dream", *arguments, cwd=tmp_path).stdout


@pytest.mark.slow
def test_a_dream_is_masked_by_gradcam_and_reported(checkpoint: Path, tmp_path: Path) -> None:
    masked = {}
    for mask in ("gradcam", "not-gradcam"):
        result = run_app(
            "dream", f"ckpt={checkpoint}", *QUICK, f"mask={mask}", "report=true", f"output={mask}.png", cwd=tmp_path
        )
        assert result.returncode == 0, result.stderr
        masked[mask] = pixels(tmp_path / f"{mask}.png")
        assert "random weights" in result.stdout
        report = json.loads((tmp_path / f"{mask}.json").read_text())
        assert {"top5", "objective", "total_variation", "seconds_per_step"} <= set(report)
    assert len(set(masked.values())) == 2


def test_class_is_an_alias_of_the_target(checkpoint: Path, tmp_path: Path) -> None:
    quick = ("dream=class", "dream.width=64", "dream.steps=2")
    result = run_app("dream", f"ckpt={checkpoint}", *quick, "class=library", "output=a.png", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert read_provenance(tmp_path / "a.png")["config"]["dream"]["target"] == "library"
    wrong = run_app("dream", f"ckpt={checkpoint}", *quick, "class=libary", "output=b.png", cwd=tmp_path)
    assert "no class 'libary'. Did you mean `library`" in wrong.stderr


@pytest.mark.slow
def test_a_zoom_film_continues_after_its_last_frame(checkpoint: Path, tmp_path: Path) -> None:
    arguments = (f"ckpt={checkpoint}", *QUICK, "film=zoom", "output=film.mp4")
    for frames in (2, 3):
        result = run_app("dream", *arguments, f"film.frames={frames}", cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        assert ("reused:     2 frames in film_frames" in result.stdout) == (frames == 3)
    assert len(list((tmp_path / "film_frames").glob("*.png"))) == 3
    other = run_app("dream", *arguments, "film.zoom=2", cwd=tmp_path)
    assert other.returncode == 1
    assert "film_frames holds the frames of another film (film.zoom was 1.04 and is 2" in other.stderr


def test_steps_in_units_of_another_network_are_refused_with_the_version(tmp_path: Path) -> None:
    stored = read_provenance(OLD / "v0.1.0_gordic.png")
    write_png(Image.new("RGB", (4, 4)), tmp_path / "old.png", provenance=stored)
    config = replace(config_of(tmp_path / "old.png"), dream=DreamConfig.preset("gordic"))
    network = load_network("box")
    check_same_network(config, replace(network, digest=stored["checkpoint"]["sha256"]))
    with pytest.raises(ValueError, match=r"made by version 0\.1\.0: its steps or noise had the units of"):
        check_same_network(config, replace(network, std=(1 / 255,) * 3))
