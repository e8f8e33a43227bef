import numpy as np
import torch

from deepdream.apps.inputs import mask, read_photo
from deepdream.images import resize_to_width
from deepdream.models import load_network


def test_a_gradcam_mask_does_not_depend_on_the_width_of_the_dream() -> None:
    """In a room rendered 448 pixels wide, and not resized, the bundled model attributes its prediction to the lamp."""
    network, room = load_network("box"), read_photo("bedroom")
    small, large = (resize_to_width(room, width) for width in (128, 448))
    heat, inverse = (mask(name, network, np.array(large)) for name in ("gradcam", "not-gradcam"))
    assert heat.shape == (448, 448)
    assert torch.equal(heat + inverse, torch.ones(448, 448))
    shrunk = torch.nn.functional.interpolate(heat[None, None], (128, 128), mode="bilinear", antialias=True)[0, 0]
    both = torch.stack([shrunk.flatten(), mask("gradcam", network, np.array(small)).flatten()])
    assert torch.corrcoef(both)[0, 1] > 0.9
