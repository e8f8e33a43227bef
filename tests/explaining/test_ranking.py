import numpy as np
import pytest
import torch
from scipy.stats import trim_mean
from scipy.stats.mstats import trimmed_stde

from deepdream.explaining import Explanation, plot_ranking, rank_methods
from deepdream.explaining.ranking import trimmed_means
from deepdream.plots import rendered


def scored(method: str, **scores: float) -> Explanation:
    return Explanation(method, "bar", 0, torch.zeros(2, 2), torch.zeros(2, 2), 0.5, scores)


def test_methods_are_ranked_by_their_mean_rank_over_all_checks() -> None:
    images = [
        [scored("lime", deletion_auc=0.4, insertion_auc=0.5), scored("gradcam", deletion_auc=0.2, insertion_auc=0.7)],
        [scored("lime", deletion_auc=0.6, insertion_auc=0.8), scored("gradcam", deletion_auc=0.1, insertion_auc=0.7)],
    ]
    first, second = rank_methods(images)
    assert (first.method, first.mean_rank, second.mean_rank) == ("gradcam", 1.25, 1.75)
    assert first.means["deletion_auc"] == pytest.approx(0.15)
    assert second.errors["deletion_auc"] == pytest.approx(0.1)
    with pytest.raises(ValueError, match="no explanation"):
        rank_methods([])


def test_one_odd_image_does_not_decide_the_means() -> None:
    """Compared with SciPy's trimmed mean and its standard error."""
    values = np.append(np.random.default_rng(0).normal(size=(9, 2)), [[3200.0, 0.0]], axis=0)
    means, errors = trimmed_means(values)
    assert means == pytest.approx(trim_mean(values, 0.2, axis=0))
    assert errors == pytest.approx(trimmed_stde(values, limits=(0.2, 0.2), axis=0))
    assert abs(means[0]) < 2
    few, few_errors = trimmed_means(values[:4])
    assert few == pytest.approx(values[:4].mean(axis=0))
    assert few_errors == pytest.approx(values[:4].std(axis=0, ddof=1) / 2)


def test_an_attribution_that_is_inverted_on_a_random_network_is_no_better_than_an_equal_one() -> None:
    first, _ = rank_methods(
        [[scored("saliency", randomised_correlation=-0.9), scored("gradcam", randomised_correlation=0.1)]]
    )
    assert first.method == "gradcam"


def test_the_ranking_is_plotted_in_order_with_its_uncertainty() -> None:
    images = [
        [scored("lime", deletion_auc=0.4, insertion_auc=0.9), scored("gradcam", deletion_auc=low, insertion_auc=0.7)]
        for low in (0.1, 0.2, 0.3)
    ]
    ranking = rank_methods(images)
    figure = plot_ranking(ranking, image_count=3)
    ranks, deletion, insertion = figure.axes
    assert [label.get_text() for label in ranks.get_yticklabels()] == ["LIME", "Grad-CAM"]
    bars, _ = deletion.containers
    assert [bar.get_width() for bar in bars] == pytest.approx([0.4, 0.2])
    (whiskers,) = deletion.containers[1].lines[2]
    assert whiskers.get_segments()[1][:, 0] == pytest.approx([0.2 - 0.1 / 3**0.5, 0.2 + 0.1 / 3**0.5])
    colours = [[bar.get_facecolor() for bar in axes.containers[0]] for axes in (deletion, insertion)]
    assert colours[0][1] == colours[1][0] != colours[0][0]  # the best: Grad-CAM in deletion, LIME in insertion
    assert np.asarray(rendered(figure)).std() > 20
