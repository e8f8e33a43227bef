import torch

from deepdream.apps.inputs import mask, read_photo
from deepdream.images import resize_to_width, to_tensor
from deepdream.models import load_network


def test_where_the_network_looks_does_not_depend_on_the_width_of_the_dream() -> None:
    """In a room drawn 448 pixels wide, and not shrunk, the network in the box would look at the lamp."""
    network, room = load_network("box"), read_photo("bedroom")
    small, large = (to_tensor(resize_to_width(room, width)) for width in (128, 448))
    looks, elsewhere = mask("gradcam", network, large), mask("not-gradcam", network, large)
    assert looks.shape == (448, 448)
    assert torch.equal(looks + elsewhere, torch.ones(448, 448))
    shrunk = torch.nn.functional.interpolate(looks[None, None], (128, 128), mode="bilinear", antialias=True)[0, 0]
    both = torch.stack([shrunk.flatten(), mask("gradcam", network, small).flatten()])
    assert torch.corrcoef(both)[0, 1] > 0.9
