from pathlib import Path

import pytest
import torch
from filelock import FileLock, Timeout
from omegaconf import OmegaConf
from pytorch_lightning.utilities import rank_zero_only

from deepdream.scenes import SceneDataModule
from deepdream.scenes.config import AugmentConfig
from deepdream.scenes.datamodule import EpochSampler
from deepdream.schema import typed
from tests.scenes.layout import write_scenes

SCENES6 = Path(__file__).parents[3] / "shared" / "scenes6"
PLAIN = OmegaConf.load(Path(__file__).parents[2] / "conf" / "augment" / "plain.yaml")
AUGMENT = typed(AugmentConfig, PLAIN)
STRONG = typed(AugmentConfig, PLAIN, {"trivial_augment": True, "erase": 0.5, "cutmix_alpha": 1.0, "mixup_alpha": 0.2})


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


def _batches(data: SceneDataModule, epoch: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The batches of an epoch as the network gets them."""
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return [data.on_after_batch_transfer(batch, 0) for batch in loader]


def _equal(first: list[tuple[torch.Tensor, ...]], second: list[tuple[torch.Tensor, ...]]) -> bool:
    pairs = zip(first, second, strict=True)
    return all(torch.equal(a, b) for one, other in pairs for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("augment", [AUGMENT, STRONG])
@pytest.mark.parametrize("store", [True, False])
def test_batches_are_the_same_whatever_the_number_of_workers(root: Path, augment: AugmentConfig, store: bool) -> None:
    alone, one, two = (_batches(_data(root, workers=n, augment=augment, store=store), 3) for n in (0, 1, 2))
    assert len(alone) == 22 // 4
    assert _equal(alone, one)
    assert _equal(alone, two)


def test_a_run_that_resumes_at_an_epoch_sees_the_batches_of_one_that_went_through(root: Path) -> None:
    through = _data(root, workers=2, augment=STRONG)
    loader = through.train_dataloader()
    seen = []
    for epoch in range(4):
        loader.sampler.set_epoch(epoch)
        seen.append([through.on_after_batch_transfer(batch, 0) for batch in loader])
        torch.rand(epoch + 1)  # what else a run draws does not matter
    torch.manual_seed(99)
    assert _equal(_batches(_data(root, workers=0, augment=STRONG), 3), seen[3])


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


def test_mixed_batches_carry_the_share_of_each_class(root: Path) -> None:
    mixed = [batch for epoch in range(4) for batch in _batches(_data(root, augment=STRONG, batch_size=11), epoch)]
    for images, shares in mixed:
        assert images.shape == (11, 3, 16, 16)
        assert shares.shape == (11, 3)
        assert shares.dtype == torch.float32
        assert torch.allclose(shares.sum(dim=1), torch.ones(11))
    assert any(((shares > 0.05) & (shares < 0.95)).any() for _, shares in mixed)
    data = _data(root, augment=STRONG)
    images, labels = data.on_after_batch_transfer(next(iter(data.whole_loader("val"))), 0)
    assert labels.dtype == torch.int64


def test_cutmix_takes_the_shares_of_the_areas(root: Path) -> None:
    augment = typed(AugmentConfig, PLAIN, {"crop_scale": [1, 1], "crop_ratio": [1, 1], "flip": 0, "cutmix_alpha": 1.0})
    data = _data(root, augment=augment, batch_size=22, mean=(0, 0, 0), std=(1, 1, 1))
    ((images, shares),) = _batches(data, 0)
    red = {(40 * label + 20): label for label in range(3)}  # tests.scenes.layout: each class has its own red
    for image, share in zip((images[:, 0] * 255).round().int(), shares, strict=True):
        area = torch.zeros(3)
        for value, count in zip(*image.unique(return_counts=True), strict=True):
            area[red[int(value)]] += count / image.numel()
        assert torch.allclose(area, share, atol=1e-5)


def test_training_pictures_may_be_smaller_than_those_of_the_evaluation(root: Path) -> None:
    data = _data(root, image_size=24, resize=27, augment=typed(AugmentConfig, PLAIN, {"crop_size": 16}))
    assert {images.shape[1:] for images, _ in _batches(data, 0)} == {(3, 16, 16)}
    assert next(iter(data.whole_loader("val")))[0].shape[1:] == (3, 24, 24)


def test_a_batch_is_left_unmixed_as_often_as_is_asked_for(root: Path) -> None:
    augment = typed(AugmentConfig, PLAIN, {"mixup_alpha": 1.0, "mix_probability": 0.5})
    data = _data(root, augment=augment, batch_size=11)
    mixed = [bool(((s > 0) & (s < 1)).any()) for epoch in range(40) for _, s in _batches(data, epoch)]
    assert 20 < sum(mixed) < 60  # of 80


def test_pictures_that_cannot_be_read_are_left_out_of_the_splits_aloud(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "Images" / "bar" / "train_0.png").write_bytes(b"")
    (root / "Images" / "pantry" / "testi_1.png").write_bytes(b"no picture")
    data = _data(root)
    data.prepare_data()
    assert "of 43 pictures 2 left out: see" in capsys.readouterr().out
    data.prepare_data()
    assert capsys.readouterr().out == ""
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [21, 9, 11]
    assert sum(len(batch[1]) for batch in data.whole_loader("test")) == 11


def test_from_the_store_and_from_the_files_come_the_same_pictures(root: Path) -> None:
    stored, read = (next(iter(_data(root, store=store).whole_loader("test"))) for store in (True, False))
    assert (stored[0].int() - read[0].int()).abs().max() <= 1  # each is resized once or twice
    assert torch.equal(stored[1], read[1])


def test_a_data_set_that_cannot_be_written_is_used_in_place(root: Path) -> None:
    before = sorted((p, p.stat().st_mtime_ns) for p in root.rglob("*"))
    _data(root).prepare_data()
    assert sorted((p, p.stat().st_mtime_ns) for p in root.rglob("*")) == before


@pytest.mark.parametrize(("tta", "views"), [("flip", 2), ("multicrop", 10)])
def test_views_of_a_picture_come_in_mirrored_pairs(root: Path, tta: str, views: int) -> None:
    images = next(iter(_data(root).whole_loader("test", tta=tta)))[0]
    assert images.shape == (4, views, 3, 16, 16)
    half = views // 2
    assert torch.equal(images[:, :half], images[:, half:].flip(-1))
    plain = next(iter(_data(root).whole_loader("test")))[0]
    assert torch.equal(images[:, half - 1], plain), "the last of the unmirrored is the centre"


def test_the_store_is_a_seventh_larger_than_the_crop(root: Path, in_a_folder_of_its_own: Path) -> None:
    for image_size, resize, side in ((224, 256, 256), (128, 146, 160), (96, 110, 128), (96, 200, 200)):
        _data(root, image_size=image_size, resize=resize).prepare_data()
        assert list((in_a_folder_of_its_own / "data" / "cache").glob(f"*-{side}-*")), side


@pytest.mark.skipif(not SCENES6.exists(), reason="the real photos are not beside this checkout (../shared/scenes6)")
def test_real_photos_become_batches() -> None:
    data = SceneDataModule(SCENES6, train_list="TrainImages80.txt", image_size=64, resize=72, workers=0)
    images, labels = next(iter(data.train_dataloader()))
    assert images.shape == (64, 3, 64, 64)
    assert images.float().std() > 30
    assert set(labels.tolist()) <= set(range(6))
    assert len(data.split("train")) == 6 * (80 - 8)


@pytest.mark.parametrize(("rank", "lines"), [(0, 1), (1, 0)])
def test_only_the_first_process_of_a_run_says_that_it_waits_for_the_pictures(
    rank: int,
    lines: int,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def in_use(lock: FileLock, *, timeout: float | None = None) -> None:
        if timeout == 0:
            raise Timeout(lock.lock_file)

    monkeypatch.setattr(rank_zero_only, "rank", rank, raising=False)
    monkeypatch.setattr(FileLock, "acquire", in_use)
    _data(root, cache=tmp_path / "cache").prepare_data()
    said = capsys.readouterr().out.splitlines()
    assert len(said) == lines
    assert all("another process is preparing" in line for line in said)
