"""Small data sets in the official layout, for tests."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_scenes(root: Path, classes: dict[str, tuple[int, int]], *, size: tuple[int, int] = (40, 32)) -> Path:
    """For each class (train, test) images of one colour each, with the lists."""
    lists: dict[str, list[str]] = {"TrainImages.txt": [], "TestImages.txt": []}
    for label, (name, counts) in enumerate(classes.items()):
        folder = root / "Images" / name
        folder.mkdir(parents=True)
        for which, count in zip(lists, counts, strict=True):
            for number in range(count):
                file = f"{which[:5].lower()}_{number}.png"
                color = (40 * label + 20, 10 * number % 256, 90)
                Image.fromarray(np.full((size[1], size[0], 3), color, np.uint8)).save(folder / file)
                lists[which].append(f"{name}/{file}")
    for which, entries in lists.items():
        (root / which).write_text("\n".join(entries))  # the official lists end without a newline
    return root
