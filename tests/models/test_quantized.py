from pathlib import Path

import pytest
import torch

from deepdream.models import load_network
from deepdream.models.quantized import SMALL, pack
from tests.models.checkpoints import checkpoint

DATA = {
    "root": "/photos",
    "cache_dir": "/cache",
    "cache": "/old",
    "url": None,
    "workers": 2,
    "resize": 110,
    "seed": 3,
    "fingerprint": "f",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    content = checkpoint()
    content["hyper_parameters"].update(data=DATA, loss="cross_entropy")
    torch.save({**content, "optimizer_states": [torch.zeros(1000)]}, tmp_path / "best.ckpt")
    return tmp_path / "best.ckpt"


def test_packed_weights_differ_by_at_most_half_a_step_of_their_output_channel(source: Path, tmp_path: Path) -> None:
    pack(source, tmp_path / "packed.ckpt")
    was, became = load_network(source), load_network(tmp_path / "packed.ckpt")
    assert (was.classes, was.mean, was.std, was.image_size) == (
        became.classes,
        became.mean,
        became.std,
        became.image_size,
    )
    for (name, before), after in zip(was.model.state_dict().items(), became.model.state_dict().values(), strict=True):
        assert after.dtype == before.dtype, name
        if before.numel() < SMALL:
            assert torch.equal(before, after), name
        else:
            step = before.flatten(1).abs().amax(dim=1) / 127
            assert ((before - after).flatten(1).abs().amax(dim=1) <= step * 0.5001).all(), name
            assert not torch.equal(before, after), name


def test_an_all_zero_channel_stays_zero(source: Path, tmp_path: Path) -> None:
    content = torch.load(source, weights_only=True)
    content["state_dict"]["model.layer2.0.conv1.weight"][5] = 0
    torch.save(content, source)
    pack(source, tmp_path / "packed.ckpt")
    assert load_network(tmp_path / "packed.ckpt").model.state_dict()["layer2.0.conv1.weight"][5].eq(0).all()


def test_a_packed_file_is_small_and_keeps_the_split_of_the_data_but_no_path(source: Path, tmp_path: Path) -> None:
    packed = tmp_path / "new" / "packed.ckpt"
    pack(source, packed)
    weights = sum(value.numel() for value in load_network(source).model.state_dict().values())
    assert packed.stat().st_size < 1.1 * weights
    kept = torch.load(packed, weights_only=True)["hyper_parameters"]
    assert kept["data"] == {"resize": 110, "seed": 3, "fingerprint": "f"}
    assert "loss" not in kept
