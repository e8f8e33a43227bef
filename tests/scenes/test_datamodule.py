from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from filelock import FileLock, Timeout
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from pytorch_lightning.utilities import rank_zero_only
from torch.utils.data import DataLoader, SequentialSampler

from deepdream.scenes import AugmentConfig, DataConfig, SceneDataModule
from deepdream.scenes.dataset import EpochSampler
from tests.scenes.layout import write_scenes

SCENES6 = Path(__file__).parents[3] / "shared" / "scenes6"
CONF = Path(__file__).parents[2] / "conf"
AUGMENT = AugmentConfig.preset()
STRONG = AugmentConfig.preset(trivial_augment=True, erase=0.5, hue=0.1, cutmix_alpha=1.0, mixup_alpha=0.2)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_scenes(tmp_path, {"bar": (9, 3), "library": (12, 4), "pantry": (10, 5)})


def _data(root: Path, *, augment: AugmentConfig | None = AUGMENT, seed: int = 0, **options: object) -> SceneDataModule:
    small = {"image_size": 16, "resize": 18, "val_per_class": 3, "batch_size": 4, "workers": 0}
    return SceneDataModule(DataConfig.preset(root=str(root), **{**small, **options}), augment, seed=seed)


@pytest.mark.parametrize("data", ["mit_indoor", "rooms"])
@pytest.mark.parametrize("augment", ["plain", "strong", "color", "none"])
def test_python_and_the_command_line_have_the_same_defaults(data: str, augment: str) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = OmegaConf.to_container(compose(overrides=[f"+data={data}", f"+augment={augment}"]))
    assert asdict(DataConfig.preset(data)) == composed["data"]
    assert asdict(AugmentConfig.preset(augment)) == composed["augment"]


def test_the_data_module_takes_its_values_from_the_configuration(root: Path) -> None:
    yaml = OmegaConf.load(CONF / "data" / "mit_indoor.yaml")
    data = SceneDataModule(DataConfig.preset(root=str(root), workers=0), AugmentConfig.preset())
    assert (data.image_size, data.batch_size) == (yaml.image_size, yaml.batch_size)
    assert (list(data.mean), list(data.std)) == (yaml.mean, yaml.std)
    loader = _data(root, image_size=yaml.image_size, resize=yaml.resize).train_dataloader()
    assert next(iter(loader))[0].shape[1:] == (3, yaml.image_size, yaml.image_size)
    with pytest.raises(ValueError, match=r"imge_size.*image_size"):
        DataConfig.preset(imge_size=64)
    with pytest.raises(ValueError, match=r"data\.resize is 32"):
        DataConfig.preset(resize=32)


def test_splits_are_disjoint_and_val_holds_out_as_many_of_each_class(root: Path) -> None:
    data = _data(root)
    paths = {name: set(data.split(name).paths) for name in ("train", "val", "test")}
    assert {name: len(p) for name, p in paths.items()} == {"train": 22, "val": 9, "test": 12}
    assert not paths["train"] & paths["val"]
    assert not paths["test"] & (paths["train"] | paths["val"])
    assert sorted(data.split("val").labels) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert data.classes == ["bar", "library", "pantry"]


def test_the_validation_images_follow_from_the_seed(root: Path) -> None:
    assert _data(root, seed=1).split("val").paths == _data(root, seed=1).split("val").paths
    assert _data(root, seed=1).split("val").paths != _data(root, seed=2).split("val").paths
    data, other = _data(root, seed=1), _data(root, seed=2)
    data.setup()
    other.setup()
    assert data.fingerprint != other.fingerprint


def test_a_class_with_too_few_images_is_named(root: Path) -> None:
    with pytest.raises(ValueError, match="class bar has only 9 training images"):
        _data(root, val_per_class=9).setup()


