"""What a Network does for the stations after training: inputs, predictions, classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms.v2 import functional as transforms

from deepdream.models import Network
from deepdream.models.class_names import imagenet_classes
from deepdream.models.network import class_argument, index_names
from deepdream.scenes.transforms import evaluation_transform
from deepdream.scenes.transforms import normalize_uint8 as normalize_bytes

CLASSES = ["bar", "Bar", "living_room", "3"]
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)


class Model(nn.Module):
    """Batch norm, dropout and in-place ReLU: all that behaves differently in training or writes over its input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.drop(self.norm(self.conv(x)))).mean(dim=(2, 3))


def wrapped(model: nn.Module | None = None, classes: list[str] = CLASSES, **data: Any) -> Network:
    torch.manual_seed(0)
    record = {"data": data} if data else None
    return Network((model or Model()).eval(), classes, MEAN, STD, 64, "mine.ckpt", "", record)


def image(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height // 30 + 2, width // 30 + 2, 3), dtype=np.uint8)
    return Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 3, 4, 5), (2, 1, 3, 4, 5)])
def test_normalize_is_the_definition_in_the_dtype_of_the_images(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    images = torch.rand(shape).to(dtype)
    found = wrapped().normalize(images)
    assert found.dtype == dtype
    assert found.shape == shape
    for channel in range(3):
        expected = (images.double().select(-3, channel) - MEAN[channel]) / STD[channel]
        tolerance = 4e-3 if dtype == torch.float16 else 1e-6
        assert torch.allclose(found.double().select(-3, channel), expected, atol=tolerance)


def test_normalize_agrees_with_the_data_module() -> None:
    pixels = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    found = wrapped().normalize(pixels.float() / 255)
    assert torch.allclose(found, normalize_bytes(pixels, MEAN, STD), atol=1e-5)


def test_the_model_input_is_a_batch_in_the_dtype_of_the_weights_without_history() -> None:
    network = wrapped()
    network.model.double()
    with torch.inference_mode():
        images = torch.rand(3, 8, 8)
    found = network.model_input(images)
    assert found.shape == (1, 3, 8, 8)
    assert found.dtype == torch.float64
    assert not found.requires_grad
    found.requires_grad_()  # a tensor of inference mode would refuse
    assert torch.equal(network.model_input(images[None]), found)
    assert wrapped(nn.Identity()).model_input(images).dtype == torch.float32


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (64, 64), (65, 64), (40, 30), (97, 500)])
@pytest.mark.parametrize("resize", [64, 73, 96])
def test_preprocess_is_bit_equal_to_the_evaluation_of_the_data_module(size: tuple[int, int], resize: int) -> None:
    photo = image(*size)
    found = wrapped(resize=resize, image_size=64).preprocess(photo)
    assert torch.equal(found, evaluation_transform(64, resize)(transforms.pil_to_tensor(photo)) / 255)


def test_a_network_of_unknown_data_is_evaluated_at_torchvisions_ratio() -> None:
    photo = image(300, 200)
    expected = evaluation_transform(64, round(64 * 256 / 224))(transforms.pil_to_tensor(photo)) / 255
    assert torch.equal(wrapped().preprocess(photo), expected)
    assert torch.equal(wrapped(root="somewhere").preprocess(photo.convert("RGBA")), expected)


def test_the_whole_image_is_shown_with_its_shorter_side_at_the_image_size() -> None:
    assert wrapped().preprocess(image(300, 200), crop=False).shape == (3, 64, 96)
    assert wrapped().preprocess(image(20, 300), crop=False).shape == (3, 960, 64)


@pytest.mark.parametrize("size", [(300, 200), (201, 350)])
def test_the_cropped_image_is_what_preprocess_shows(size: tuple[int, int]) -> None:
    network = wrapped(resize=96, image_size=64)
    cropped = network.cropped(image(*size))
    assert cropped.width == cropped.height == round(min(size) * 64 / 96)
    small = np.asarray(cropped.resize((64, 64), Image.Resampling.BILINEAR)) / 255
    assert np.abs(small - network.preprocess(image(*size)).permute(1, 2, 0).numpy()).mean() < 0.02


def test_predict_gives_one_row_an_image_and_a_batch_is_its_images() -> None:
    network, images = wrapped(), torch.rand(3, 3, 16, 16)
    batch = network.predict(images)
    assert batch.shape == (3, len(CLASSES))
    assert batch.dtype == torch.float32
    assert torch.allclose(batch.sum(dim=1), torch.ones(3))
    for row, one in zip(batch, images, strict=True):
        assert network.predict(one).shape == (len(CLASSES),)
        assert torch.allclose(network.predict(one), row, atol=1e-6)


