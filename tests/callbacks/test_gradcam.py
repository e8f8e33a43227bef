from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from deepdream.callbacks import GradCAMLogger
from deepdream.models import Network, ResNet
from deepdream.scenes import DataConfig, SceneDataModule
from tests.scenes.layout import write_scenes


@pytest.fixture
def data(tmp_path: Path) -> SceneDataModule:
    root = write_scenes(tmp_path / "scenes", {"bar": (6, 2), "pub": (6, 2)})
    small = {"image_size": 64, "resize": 64, "val_per_class": 3, "batch_size": 4, "workers": 0}
    return SceneDataModule(DataConfig.preset(root=str(root), **small))


def test_maps_are_rendered_in_inference_mode_and_do_not_change_the_network(
    data: SceneDataModule, tmp_path: Path
) -> None:
    logger = GradCAMLogger(tmp_path, every=1, images=2)
    # Epoch 1: a resumed run, which logs nothing at its start.
    trainer = SimpleNamespace(datamodule=data, is_global_zero=True, current_epoch=1)
    logger.on_train_start(trainer, None)  # type: ignore[arg-type]
    model = ResNet(depth=10, num_classes=2).train()
    network = Network(model, data.classes, data.mean, data.std, data.image_size, "a test")
    calls: list[nn.Module] = []
    handle = model.layer4.register_forward_hook(lambda module, *_: calls.append(module))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with torch.inference_mode():
        sheet = logger.render(network, 3)
    handle.remove()
    assert sheet.width > 2 * 160
    assert model.layer4 not in calls
    assert all(module.training for module in model.modules())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks or module._backward_hooks for module in model.modules())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
