from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier
from torch.utils.tensorboard import SummaryWriter

from deepdream.evaluating import Predictions
from deepdream.evaluating.projection import draw_points, project, write_projector


def islands(classes: int = 6, each: int = 20, channels: int = 64) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(classes, channels)) * 4
    labels = np.repeat(np.arange(classes), each)
    return (centres[labels] + rng.normal(size=(len(labels), channels))).astype(np.float32), labels


def test_pca_is_scikit_learns_and_tsne_keeps_classes_together() -> None:
    features, labels = islands()
    projection = project(features)
    expected = PCA(2, svd_solver="full").fit(features.astype(np.float64))
    assert np.abs(projection.pca) == pytest.approx(np.abs(expected.transform(features)), abs=1e-2)
    assert projection.variance == pytest.approx(expected.explained_variance_ratio_, rel=1e-4)
    assert KNeighborsClassifier(5).fit(projection.tsne, labels).score(projection.tsne, labels) > 0.95


def test_the_seed_decides() -> None:
    features, _ = islands(3, 10)
    assert np.array_equal(project(features, seed=1).tsne, project(features, seed=1).tsne)


@pytest.mark.parametrize(("pictures", "has_tsne"), [(3, False), (4, False), (5, True), (12, True)])
def test_fewer_pictures_than_the_perplexity(pictures: int, has_tsne: bool) -> None:
    features, _ = islands()
    projection = project(features[:pictures])
    assert projection.pca.shape == (pictures, 2)
    assert (projection.tsne is not None) == has_tsne
    assert projection.perplexity < pictures


def test_too_few_pictures_and_pictures_all_alike() -> None:
    with pytest.raises(ValueError, match="there are 2 pictures"):
        project(np.zeros((2, 8), np.float32))
    assert project(np.ones((20, 8), np.float32)).tsne is None


def test_67_classes_each_have_a_look_of_their_own_and_a_place_in_the_legend() -> None:
    points = np.random.default_rng(0).normal(size=(670, 2))
    figure = draw_points(points, np.arange(670) % 67, [f"class {i}" for i in range(67)], title="t")
    handles = figure.legends[0].legend_handles
    assert len({(h.get_color(), h.get_marker()) for h in handles}) == 67
    figure.draw_without_rendering()
    box, page = figure.legends[0].get_window_extent(), figure.bbox
    assert page.x0 <= box.x0 <= box.x1 <= page.x1
    assert page.y0 <= box.y0 <= box.y1 <= page.y1


def test_the_projector_gets_the_pca_axes_names_and_a_sprite(tmp_path: Path) -> None:
    features, labels = islands(3, 4)
    thumbnails = np.zeros((12, 3, 48, 48), np.uint8)
    thumbnails[:, 1] = 200
    probabilities = np.eye(3, dtype=np.float32)[labels]
    known = Predictions(probabilities, labels, ["bar", "pub", "den"], features, thumbnails)
    with SummaryWriter(tmp_path) as writer:
        write_projector(writer, known, project(features))
    (axes,) = tmp_path.rglob("tensors.tsv")
    assert np.loadtxt(axes)[:, :2] == pytest.approx(project(features).pca, rel=1e-4)
    (table,) = tmp_path.rglob("metadata.tsv")
    assert table.read_text().splitlines()[:2] == ["class\tanswer\tright", "bar\tbar\tright"]
    (sprite,) = tmp_path.rglob("sprite.png")
    with Image.open(sprite) as picture:
        assert picture.width == 48 * 4
        assert picture.convert("RGB").getpixel((5, 5))[1] == 200
    assert "features" in (tmp_path / "projector_config.pbtxt").read_text()
