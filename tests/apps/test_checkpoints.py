"""What every command does with the checkpoint that it is given."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from deepdream.apps.checkpoints import chosen_checkpoint, chosen_network
from deepdream.apps.evaluate import data_of, evaluate_network
from deepdream.dreaming import DreamConfig, Dreamer
from deepdream.dreaming.report import top5
from deepdream.evaluating import EvaluationOptions
from deepdream.explaining import explain


def test_last_is_the_newest_best_checkpoint_of_runs_and_sweeps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match=r"there is no checkpoint under outputs/ .* ckpt=miniplaces"):
        chosen_checkpoint("last", tmp_path)
    for age, place in enumerate(("multirun/d/2/0", "outputs/d/1", "outputs/d/3")):
        best = tmp_path / place / "checkpoints" / "best.ckpt"
        best.parent.mkdir(parents=True)
        best.touch()
        os.utime(best, (100 - age, 100 - age))
    newest = tmp_path / "multirun/d/2/0/checkpoints/best.ckpt"
    assert chosen_checkpoint("last", tmp_path) == str(newest)
    assert capsys.readouterr().out == f"checkpoint: {newest} (the newest)\n"
    assert chosen_checkpoint("box", tmp_path) == "box"


@pytest.mark.slow
def test_a_checkpoint_without_class_names_is_evaluated_explained_and_dreamed_by_index(
    checkpoint: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained)
    named = chosen_network(str(checkpoint))
    assert capsys.readouterr().out == ""
    content = torch.load(checkpoint, weights_only=True)
    del content["hyper_parameters"]["classes"]
    nameless = tmp_path / "nameless.ckpt"
    torch.save(content, nameless)

    network = chosen_network(str(nameless))
    count = len(named.classes)
    assert capsys.readouterr().out == f"note: {nameless} does not name its {count} classes; they go by their index\n"

    picture = torch.rand(3, 48, 48, generator=torch.Generator().manual_seed(0))
    by_index, by_name = (explain(one, picture, target=to)[0] for one, to in ((network, 2), (named, named.classes[2])))
    assert by_index.target == "class 2"
    assert torch.equal(by_index.heatmap, by_name.heatmap)
    with pytest.raises(ValueError, match=r"nameless\.ckpt does not name its classes; give an index"):
        explain(network, picture, target=named.classes[2])
    with pytest.raises(ValueError, match=f"the index of a class is 0 to {count - 1}"):
        explain(network, picture, target=count)

    config = {"layers": ["layer2"], "octaves": 1, "steps": 1}
    dreams = [
        Dreamer(one, DreamConfig.preset("class", target=to, **config), device="cpu", precision="fp32")(picture)
        for one, to in ((network, "2"), (named, named.classes[2]))
    ]
    assert torch.equal(*dreams)
    answers = [top5(one, picture) for one in (network, named)]
    assert [share for _, share in answers[0]] == [share for _, share in answers[1]]
    assert [named.classes[int(name.removeprefix("class "))] for name, _ in answers[0]] == [n for n, _ in answers[1]]

    evaluation = evaluate_network(
        network, data_of(network, workers=0), tmp_path / "run", EvaluationOptions(device="cpu")
    )
    assert [row.name for row in evaluation.classes] == [f"class {index}" for index in range(count)]
    assert evaluation.metrics["images"] == 2 * count
    again = explain(network, picture, target=2)[0]  # what evaluating did to the weights forbids no gradient
    assert torch.allclose(again.heatmap, by_index.heatmap, atol=1e-4)
