from __future__ import annotations

import pytest
import torch

from deepdream.dreaming.octaves import AddDetail, ResizeImage, check_sizes
from tests.dreaming.networks import photo
from tests.reference import dreams


def test_gordic_sizes_are_those_of_the_source():
    assert ResizeImage.sizes((399, 600), 4, 1.8) == [(68, 103), (123, 185), (222, 333), (399, 600)]


@pytest.mark.parametrize("octaves", [1, 2, 5])
@pytest.mark.parametrize("scale", [1.25, 1.3, 1.8, 2.0])
def test_gordic_sizes_equal_the_reference(octaves, scale):
    for size in [(399, 600), (401, 603), (77, 1025), (250, 250)]:
        reference = [dreams.gordic_shape(size, octaves, scale, level) for level in range(octaves)]
        assert ResizeImage.sizes(size, octaves, scale) == reference


def test_halves_are_rounded_to_even():
    assert ResizeImage.sizes((45, 47), 2, 2.0)[0] == (22, 24)


def test_inceptionism_sizes_are_those_of_the_source():
    assert AddDetail.sizes((575, 1024), 4, 1.4) == [(210, 373), (294, 522), (411, 731), (575, 1024)]


def test_one_octave_is_the_image_itself():
    image = photo(13, 17, images=1)
    for mode in (ResizeImage, AddDetail):
        assert torch.equal(mode(image, mode.sizes((13, 17), 1, 1.4)).start(0, image), image)


def test_carried_images_are_resized_as_in_the_reference():
    image, dreamed = photo(41, 53, images=1), photo(23, 29, seed=1, images=1)
    octaves = ResizeImage(image, [(23, 29), (41, 53)])
    for octave, source, size in ((0, image, (23, 29)), (1, dreamed, (41, 53))):
        expected = dreams.resize_half_pixel(source[0].numpy(), size)
        torch.testing.assert_close(octaves.start(octave, dreamed)[0], torch.from_numpy(expected))


def test_without_a_dream_no_detail_is_carried():
    image = photo(41, 53, images=1)
    octaves = AddDetail(image, AddDetail.sizes((41, 53), 3, 1.4))
    image_of_octave = image
    for octave in range(3):
        image_of_octave = octaves.start(octave, image_of_octave)
    torch.testing.assert_close(image_of_octave, image)


def test_detail_is_laid_over_the_sharp_photo_without_clipping():
    image = photo(20, 30, images=1)
    octaves = AddDetail(image, AddDetail.sizes((20, 30), 2, 2.0))
    dreamed = octaves.start(0, image) + 5
    torch.testing.assert_close(octaves.start(1, dreamed), image + 5)


def test_octaves_that_are_too_small_are_answered_with_what_fits():
    with pytest.raises(ValueError, match="smallest octave") as error:
        check_sizes((96, 96), 4, 1.8, "resize_image", least=32, needed_by="the deepest tap (layer4)")
    assert str(error.value) == (
        "the smallest octave of this 96x96 image is 16x16; the deepest tap (layer4) needs at least 32 pixels a side: "
        "use fewer octaves (dream.octaves=2) or a larger image (dream.width=184)"
    )


@pytest.mark.parametrize("octave_mode", ["resize_image", "add_detail"])
@pytest.mark.parametrize("size", [(40, 90), (90, 41), (33, 700)])
def test_what_is_suggested_fits(octave_mode, size):
    with pytest.raises(ValueError, match="fewer octaves") as error:
        check_sizes(size, 6, 1.5, octave_mode, least=32, needed_by="the deepest tap (layer4)")
    octaves, width = (
        int(part.split("=")[1].rstrip(") ").split(")")[0]) for part in str(error.value).split("(dream.")[1:]
    )
    check_sizes(size, octaves, 1.5, octave_mode, least=32, needed_by="it")
    check_sizes((round(width * size[0] / size[1]), width), 6, 1.5, octave_mode, least=32, needed_by="it")
    with pytest.raises(ValueError, match="smallest octave"):
        check_sizes(size, octaves + 1, 1.5, octave_mode, least=32, needed_by="it")


def test_a_panorama_is_told_what_to_do_in_few_pixels():
    with pytest.raises(ValueError, match="smallest octave") as error:
        check_sizes((20, 900), 3, 1.8, "resize_image", least=33, needed_by="mirrored padding of 16")
    assert str(error.value) == (
        "the smallest octave of this 900x20 image is 278x6; mirrored padding of 16 needs at least 33 pixels a side: "
        "use one octave of a slightly larger image (dream.octaves=1 dream.width=1485), or a larger image "
        "(dream.width=4748); or crop it, it is 45 times as wide as high"
    )
    check_sizes((33, 1485), 1, 1.8, "resize_image", least=33, needed_by="it")


def test_a_image_too_small_for_any_octave_is_not_told_to_take_fewer():
    with pytest.raises(ValueError, match=r"is 20x20; .* pixels a side: use a larger image \(dream.width=32\)"):
        check_sizes((20, 20), 1, 1.4, "add_detail", least=32, needed_by="the deepest tap (layer4)")
