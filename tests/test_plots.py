import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from deepdream.plots import contact_sheet, figure_style, rendered


def test_images_of_a_contact_sheet_are_in_order() -> None:
    colors = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    sheet = np.asarray(
        contact_sheet([Image.new("RGB", (64, 64), c) for c in colors], ["a", "b", "c"], columns=2, size=64)
    )
    centres = [np.argwhere((sheet == color).all(axis=-1)).mean(axis=0) for color in colors]
    assert centres[0][0] == centres[1][0] < centres[2][0]
    assert centres[0][1] == centres[2][1] < centres[1][1]


def test_images_keep_their_proportions_and_are_not_cropped() -> None:
    sheet = np.asarray(contact_sheet([Image.new("RGB", (300, 100), "blue")], ["wide"], size=90))
    rows, columns = np.nonzero((sheet == (0, 0, 255)).all(axis=-1))
    assert np.ptp(columns) + 1 == 90
    assert np.ptp(rows) + 1 == 30


def test_a_long_caption_is_shortened_to_its_cell() -> None:
    images = [Image.new("RGB", (64, 64), "white")] * 2
    sheet = np.asarray(contact_sheet(images, ["a name far too long for so small an image", ""], size=64))
    right = sheet[:, 64 + 2 * 4 :]  # the second cell
    assert (right == 255).all()


@pytest.mark.parametrize("count", [0, 1])
def test_no_image_or_a_missing_caption_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="there is no image" if count == 0 else "1 images and 0 captions"):
        contact_sheet([Image.new("RGB", (8, 8))] * count, [])


def test_a_figure_is_rendered_in_the_style_which_ends_with_its_block() -> None:
    before = dict(mpl.rcParams)
    with figure_style():
        figure = Figure(figsize=(2, 1))
        axes = figure.subplots()
    assert dict(mpl.rcParams) == before
    assert not axes.spines["top"].get_visible()
    image = rendered(figure)
    assert (image.mode, image.size) == ("RGB", (300, 150))
    assert np.asarray(image).min() < 50  # the axes are drawn
