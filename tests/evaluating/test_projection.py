from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier
from torch.utils.tensorboard import SummaryWriter

from deepdream.evaluating import Predictions
from deepdream.evaluating.projection import log_projector, plot_points, project


def islands(classes: int = 6, each: int = 20, channels: int = 64) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(classes, channels)) * 4
    labels = np.repeat(np.arange(classes), each)
    return (centres[labels] + rng.normal(size=(len(labels), channels))).astype(np.float32), labels


def test_pca_equals_scikit_learn_and_tsne_separates_classes() -> None:
    features, labels = islands()
    projection = project(features)
    expected = PCA(2, svd_solver="full").fit(features.astype(np.float64))
    assert np.abs(projection.pca) == pytest.approx(np.abs(expected.transform(features)), abs=1e-2)
    assert projection.variance == pytest.approx(expected.explained_variance_ratio_, rel=1e-4)
    assert KNeighborsClassifier(5).fit(projection.tsne, labels).score(projection.tsne, labels) > 0.95


def test_same_seed_gives_same_tsne() -> None:
    features, _ = islands(3, 10)
    assert np.array_equal(project(features, seed=1).tsne, project(features, seed=1).tsne)


@pytest.mark.parametrize(("images", "has_tsne"), [(3, False), (4, False), (5, True), (12, True)])
def test_fewer_images_than_the_perplexity(images: int, has_tsne: bool) -> None:
    features, _ = islands()
    projection = project(features[:images])
    assert projection.pca.shape == (images, 2)
    assert (projection.tsne is not None) == has_tsne
    assert projection.perplexity < images


def test_too_few_images_are_refused_and_equal_ones_have_no_tsne() -> None:
    with pytest.raises(ValueError, match="there are 2 images"):
        project(np.zeros((2, 8), np.float32))
    assert project(np.ones((20, 8), np.float32)).tsne is None


def test_67_classes_have_different_markers_and_fit_into_the_legend() -> None:
    points = np.random.default_rng(0).normal(size=(670, 2))
    figure = plot_points(points, np.arange(670) % 67, [f"class {i}" for i in range(67)], title="t")
    handles = figure.legends[0].legend_handles
    assert len({(h.get_color(), h.get_marker()) for h in handles}) == 67
    figure.draw_without_rendering()
    box, page = figure.legends[0].get_window_extent(), figure.bbox
    assert page.x0 <= box.x0 <= box.x1 <= page.x1
    assert page.y0 <= box.y0 <= box.y1 <= page.y1


def test_projector_gets_pca_axes_class_names_and_thumbnails(tmp_path: Path) -> None:
    features, labels = islands(3, 4)
    thumbnails = np.zeros((12, 3, 48, 48), np.uint8)
    thumbnails[:, 1] = 200
    probabilities = np.eye(3, dtype=np.float32)[labels]
    predictions = Predictions(probabilities, labels, ["bar", "pub", "den"], features, thumbnails)
    with SummaryWriter(tmp_path) as writer:
        log_projector([object(), writer], "evaluation", predictions, project(features))
    (axes,) = tmp_path.rglob("tensors.tsv")
    assert np.loadtxt(axes)[:, :2] == pytest.approx(project(features).pca, rel=1e-4)
    (table,) = tmp_path.rglob("metadata.tsv")
    assert table.read_text().splitlines()[:2] == ["class\tpredicted\tcorrect", "bar\tbar\tyes"]
    (sprite,) = tmp_path.rglob("sprite.png")
    with Image.open(sprite) as image:
        assert image.width == 48 * 4
        assert image.convert("RGB").getpixel((5, 5))[1] == 200
    assert "evaluation/features" in (tmp_path / "projector_config.pbtxt").read_text()
