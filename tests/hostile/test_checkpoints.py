"""Hostile checkpoints: load_network, and evaluate.py after it, refuse them in one line."""

from __future__ import annotations

import io
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from deepdream.apps.evaluate import data_of
from deepdream.models import load_network
from deepdream.scenes import SceneDataModule  # noqa: F401  # its import starts a process, which the guard would see
from tests.hostile.checkpoints import checkpoint
from tests.hostile.guard import guard, outcome
from tests.models.checkpoints import RunsCode


def record(**changes: Any) -> dict[str, Any]:
    content = checkpoint()
    content["hyper_parameters"] |= changes
    return content


def model(**changes: Any) -> dict[str, Any]:
    content = checkpoint()
    content["hyper_parameters"]["model"] |= changes
    return content


def weights(change: Callable[[Tensor], Any]) -> dict[str, Any]:
    content = checkpoint()
    content["state_dict"] = {key: change(value) for key, value in content["state_dict"].items()}
    return content


def saved(content: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def compressed() -> bytes:
    """A checkpoint with 100 MB of zeros that takes less than its weights."""
    stored, packed = io.BytesIO(saved(checkpoint(more=torch.zeros(100_000_000, dtype=torch.uint8)))), io.BytesIO()
    with (
        zipfile.ZipFile(stored) as before,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as after,
    ):
        for entry in before.infolist():
            after.writestr(entry.filename, before.read(entry))
    return packed.getvalue()


NAN = float("nan")
CODE = "would run code when opened, and is refused"
NO_CHECKPOINT = "is not a checkpoint of deepdream"
NO_FIT = "do not fit its model"
UNKNOWN = "has a model that this version of deepdream does not know"
FILES: dict[str, tuple[Callable[[], Any], str]] = {
    "code": (lambda: checkpoint(more=[RunsCode(Path("ran"))]), CODE),
    "code in the weights": (lambda: weights(lambda value: RunsCode(Path("ran"))), CODE),
    "a module": (lambda: {"model": torch.nn.Linear(1, 1)}, CODE),
    "a plain pickle": (lambda: pickle.dumps(RunsCode(Path("ran"))), CODE),
    "a pickle of an old protocol": (lambda: b"cos\nsystem\n(S'touch ran'\ntR.", "truncated, damaged or not"),
    "a compressed bomb": (compressed, "is compressed"),
    "a tensor": (lambda: torch.zeros(3), "holds a Tensor"),
    "no record": (lambda: checkpoint(hyper_parameters=None), NO_CHECKPOINT),
    "a record that is a number": (lambda: checkpoint(hyper_parameters=3), NO_CHECKPOINT),
    "a record that is a list": (lambda: checkpoint(hyper_parameters=["model"]), NO_CHECKPOINT),
    "another kind of checkpoint": (lambda: {"model": {}, "optimizer": {}, "epoch": 3}, NO_CHECKPOINT),
    "no weights": (lambda: checkpoint(state_dict=None), "lacks state_dict"),
    "weights in a list": (lambda: checkpoint(state_dict=[1]), "lacks state_dict"),
    "weights without names": (lambda: checkpoint(state_dict={1: torch.zeros(1)}), NO_FIT),
    "weights missing": (lambda: checkpoint(state_dict={}), "conv1.weight is missing in the file"),
    "weights that are texts": (lambda: weights(str), NO_FIT),
    "weights of a dimension more": (
        lambda: weights(lambda value: value[None]),
        "conv1.weight is 1x8x3x7x7 in the file",
    ),
    "weights that only seem large": (lambda: weights(lambda value: torch.zeros(1).expand(10**6, 10**6)), NO_FIT),
    "weights on the meta device": (lambda: weights(lambda value: value.to("meta")), NO_FIT),
    "weights that are sparse": (lambda: weights(lambda v: v.to_sparse() if v.ndim else v), NO_FIT),
    "NaN": (lambda: weights(lambda v: v * NAN if v.is_floating_point() else v), "hold NaN or infinity"),
    "infinity": (lambda: weights(lambda v: v / 0 if v.is_floating_point() else v), "hold NaN or infinity"),
    "classes counted": (lambda: record(classes=3), "are not a list of names"),
    "classes in one text": (lambda: record(classes="abc"), "are not a list of names"),
    "classes that are lists": (lambda: record(classes=[["a"], ["b"], ["c"]]), "are not a list of names"),
    "two means": (lambda: record(mean=[0.1, 0.2]), "mean in .* is not three numbers"),
    "a mean that is NaN": (lambda: record(mean=[NAN] * 3), "mean in .* is not three numbers"),
    "a mean in letters": (lambda: record(mean="abc"), "mean in .* is not three numbers"),
    "a deviation of zero": (lambda: record(std=[0.0, 1.0, 1.0]), "must be more than 0"),
    "an image size of zero": (lambda: record(image_size=0), "image_size in .* is 0"),
    "an image size of a million pixels": (lambda: record(image_size=10**6), "image_size in .* is 1000000"),
    "a size in letters": (lambda: record(image_size="64"), "image_size in .* is '64'"),
    "a model in a list": (lambda: record(model=[18]), "is not a dictionary of arguments"),
    "an unknown depth": (lambda: model(depth=17), "model.depth is 17"),
    "forty million blocks": (lambda: model(blocks=[10**7] * 4), NO_FIT),
    "a million times the width": (lambda: model(width=1e6), UNKNOWN),
    "a width that fits no weights": (lambda: model(width=100.0), NO_FIT),
    "a head of ten billion places": (lambda: model(head="wise", head_size=10**10), UNKNOWN),
    "a block by a module's name": (lambda: model(block="os.system"), "model.block is 'os.system'"),
    "an argument given twice": (lambda: model(num_classes=3), UNKNOWN),
    "a target": (lambda: model(_target_="os.system"), "has a network of the class os.system, which is no part of"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_hostile_checkpoint_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    make, message = FILES[kind]
    monkeypatch.chdir(tmp_path)
    content = make()
    path = tmp_path / "best.ckpt"
    path.write_bytes(content if isinstance(content, bytes) else saved(content))
    with guard(tmp_path):
        line = outcome(load_network, path)
    assert isinstance(line, str), "it was opened"
    assert re.search(message, line), line
    assert [each.name for each in tmp_path.iterdir()] == ["best.ckpt"]


@pytest.mark.parametrize("sixteenths", range(1, 16))
@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_cut_short_is_refused(tmp_path: Path, zipped: bool, sixteenths: int) -> None:
    content = saved(checkpoint(), _use_new_zipfile_serialization=zipped)
    path = tmp_path / "best.ckpt"
    path.write_bytes(content[: len(content) * sixteenths // 16])
    with guard(tmp_path):
        assert "best.ckpt is truncated, damaged or not a checkpoint" in outcome(load_network, path)


@pytest.mark.parametrize(
    "data",
    [7, ["a"], {"root": "x"}, {"seed": 0, "fingerprint": "", "root": "${oc.env:HOME}"}, {"_target_": "print"}],
)
def test_the_data_that_a_checkpoint_names_are_not_trusted_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: object
) -> None:
    monkeypatch.setenv("HOME", "/a-secret-place")
    path = tmp_path / "best.ckpt"
    path.write_bytes(saved(record(data=data)))
    with guard(tmp_path):
        line = outcome(lambda: data_of(load_network(path)))
    assert isinstance(line, str)
    assert "a-secret-place" not in line
