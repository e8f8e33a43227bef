from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from deepdream.config import AugmentConfig, typed
from deepdream.scenes import SceneDataModule
from deepdream.scenes.datamodule import EpochSampler
from tests.scenes.layout import write_scenes

SCENES6 = Path(__file__).parents[3] / "shared" / "scenes6"
AUGMENT = typed(AugmentConfig, OmegaConf.load(Path(__file__).parents[2] / "conf" / "augment" / "plain.yaml"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_scenes(tmp_path, {"bar": (9, 3), "library": (12, 4), "pantry": (10, 5)})


def _data(root: Path, **options: object) -> SceneDataModule:
    arguments = {"image_size": 16, "resize": 18, "val_per_class": 3, "batch_size": 4, "workers": 0, "augment": AUGMENT}
    return SceneDataModule(root, **{**arguments, **options})


def test_splits_are_disjoint_and_val_holds_out_as_many_of_each_class(root: Path) -> None:
    data = _data(root)
    paths = {name: set(data.split(name).paths) for name in ("train", "val", "test")}
    assert {name: len(p) for name, p in paths.items()} == {"train": 22, "val": 9, "test": 12}
    assert not paths["train"] & paths["val"]
    assert not paths["test"] & (paths["train"] | paths["val"])
    assert sorted(data.split("val").labels) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert data.classes == ["bar", "library", "pantry"]


def test_the_held_out_pictures_follow_from_the_seed(root: Path) -> None:
    assert _data(root, seed=1).split("val").paths == _data(root, seed=1).split("val").paths
    assert _data(root, seed=1).split("val").paths != _data(root, seed=2).split("val").paths
    data, other = _data(root, seed=1), _data(root, seed=2)
    data.setup()
    other.setup()
    assert data.fingerprint != other.fingerprint


def test_a_class_with_too_few_pictures_is_named(root: Path) -> None:
    with pytest.raises(ValueError, match="class bar has only 9 training pictures"):
        _data(root, val_per_class=9).setup()


def test_batches_are_the_same_whatever_the_number_of_workers(root: Path) -> None:
    def batches(workers: int) -> list[torch.Tensor]:
        loader = _data(root, workers=workers).train_dataloader()
        loader.sampler.set_epoch(3)
        return [images for images, _ in loader]

    alone, helped = batches(0), batches(2)
    assert len(alone) == 22 // 4
    assert all(torch.equal(a, b) for a, b in zip(alone, helped, strict=True))


def test_another_epoch_has_another_order_and_other_crops(root: Path) -> None:
    loader = _data(root, batch_size=22).train_dataloader()
    (first,) = list(loader)
    loader.sampler.set_epoch(1)
    (second,) = list(loader)
    assert not torch.equal(first[1], second[1])


def test_validation_counts_each_picture_once_over_the_processes(root: Path) -> None:
    pictures = _data(root).split("test")
    shares = [[i for _, i in EpochSampler(pictures, seed=0, shuffle=False, rank=r, world_size=5)] for r in range(5)]
    assert sorted(i for share in shares for i in share) == list(range(12))


def test_training_shares_are_equally_long_and_disjoint(root: Path) -> None:
    pictures = _data(root).split("train")
    samplers = [EpochSampler(pictures, seed=0, shuffle=True, rank=r, world_size=4) for r in range(4)]
    shares = [[i for _, i in sampler] for sampler in samplers]
    assert [len(s) for s in samplers] == [len(s) for s in shares] == [5] * 4
    assert len({i for share in shares for i in share}) == 20


def test_one_batch_larger_than_the_set_is_kept(root: Path) -> None:
    assert len(_data(root, batch_size=64).train_dataloader()) == 1


def test_batches_are_normalised_on_the_device(root: Path) -> None:
    data = _data(root, mean=(0, 0, 0), std=(1, 1, 1))
    images, labels = next(iter(data.whole_loader("test")))
    assert images.dtype == torch.uint8
    normalised, _ = data.on_after_batch_transfer((images, labels), 0)
    assert torch.allclose(normalised, images / 255, atol=1e-6)


@pytest.mark.skipif(not SCENES6.exists(), reason="the real photos are not beside this checkout (../shared/scenes6)")
def test_real_photos_become_batches() -> None:
    data = SceneDataModule(SCENES6, train_list="TrainImages80.txt", image_size=64, resize=72, workers=0)
    images, labels = next(iter(data.train_dataloader()))
    assert images.shape == (64, 3, 64, 64)
    assert images.float().std() > 30
    assert set(labels.tolist()) <= set(range(6))
    assert len(data.split("train")) == 6 * (80 - 8)
