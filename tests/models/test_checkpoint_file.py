import hashlib
from pathlib import Path

import pytest
import torch

from deepdream.models import ResNet, load_network
from tests.models.checkpoints import RunsCode, checkpoint


def test_a_checkpoint_becomes_a_network_in_eval_mode(tmp_path: Path) -> None:
    path = tmp_path / "best.ckpt"
    content = checkpoint()
    torch.save(content, path)
    network = load_network(path)
    assert (network.classes, network.mean, network.image_size) == (["bar", "library", "pantry"], (0.5, 0.4, 0.3), 64)
    assert network.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not network.model.training
    assert torch.equal(network.model.state_dict()["conv1.weight"], content["state_dict"]["model.conv1.weight"])


@pytest.mark.parametrize("classes", [None, []])
def test_classes_without_names_go_by_their_index(tmp_path: Path, classes: list[str] | None) -> None:
    content = checkpoint()
    content["hyper_parameters"]["classes"] = classes
    if classes is None:
        del content["hyper_parameters"]["classes"]
    torch.save(content, tmp_path / "best.ckpt")
    network = load_network(tmp_path / "best.ckpt")
    assert network.classes == ["class 0", "class 1", "class 2"]
    assert not network.has_class_names
    assert network.model(torch.zeros(1, 3, 64, 64)).shape == (1, 3)
    torch.save(checkpoint(), tmp_path / "named.ckpt")
    assert load_network(tmp_path / "named.ckpt").has_class_names


def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path: Path) -> None:
    path, marker = tmp_path / "evil.ckpt", tmp_path / "ran"
    torch.save(checkpoint(callback=RunsCode(marker)), path)
    with pytest.raises(ValueError, match="would run code when opened, and is refused"):
        load_network(path)
    assert not marker.exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "best.ckpt"
    torch.save(checkpoint(), path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match=r"best\.ckpt is truncated, damaged or not a checkpoint") as caught:
        load_network(path)
    assert "\n" not in str(caught.value)


def test_a_text_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.ckpt"
    path.write_text("these are no weights")
    with pytest.raises(ValueError, match="not a checkpoint"):
        load_network(path)


def test_the_error_names_what_is_missing(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match="lacks model, mean, std, image_size"):
        load_network(tmp_path / "a.ckpt")
    torch.save(checkpoint(state_dict={"model.conv1.weight": torch.zeros(1)}), tmp_path / "b.ckpt")
    with pytest.raises(ValueError, match="do not fit its model"):
        load_network(tmp_path / "b.ckpt")
    torch.save([1, 2], tmp_path / "c.ckpt")
    with pytest.raises(ValueError, match="holds a list"):
        load_network(tmp_path / "c.ckpt")
    with pytest.raises(FileNotFoundError, match=r"there is no checkpoint .*best\.ckpt\. Did you mean `.*`\?"):
        load_network(tmp_path / "best.ckpt")
    with pytest.raises(ValueError, match="is a folder"):
        load_network(tmp_path)


def test_a_model_of_a_later_version_is_refused_in_one_line(tmp_path: Path) -> None:
    content = checkpoint()
    content["hyper_parameters"]["model"]["attention"] = True
    torch.save(content, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match="has a model that this version of deepdream does not know"):
        load_network(tmp_path / "a.ckpt")


def test_a_checkpoint_of_an_earlier_version_opens_with_the_defaults_of_that_version(tmp_path: Path) -> None:
    """Its record may lack any key of the model; without a depth it was ResNet-50, and is not today's default."""
    content = checkpoint()
    model = ResNet(50, 3, width=0.125, zero_init_residual=False)
    content["hyper_parameters"]["model"] = {"width": 0.125}
    content["state_dict"] = {f"model.{key}": value for key, value in model.state_dict().items()}
    torch.save(content, tmp_path / "old.ckpt")
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(load_network(tmp_path / "old.ckpt").model(images), model.eval()(images))
