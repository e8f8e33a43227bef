import numpy as np

from deepdream.evaluating.confusion import ConfusedPair, confused_pairs, confusion_order, plot_confusion


def blocks() -> tuple[np.ndarray, list[int]]:
    """Counts of classes that are confused within three groups, shuffled, and the group of each class."""
    groups = [0, 1, 2, 0, 1, 2, 0, 1, 2]
    counts = np.array(
        [[40 if i == j else 10 if a == b else 0 for j, b in enumerate(groups)] for i, a in enumerate(groups)]
    )
    return counts, groups


def test_confused_classes_are_next_to_each_other() -> None:
    counts, groups = blocks()
    order = confusion_order(counts)
    assert sorted(order.tolist()) == list(range(9))
    changes = np.count_nonzero(np.diff([groups[i] for i in order]))
    assert changes == 2


def test_counts_keep_their_classes_in_the_plot() -> None:
    counts = np.array([[5, 0, 3], [1, 7, 0], [0, 2, 9]])
    axes = plot_confusion(counts, ["bar", "pub", "den"], title="t").axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [label.get_text() for label in axes.get_xticklabels()]
    cells = {
        (names[round(t.get_position()[1])], names[round(t.get_position()[0])]): int(t.get_text()) for t in axes.texts
    }
    assert cells[("bar", "den")] == 3
    assert cells[("den", "pub")] == 2
    assert sum(cells.values()) == counts.sum()


def test_one_class_two_classes_and_an_empty_class_can_be_plotted() -> None:
    for counts in ([[4]], [[3, 1], [0, 0]], [[0, 0, 0], [0, 2, 1], [0, 0, 3]]):
        names = [str(i) for i in range(len(counts))]
        assert plot_confusion(np.array(counts), names, title="t").axes


def test_pairs_are_sorted_by_their_number_of_mistakes() -> None:
    counts = np.array([[5, 0, 3], [1, 7, 0], [0, 2, 8]])
    assert confused_pairs(counts) == [
        ConfusedPair(0, 2, 3, 3 / 8),
        ConfusedPair(2, 1, 2, 0.2),
        ConfusedPair(1, 0, 1, 1 / 8),
    ]
    assert confused_pairs(np.diag([3, 4])) == []
