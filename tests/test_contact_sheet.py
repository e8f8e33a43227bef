import numpy as np
import pytest
from PIL import Image

from deepdream.plots import contact_sheet


def test_every_picture_stands_in_its_cell_in_order() -> None:
    colors = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    sheet = np.asarray(
        contact_sheet([Image.new("RGB", (64, 64), c) for c in colors], ["a", "b", "c"], columns=2, size=64)
    )
    seen = [np.argwhere((sheet == color).all(axis=-1)).mean(axis=0) for color in colors]
    assert seen[0][0] == seen[1][0] < seen[2][0]
    assert seen[0][1] == seen[2][1] < seen[1][1]


def test_pictures_keep_their_proportions_and_are_shown_whole() -> None:
    sheet = np.asarray(contact_sheet([Image.new("RGB", (300, 100), "blue")], ["wide"], size=90))
    rows, columns = np.nonzero((sheet == (0, 0, 255)).all(axis=-1))
    assert np.ptp(columns) + 1 == 90
    assert np.ptp(rows) + 1 == 30


def test_a_long_caption_stays_within_its_cell() -> None:
    pictures = [Image.new("RGB", (64, 64), "white")] * 2
    sheet = np.asarray(contact_sheet(pictures, ["a name far too long for so small a picture", ""], size=64))
    right = sheet[:, 64 + 2 * 4 :]  # the second cell
    assert (right == 255).all()


@pytest.mark.parametrize("count", [0, 1])
def test_an_empty_or_uneven_sheet_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="there is no picture" if count == 0 else "1 pictures and 0 captions"):
        contact_sheet([Image.new("RGB", (8, 8))] * count, [])
