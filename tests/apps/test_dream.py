import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from deepdream.images import noise_image
from deepdream.provenance import read_provenance
from tests.conftest import run_app

# A dream of a second.
QUICK = ("dream.width=160", "dream.octaves=2", "dream.steps=3")


def test_the_image_stores_its_configuration_and_its_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
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
    with Image.open(tmp_path / "art" / "d.png") as image:
        assert image.size == (160, 106)


@pytest.mark.slow
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
    images = {}
    for name, arguments in variants.items():
        result = run_app("dream", f"ckpt={checkpoint}", *arguments, *QUICK, f"output={name}.png", cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        images[name] = np.asarray(Image.open(tmp_path / f"{name}.png")).tobytes()
    assert images.pop("again") == images["layer1"]
    assert len(set(images.values())) == len(images)


def test_a_visualisation_is_transparent_where_it_did_not_matter_and_is_reproduced(
    checkpoint: Path, tmp_path: Path
) -> None:
    arguments = (f"ckpt={checkpoint}", "dream=maco", "target=0", "dream.width=64", "dream.steps=3")
    assert run_app("dream", *arguments, "output=m.png", cwd=tmp_path).returncode == 0
    assert run_app("dream", *arguments, "output=m.jpg", cwd=tmp_path).returncode == 0
    assert run_app("dream", "from=m.png", "output=again.png", cwd=tmp_path).returncode == 0
    with Image.open(tmp_path / "m.png") as image, Image.open(tmp_path / "again.png") as again:
        assert image.mode == "RGBA"
        low, high = image.getchannel("A").getextrema()
        assert low < 200
        assert high == 255
        assert image.tobytes() == again.tobytes()
        white = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    with Image.open(tmp_path / "m.jpg") as flat:
        assert np.abs(np.asarray(flat, float) - np.asarray(white, float)).mean() < 6


def test_a_first_dream_needs_no_arguments_and_prints_commands_to_try(tmp_path: Path) -> None:
    result = run_app("dream", *QUICK, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "dreamed layer3, layer4 of miniplaces" in result.stdout
    _, _, hints = result.stdout.partition("try next:")
    assert len(hints.strip().splitlines()) == 3
    assert hints.count("film=zoom output=zoom.mp4") == 1
    assert len(list(tmp_path.glob("outputs/*/*/dream.png"))) == 1


def test_the_layers_are_printed_as_a_table(checkpoint: Path, tmp_path: Path) -> None:
    result = run_app("dream", f"ckpt={checkpoint}", "mode=layers", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    (row,) = [line for line in result.stdout.splitlines() if " layer4 " in line]
    assert "512" in row
    assert "32" in row


def test_bad_input_fails_with_one_line_and_without_a_traceback(checkpoint: Path, tmp_path: Path) -> None:
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
        (ckpt, "image=folder"): "there is no image in folder",
        (ckpt, "image=thin.png"): "dream.width",
        (ckpt, "image=flat.png"): "octave",
        (ckpt, "dream.layers=[layr3]"): "layer3",
        (ckpt, "dream.steps=0"): "dream.steps is 0",
        (ckpt, "dream=gordik"): "unknown choice `dream=gordik`. Did you mean `dream=gordic`?",
        (ckpt, "output=dream.bmp"): "must end in .png, .jpg",
        (ckpt, "dream=guided"): "name it with guide=",
        (ckpt, "device=cuda"): "available: cpu",
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("film=zoom", "mode=channels"), "mode=channels dreams a grid and does not use film=zoom"),
        (("film=zoom", "dream=channel_grid"), "mode=channels dreams a grid and does not use film=zoom"),
        (("mode=layers", "output=x.bmp"), "mode=layers only prints a table and does not use output=x.bmp"),
        (("mode=layers", "film=zoom"), "mode=layers only prints a table and does not use film=zoom"),
        (("channels=4",), "channels=4 needs mode=channels; mode is image"),
        (("film=zoom", "mask=gradcam"), "film=zoom makes a film and does not use mask=gradcam"),
        (("film=zoom", "report=true"), "film=zoom makes a film and does not use report=true"),
        (("mode=channels", "guide=flower"), "mode=channels dreams a grid and does not use guide=flower"),
        (("film=zoom", "film.run=outputs"), "film.run=outputs belongs to film=checkpoints"),
        (("film=checkpoints",), "film=checkpoints needs a run folder"),
        (("image=photos", "film=zoom"), "image=photos is a folder and film=zoom takes one image"),
        (("image=photos", "report=true"), "image=photos is a folder and report=true takes one image"),
        (("devices=2",), "devices=2 shares out a folder of images"),
        (("dream=vivid", "dream.init=noise"), "dream.init=noise needs dream.parameterization=fourier or phase"),
        (("dream.objective=diversity",), "the objective diversity compares the images of a batch"),
        (("mode=grid",), "mode is 'grid'; it must be one of image, channels, layers"),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    (tmp_path / "photos").mkdir()
    result = run_app("dream", *arguments, cwd=tmp_path)
    assert result.returncode == 1, result.stdout
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert message in result.stderr


@pytest.mark.slow
def test_a_class_is_named_in_any_case_by_target_and_by_class(checkpoint: Path, tmp_path: Path) -> None:
    quick = (f"ckpt={checkpoint}", "dream=class", "dream.width=64", "dream.steps=2", "output=a.png")
    images = set()
    for argument in ("target=Library", "class=LIBRARY", "dream.target=library"):
        result = run_app("dream", *quick, argument, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        images.add(np.asarray(Image.open(tmp_path / "a.png")).tobytes())
    assert len(images) == 1
    wrong = run_app("dream", *quick, "target=libary", cwd=tmp_path)
    assert "no class 'libary'. Did you mean `library`" in wrong.stderr


def test_a_channel_grid_is_a_preset_that_sets_its_mode(checkpoint: Path, tmp_path: Path) -> None:
    quick = ("dream.steps=2", "dream.width=32", "channels=2", "dream.layers=[layer2]")
    result = run_app("dream", f"ckpt={checkpoint}", "dream=channel_grid", *quick, "output=grid.png", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("channels of layer2")
    config = read_provenance(tmp_path / "grid.png")["config"]
    assert (config["mode"], config["channels"]) == ("channels", 2)


@pytest.mark.slow
def test_images_of_one_size_are_compared_and_one_of_another_size_is_skipped(checkpoint: Path, tmp_path: Path) -> None:
    """With one image at a time, as version 0.1.0 dreamed on a CPU, the objective diversity has no effect."""
    (tmp_path / "photos").mkdir()
    for number, side in enumerate((64, 64, 64, 72)):
        noise_image(side, 64, number).save(tmp_path / "photos" / f"{number}.png")
    quick = (f"ckpt={checkpoint}", "dream=gordic", "dream.width=64", "dream.octaves=2", "dream.steps=2")
    dreams = {}
    for name, objective in {"alone": "{mean_square: 1}", "compared": "{mean_square: 1, diversity: 1000}"}.items():
        arguments = ("image=photos", f"dream.objective={objective}", f"output={name}")
        result = run_app("dream", *quick, *arguments, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        dreams[name] = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
    assert "skipped: photos/3.png: no other image is 64x72" in result.stderr
    assert sorted(dreams["compared"]) == ["0.png", "1.png", "2.png"]
    assert not any(dreams["compared"][name] == dreams["alone"][name] for name in dreams["compared"])
    assert "3 of 4 images exist already" in run_app("dream", *quick, *arguments, cwd=tmp_path).stdout


def test_a_film_of_few_checkpoints_names_the_callback_that_keeps_more(checkpoint: Path, tmp_path: Path) -> None:
    quick = ("dream=gordic", "dream.width=64", "dream.octaves=1", "dream.steps=1", "dream.layers=[layer2]")
    run = checkpoint.parent.parent
    result = run_app("dream", "film=checkpoints", f"film.run={run}", *quick, "output=film.gif", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"checkpoints: 1 in {run}, one frame each; train with callbacks=every_epochs" in result.stdout
    assert len(list((tmp_path / "film_frames").glob("*.png"))) == 1  # best.ckpt and last.ckpt are the same


def test_a_folder_reads_its_guide_once(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from deepdream.apps import folders, inputs
    from deepdream.dreaming.config import DreamAppConfig, DreamConfig, FilmConfig
    from deepdream.models import load_network

    (tmp_path / "photos").mkdir()
    for number in range(3):
        noise_image(48, 64, number).save(tmp_path / "photos" / f"{number}.png")
    read = []
    read_photo = inputs.read_photo
    monkeypatch.setattr(inputs, "read_photo", lambda name: read.append(name) or read_photo(name))
    dream = DreamConfig.preset("guided", layers=["layer2"], octaves=1, steps=1, width=64)
    film = FilmConfig("none", None, None, 1.0, 0.0, [0, 0], 0.0, None)
    paths = {"ckpt": None, "image": "photos", "guide": "flower", "mask": None, "output": None, "reproduce": None}
    machine = {"device": "cpu", "precision": "fp32", "compile": False, "max_pixels": None, "devices": 1}
    config = DreamAppConfig(
        **paths, **machine, mode="image", channels=None, seed=0, report=False, dream=dream, film=film
    )
    paths = sorted((tmp_path / "photos").iterdir())
    folders.dream_folder(config, load_network(checkpoint), paths, tmp_path / "dreams")
    assert len(list((tmp_path / "dreams").iterdir())) == 3
    assert read.count("flower") == 1


@pytest.mark.slow
def test_the_image_outside_the_mask_is_the_photo_to_the_bit(checkpoint: Path, tmp_path: Path) -> None:
    noise_image(48, 64, 0).save(tmp_path / "photo.png")
    mask = np.zeros((48, 64), np.uint8)
    mask[:, 32:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    for preset in ("gordic", "vivid", "inceptionism"):
        quick = (f"dream={preset}", "dream.layers=[layer2]", "dream.width=null", "dream.octaves=2", "dream.steps=2")
        places = ("image=photo.png", "mask=mask.png", f"output={preset}.png")
        result = run_app("dream", f"ckpt={checkpoint}", *quick, "dream.pad=0", *places, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        before, after = (np.asarray(Image.open(tmp_path / name)) for name in ("photo.png", f"{preset}.png"))
        assert np.array_equal(before[:, :31], after[:, :31])
        assert not np.array_equal(before[:, 33:], after[:, 33:])


def test_a_first_dream_imports_no_other_library_as_slow_as_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from deepdream.apps.dream import main\n"
        "sys.argv = ['dream.py', 'dream.width=64', 'dream.octaves=1', 'dream.steps=1', 'output=d.png']\n"
        "main()\n"
        "slow = {'torchvision', 'torch._dynamo', 'sympy', 'pytorch_lightning', 'sklearn', 'matplotlib', 'scipy'}\n"
        "assert not slow & set(sys.modules), slow & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "d.png").is_file()


def test_a_long_dream_says_once_how_long_it_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from deepdream.apps import dream

    clock = iter([0.0, 60.0, 120.0, 600.0, 1200.0])
    monkeypatch.setattr(dream, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with dream._progress() as show:
        for octave, step, done in ((0, 0, 0.01), (0, 1, 0.02), (1, 0, 0.5), (1, 1, 1.0)):
            show(SimpleNamespace(octave=octave, octaves=2, step=step, steps=2, size=(9, 16), done=done))
    assert capsys.readouterr().out == "about 1.6 hours to go\n"


@pytest.mark.slow
def test_a_compiled_dream_prints_no_warning_of_torch(checkpoint: Path, tmp_path: Path) -> None:
    quick = ("dream=gordic", "dream.width=64", "dream.octaves=1", "dream.steps=1", "dream.layers=[layer1]")
    result = run_app("dream", f"ckpt={checkpoint}", "compile=true", *quick, "output=d.png", cwd=tmp_path, seconds=600)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
