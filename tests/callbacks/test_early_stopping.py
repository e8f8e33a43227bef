from types import SimpleNamespace

import pytest

from deepdream.callbacks.early_stopping import PatientStopping


@pytest.mark.parametrize(("patience", "ends"), [(3, True), (10, False)])
def test_a_run_that_goes_on_has_the_patience_of_its_configuration(patience: int, ends: bool) -> None:
    before = PatientStopping(monitor="val/accuracy", mode="max", patience=5)
    before.wait_count = 4
    stopping = PatientStopping(monitor="val/accuracy", mode="max", patience=patience)
    stopping.load_state_dict(before.state_dict())
    assert (stopping.patience, stopping.wait_count) == (patience, 4)
    trainer = SimpleNamespace(should_stop=False)
    stopping.on_train_start(trainer, None)  # type: ignore[arg-type]
    assert trainer.should_stop is ends
