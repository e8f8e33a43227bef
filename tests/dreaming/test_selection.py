from __future__ import annotations

import pytest
import torch

from deepdream.dreaming.selection import Selection, expand_patterns


@pytest.mark.parametrize(
    ("text", "selection"),
    [
        ("layer4", Selection("layer4")),
        ("layer4:12", Selection("layer4", 12)),
        ("layer3:5@10,14", Selection("layer3", 5, (10, 14))),
        ("-0.5*layer2.0.conv1", Selection("layer2.0.conv1", weight=-0.5)),
        ("2*layer4:3", Selection("layer4", 3, weight=2)),
        ("0.123456789*layer3", Selection("layer3", weight=0.123456789)),
        ("layer3.*:7", Selection("layer3.*", 7)),
    ],
)
def test_a_selection_is_read_and_written_the_same(text, selection):
    assert Selection.parse(text) == selection
    assert str(selection) == text


@pytest.mark.parametrize("text", ["", "layer4:x", "layer4:1@2", "layer4@1,2", "layer4:-1"])
def test_what_is_no_selection_is_answered_with_how_one_is_written(text):
    with pytest.raises(ValueError, match=r"layer4:12 \(a channel\)"):
        Selection.parse(text)


def test_the_selected_part_of_a_map_keeps_four_dimensions():
    a = torch.arange(2 * 3 * 4 * 5.0).view(2, 3, 4, 5)
    assert Selection("x").of(a) is a
    assert torch.equal(Selection("x", 2).of(a), a[:, 2:3])
    assert torch.equal(Selection("x", 2, (3, 1)).of(a), a[:, 2:3, 3:4, 1:2])


def test_a_pattern_stands_for_one_level_of_layers(resnet):
    layers = resnet.layers()
    assert [s.layer for s in expand_patterns([Selection("layer3.*")], layers)] == ["layer3.0", "layer3.1"]
    assert [str(s) for s in expand_patterns([Selection("layer*", 3, weight=-1), Selection("layer1")], layers)] == [
        "-1*layer1:3", "-1*layer2:3", "-1*layer3:3", "-1*layer4:3", "layer1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layer9.*", "no layer of the network matches 'layer9"),
        ("layr4:3", "no layer 'layr4'.*layer4"),
        ("layer4:512", "layer4 has channels 0 to 511"),
    ],
)
def test_what_the_network_lacks_is_an_error(resnet, text, message):
    with pytest.raises(ValueError, match=message):
        expand_patterns([Selection.parse(text)], resnet.layers())
