from pathlib import Path

import pytest
import torch

from deepdream.apps.pack import main
from deepdream.models import load_network
from tests.models.checkpoints import checkpoint


def test_pack_writes_a_checkpoint_that_opens_and_prints_its_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(checkpoint(), tmp_path / "best.ckpt")
    packed = tmp_path / "packed.ckpt"
    assert main([str(tmp_path / "best.ckpt"), str(packed)]) == 0
    sizes = [path.stat().st_size / 1e6 for path in (packed, tmp_path / "best.ckpt")]
    assert capsys.readouterr().out == f"{packed}: {sizes[0]:.1f} MB, from {sizes[1]:.1f}\n"
    assert sizes[0] < 0.3 * sizes[1]
    assert load_network(packed).classes == ["bar", "library", "pantry"]


def test_a_file_that_cannot_be_packed_is_an_error_of_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"weights": 1}, tmp_path / "other.pt")
    for name, message in {"other.pt": "not a checkpoint of deepdream", "none.ckpt": "there is no checkpoint"}.items():
        assert main([str(tmp_path / name), str(tmp_path / "packed.ckpt")]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")
        assert message in line
    assert not (tmp_path / "packed.ckpt").exists()
