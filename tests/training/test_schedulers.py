import pytest
import torch

from deepdream.training.schedulers import constant, warmup_cosine


def _rates(schedule: object, steps: int, **options: float) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
    plan = schedule(optimizer, total_steps=steps, steps_per_epoch=10, **options)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        plan.step()
    return rates


def test_warmup_rises_in_a_line_and_the_cosine_is_torchs_own() -> None:
    rates = _rates(warmup_cosine, 100, warmup_epochs=1)
    assert rates[:10] == pytest.approx([0.4 * (i + 1) / 11 for i in range(10)])
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=90)
    expected = []
    for _ in range(90):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    assert rates[10:] == pytest.approx(expected, abs=1e-7)


def test_warmup_leaves_four_fifths_of_a_short_run() -> None:
    rates = _rates(warmup_cosine, 10, warmup_epochs=5)
    assert max(rates) == rates[2] == pytest.approx(0.4)


def test_the_end_is_the_final_fraction() -> None:
    assert _rates(warmup_cosine, 1000, warmup_epochs=0, final_fraction=0.1)[-1] == pytest.approx(0.04, rel=1e-3)


def test_constant_stays() -> None:
    assert set(_rates(constant, 20)) == {0.4}
