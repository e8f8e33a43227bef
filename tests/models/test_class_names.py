import json
from pathlib import Path

import pytest

from deepdream.models.class_names import default_classes, read_classes


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classes.txt", "bar\n\nwine cellar \nattic\n"),
        ("classes.json", json.dumps(["bar", "wine cellar", "attic"])),
        ("classes.json", json.dumps({"attic": 2, "bar": 0, "wine cellar": 1})),
        ("classes.json", json.dumps({"2": ["n3", "attic"], "0": ["n1", "bar"], "1": ["n2", "wine cellar"]})),
    ],
)
def test_names_come_in_the_order_of_the_logits(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_classes(tmp_path / name) == ["bar", "wine cellar", "attic"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"\n \n", "holds no names"),
        ("a.txt", b"\xff\xfe\x00bar", "no text in UTF-8"),
        ("a.json", b'{"bar": [1, 2]}', "neither a list of names"),
        ("a.json", b"[1, 2]", "neither a list of names"),
        ("none.txt", None, "cannot be read: No such file"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_classes(tmp_path / name)


def test_only_a_thousand_classes_are_those_of_imagenet() -> None:
    assert default_classes(1000)[:2] == ["tench", "goldfish"]
    assert default_classes(2) == ["class 0", "class 1"]
