from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def test_the_first_batch_of_a_run_is_in_tensorboard_once(trained: Path) -> None:
    (folder,) = trained.glob("outputs/*/*/tensorboard")
    events = EventAccumulator(str(folder), size_guidance={"images": 0}).Reload()
    (sheet,) = events.Images("data/first_batch")
    assert sheet.width > 8 * 96
    assert np.frombuffer(sheet.encoded_image_string, np.uint8).std() > 20
