from __future__ import annotations

import math

import pytest
import torch

from deepdream.microscope import Question, forced_choice, judge_features
from tests.dreaming.networks import photo, small_network

UNITS, EACH, FEATURES = 30, 4, 16


def questions(similarity: float, *, shown_weak: bool = False) -> list[Question]:
    """Strong images resemble the references of their channel by `similarity`, weak ones by chance."""
    draw = torch.Generator().manual_seed(0)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, FEATURES, generator=draw)

    found = []
    for unit in range(UNITS):
        motif, opposite = noise(), noise()
        for _ in range(EACH):
            strong, weak = similarity * motif + noise(), similarity * opposite + noise()
            against = opposite + noise(3) if shown_weak else None
            found.append(Question(motif + noise(5), strong, weak, unit, against))
    return found


def test_an_oracle_is_always_right_and_chance_is_within_its_interval() -> None:
    oracle = forced_choice(questions(100.0))
    assert (oracle.share, oracle.questions, oracle.units) == (1.0, UNITS * EACH, UNITS)
    assert oracle.wilson[1] == pytest.approx(1.0)
    assert oracle.wilson[0] < 1  # certainty is never claimed
    random = forced_choice(questions(0.0))
    assert random.wilson[0] < 0.5 < random.wilson[1]
    assert random.bootstrap[0] < 0.5 < random.bootstrap[1]


def test_images_of_the_weakest_help_too() -> None:
    assert forced_choice(questions(1.0, shown_weak=True)).share > forced_choice(questions(1.0)).share > 0.6


def test_a_judge_without_features_flips_a_coin() -> None:
    """A tie is neither right nor wrong by the order of the two images."""
    blind = [Question(torch.zeros(3, 4), torch.zeros(4), torch.zeros(4), unit) for unit in range(400)]
    assert forced_choice(blind).share == pytest.approx(0.5, abs=0.08)


def test_the_interval_is_wilsons() -> None:
    found = forced_choice(questions(0.7))
    n, p, z = found.questions, found.share, 1.959964
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert found.wilson == pytest.approx((centre - half, centre + half), abs=1e-4)


def test_choices_of_one_channel_count_as_one_where_they_always_agree() -> None:
    """Four identical questions per channel say as much as one: only the bootstrap over channels knows."""
    repeated = [question for question in questions(0.7)[::EACH] for _ in range(EACH)]
    found = forced_choice(repeated)
    assert found.bootstrap[1] - found.bootstrap[0] > 1.5 * (found.wilson[1] - found.wilson[0])


def test_features_of_the_judge_have_length_one() -> None:
    features = judge_features(small_network(), photo(40, 40, images=3).float(), layer="3")
    assert features.shape[0] == 3
    torch.testing.assert_close(features.norm(dim=1), torch.ones(3))


def test_no_question_is_an_error() -> None:
    with pytest.raises(ValueError, match="no question"):
        forced_choice([])
