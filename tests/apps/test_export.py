from pathlib import Path

import pytest
import torch

from deepdream.models import load_network
from tests.conftest import run_app
from tests.models.checkpoints import checkpoint


def test_export_writes_a_folder_that_the_other_commands_take(tmp_path: Path) -> None:
    torch.save(checkpoint(), tmp_path / "best.ckpt")
    result = run_app("export", "ckpt=best.ckpt", "to=shared", "dreams=false", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "exported best.ckpt: 3 classes" in result.stdout
    weights = torch.load(tmp_path / "best.ckpt", weights_only=True)["state_dict"]
    read = load_network(tmp_path / "shared").model.state_dict()
    assert all(torch.equal(read[name.removeprefix("model.")], value) for name, value in weights.items())
    listed = run_app("dream", "ckpt=shared", "mode=layers", cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    assert "layers of shared" in listed.stdout
    assert (
        run_app("export", "ckpt=best.ckpt", "to=shared", "dreams=false", cwd=tmp_path).returncode == 0
    )  # an export is replaced


def test_export_replaces_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    for target, message in {"photos": "is a folder with something else in it", "photos/a.jpg": "is a file"}.items():
        result = run_app("export", "ckpt=box", f"to={target}", cwd=tmp_path)
        assert result.returncode == 1
        (line,) = result.stderr.splitlines()
        assert message in line
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["a.jpg"]


@pytest.mark.slow
def test_a_file_of_weights_dreams_with_the_keys_of_the_command_line(tmp_path: Path) -> None:
    from torchvision.models import shufflenet_v2_x0_5

    torch.save(shufflenet_v2_x0_5(num_classes=2).state_dict(), tmp_path / "weights.pth")
    (tmp_path / "classes.txt").write_text("bar\nattic\n")
    about = ("ckpt=weights.pth", "ckpt_model=torchvision/shufflenet_v2_x0_5", "ckpt_classes=classes.txt")
    quick = ("dream.width=96", "dream.octaves=1", "dream.steps=1", "dream.layers=[stage3]", "output=d.png")
    result = run_app("dream", *about, "ckpt_mean=[0,0,0]", "ckpt_std=[1,1,1]", *quick, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert run_app("dream", "from=d.png", cwd=tmp_path).returncode == 0
    assert (tmp_path / "d_reproduced.png").read_bytes() == (tmp_path / "d.png").read_bytes()
    wrong = run_app("dream", "ckpt=weights.pth", cwd=tmp_path)
    assert wrong.returncode == 1
    assert "ckpt_model=torchvision/resnet50" in wrong.stderr