def test_predict_keeps_the_mode_of_every_module_and_the_statistics() -> None:
    network, images = wrapped(), torch.rand(2, 3, 16, 16)
    expected = network.predict(images)
    network.model.train()
    network.model.norm.eval()  # as fine-tuning often does
    before = {key: value.clone() for key, value in network.model.state_dict().items()}
    assert torch.equal(network.predict(images), expected)
    modes = {name: module.training for name, module in network.model.named_modules()}
    assert modes == {"": True, "conv": True, "norm": False, "drop": True, "relu": True}
    assert all(torch.equal(value, before[key]) for key, value in network.model.state_dict().items())


def test_predict_keeps_the_modes_where_the_model_raises() -> None:
    network = wrapped()
    network.model.train()
    with pytest.raises(RuntimeError):
        network.predict(torch.rand(3, 2, 2))
    assert all(module.training for module in network.model.modules())


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_predict_is_the_same_within_any_gradient_mode(mode: Any) -> None:
    network, images = wrapped(), torch.rand(2, 3, 16, 16)
    expected = network.predict(images)
    with mode():
        found = network.predict(images.clone())
    assert not found.requires_grad
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("target", "index"),
    [("bar", 0), ("Bar", 1), ("Living_Room", 2), ("3", 3), (3, 3), ("1", 1), (0, 0)],
)
def test_a_class_is_its_exact_name_then_its_name_in_any_case_then_its_index(target: str | int, index: int) -> None:
    assert wrapped().class_index(target) == index


def test_every_class_of_imagenet_is_found_by_what_is_printed_of_it() -> None:
    """ImageNet has a Cardigan (a dog) and a cardigan, two cranes and two maillots."""
    network = wrapped(classes=imagenet_classes())
    assert (network.class_index("cardigan"), network.class_index("Cardigan")) == (474, 264)
    assert all(network.class_index(class_argument(network.classes, index)) == index for index in range(1000))
    with pytest.raises(ValueError, match="several classes 'CARDIGAN': 'Cardigan' is 264, 'cardigan' is 474; name it"):
        network.class_index("CARDIGAN")
    assert wrapped(classes=["Küche"]).class_index("KU\u0308CHE") == 0  # as macOS writes it


def test_names_go_before_an_index() -> None:
    assert wrapped(classes=["2", "1", "0"]).class_index("2") == 0
    assert wrapped(classes=["2", "1", "0"]).class_index(2) == 2


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("livingroom", r"mine\.ckpt has no class 'livingroom'\. Did you mean `living_room`\?"),
        ("zebra", r"mine\.ckpt has no class 'zebra'; its classes are bar, Bar, living_room, 3$"),
        ("BAR", "has several classes 'BAR': 'bar' is 0, 'Bar' is 1; name it exactly, or give the index"),
        ("--1", "has no class '--1'"),
        ("²", "has no class '²'"),
        ("1.0", "has no class '1.0'"),
        ("", "has no class ''"),
        (4, "target is 4; the index of a class is 0 to 3"),
        ("-1", "target is -1; the index of a class is 0 to 3"),
    ],
)
def test_an_unknown_class_is_one_line_with_the_similar_names_or_all(target: str | int, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        wrapped().class_index(target)
    assert "\n" not in str(caught.value)


def test_the_error_of_a_network_of_many_classes_lists_the_first() -> None:
    with pytest.raises(ValueError, match=r"its classes are room_0, .*, room_11 \.\.\.$"):
        wrapped(classes=[f"room_{index}" for index in range(365)]).class_index("zebra")


def test_classes_without_names_go_by_their_index() -> None:
    network = wrapped(classes=index_names(4))
    assert not network.has_class_names
    assert network.class_index("2") == network.class_index("Class 2") == 2
    assert network.class_name(2) == "class 2"
    with pytest.raises(ValueError, match=r"mine\.ckpt does not name its classes; give an index"):
        network.class_index("bar")


def test_a_network_without_a_list_of_classes_takes_any_index() -> None:
    network = wrapped(classes=[])
    assert network.class_index(7) == network.class_index("7") == 7
    assert network.class_name(7) == "class 7"
    with pytest.raises(ValueError, match="the index of a class is 0 or more"):
        network.class_index(-1)