def _batches(data: SceneDataModule, epoch: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The batches of an epoch as the network gets them."""
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return [data.on_after_batch_transfer(batch, 0) for batch in loader]


def _equal(first: list[tuple[torch.Tensor, ...]], second: list[tuple[torch.Tensor, ...]]) -> bool:
    pairs = zip(first, second, strict=True)
    return all(torch.equal(a, b) for one, other in pairs for a, b in zip(one, other, strict=True))


@pytest.mark.medium
@pytest.mark.parametrize("augment", [AUGMENT, STRONG])
@pytest.mark.parametrize("cached", [True, False])
def test_batches_are_the_same_with_any_number_of_workers(root: Path, augment: AugmentConfig, cached: bool) -> None:
    alone, one, two = (_batches(_data(root, workers=n, augment=augment, cache_images=cached), 3) for n in (0, 1, 2))
    assert len(alone) == 22 // 4
    assert _equal(alone, one)
    assert _equal(alone, two)


def test_a_run_resumed_at_an_epoch_gets_the_batches_of_an_uninterrupted_one(root: Path) -> None:
    through = _data(root, workers=2, augment=STRONG)
    loader = through.train_dataloader()
    uninterrupted = []
    for epoch in range(4):
        loader.sampler.set_epoch(epoch)
        uninterrupted.append([through.on_after_batch_transfer(batch, 0) for batch in loader])
        torch.rand(epoch + 1)  # other draws of a run have no influence
    torch.manual_seed(99)
    assert _equal(_batches(_data(root, workers=0, augment=STRONG), 3), uninterrupted[3])


def test_another_epoch_has_another_order_and_other_crops(root: Path) -> None:
    loader = _data(root, batch_size=22).train_dataloader()
    (first,) = list(loader)
    loader.sampler.set_epoch(1)
    (second,) = list(loader)
    assert not torch.equal(first[1], second[1])


@pytest.mark.parametrize("augment", [AUGMENT, STRONG])
def test_a_sampler_of_plain_indices_gets_the_images_of_epoch_0(root: Path, augment: AugmentConfig) -> None:
    """Lightning's overfit_batches replaces the sampler by one of plain indices."""
    data = _data(root, augment=augment)
    dataset = data.split("train")
    plain = next(iter(DataLoader(dataset, 4, sampler=SequentialSampler(dataset), collate_fn=lambda batch: batch)))
    ours = dataset.__getitems__([(0, index) for index in range(4)])
    assert _equal([data.on_after_batch_transfer(plain, 0)], [data.on_after_batch_transfer(ours, 0)])
    assert torch.equal(dataset[3][0], dataset[0, 3][0])


def test_validation_counts_each_image_once_over_the_processes(root: Path) -> None:
    dataset = _data(root).split("test")
    shares = [[i for _, i in EpochSampler(dataset, seed=0, shuffle=False, rank=r, world_size=5)] for r in range(5)]
    assert sorted(i for share in shares for i in share) == list(range(12))


def test_training_shares_are_equally_long_and_disjoint(root: Path) -> None:
    dataset = _data(root).split("train")
    samplers = [EpochSampler(dataset, seed=0, shuffle=True, rank=r, world_size=4) for r in range(4)]
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
    augment = AugmentConfig.preset(crop_scale=[1, 1], crop_ratio=[1, 1], flip=0, cutmix_alpha=1.0)
    data = _data(root, augment=augment, batch_size=22, mean=(0, 0, 0), std=(1, 1, 1))
    ((images, shares),) = _batches(data, 0)
    red = {(40 * label + 20): label for label in range(3)}  # tests.scenes.layout: each class has its own red
    for image, share in zip((images[:, 0] * 255).round().int(), shares, strict=True):
        area = torch.zeros(3)
        for value, count in zip(*image.unique(return_counts=True), strict=True):
            area[red[int(value)]] += count / image.numel()
        assert torch.allclose(area, share, atol=1e-5)


def test_training_crops_may_be_smaller_than_those_of_evaluation(root: Path) -> None:
    data = _data(root, image_size=24, resize=27, augment=AugmentConfig.preset(crop_size=16))
    assert {images.shape[1:] for images, _ in _batches(data, 0)} == {(3, 16, 16)}
    assert next(iter(data.whole_loader("val")))[0].shape[1:] == (3, 24, 24)


def test_batches_are_mixed_with_the_given_probability(root: Path) -> None:
    augment = AugmentConfig.preset(mixup_alpha=1.0, mix_probability=0.5)
    data = _data(root, augment=augment, batch_size=11)
    mixed = [bool(((s > 0) & (s < 1)).any()) for epoch in range(40) for _, s in _batches(data, epoch)]
    assert 20 < sum(mixed) < 60  # of 80


def test_unreadable_images_are_skipped_and_their_number_is_printed(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "Images" / "bar" / "train_0.png").write_bytes(b"")
    (root / "Images" / "pantry" / "testi_1.png").write_bytes(b"no image")
    data = _data(root)
    data.prepare_data()
    assert "2 skipped of 43 images: see" in capsys.readouterr().out
    data.prepare_data()
    assert capsys.readouterr().out == ""
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [21, 9, 11]
    assert sum(len(batch[1]) for batch in data.whole_loader("test")) == 11


def test_the_cache_and_the_files_give_the_same_images(root: Path) -> None:
    cached, read = (next(iter(_data(root, cache_images=cached).whole_loader("test"))) for cached in (True, False))
    assert (cached[0].int() - read[0].int()).abs().max() <= 1  # each is resized once or twice
    assert torch.equal(cached[1], read[1])


def test_a_data_set_that_cannot_be_written_is_used_in_place(root: Path) -> None:
    before = sorted((p, p.stat().st_mtime_ns) for p in root.rglob("*"))
    _data(root).prepare_data()
    assert sorted((p, p.stat().st_mtime_ns) for p in root.rglob("*")) == before


@pytest.mark.parametrize(("tta", "views"), [("flip", 2), ("multicrop", 10)])
def test_views_of_an_image_come_in_mirrored_pairs(root: Path, tta: str, views: int) -> None:
    images = next(iter(_data(root).whole_loader("test", tta=tta)))[0]
    assert images.shape == (4, views, 3, 16, 16)
    half = views // 2
    assert torch.equal(images[:, :half], images[:, half:].flip(-1))
    plain = next(iter(_data(root).whole_loader("test")))[0]
    assert torch.equal(images[:, half - 1], plain), "the last of the unmirrored is the centre"


def test_cached_images_are_14_percent_larger_than_the_crop(root: Path, in_a_folder_of_its_own: Path) -> None:
    for image_size, resize, side in ((224, 256, 256), (128, 146, 160), (96, 110, 128), (96, 200, 200)):
        _data(root, image_size=image_size, resize=resize).prepare_data()
        assert list((in_a_folder_of_its_own / "data" / "cache").glob(f"*-{side}-*")), side


@pytest.mark.medium
@pytest.mark.skipif(not SCENES6.exists(), reason="the real photos are not beside this checkout (../shared/scenes6)")
def test_real_photos_become_batches() -> None:
    keys = {"train_list": "TrainImages80.txt", "image_size": 64, "resize": 72, "workers": 0}
    data = SceneDataModule(DataConfig.preset(root=str(SCENES6), **keys))
    images, labels = next(iter(data.train_dataloader()))
    assert images.shape == (64, 3, 64, 64)
    assert images.float().std() > 30
    assert set(labels.tolist()) <= set(range(6))
    assert len(data.split("train")) == 6 * (80 - 8)


@pytest.mark.parametrize(("rank", "lines"), [(0, 1), (1, 0)])
def test_only_rank_0_prints_that_it_waits_for_the_images(
    rank: int,
    lines: int,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def in_use(lock: FileLock, *, timeout: float | None = None, poll_interval: float = 0.05) -> None:
        if timeout == 0:
            raise Timeout(lock.lock_file)

    monkeypatch.setattr(rank_zero_only, "rank", rank, raising=False)
    monkeypatch.setattr(FileLock, "acquire", in_use)
    _data(root, cache_dir=str(tmp_path / "cache")).prepare_data()
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == lines
    assert all("waiting for another process that prepares" in line for line in printed)
