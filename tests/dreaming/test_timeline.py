from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from deepdream.dreaming.films import morph, write_frames, zoom
from deepdream.dreaming.timeline import Timeline, Track
from deepdream.images import read_image
from deepdream.provenance import write_png
from deepdream.schema import compose
from tests.dreaming.networks import photo
from tests.dreaming.test_films import dreamer, film


@pytest.mark.parametrize(
    ("period", "smooth", "wanted"),
    [
        (None, False, [1.0, 1.0, 1.5, 2.0, 2.5, 3.0, 3.0, 3.0]),
        (8, False, [1.5, 1.0, 1.5, 2.0, 2.5, 3.0, 2.5, 2.0]),
        (None, True, [1.0, 1.0, 1 + 2 * 0.15625, 2.0, 1 + 2 * 0.84375, 3.0, 3.0, 3.0]),
    ],
)
def test_values_between_keyframes_are_interpolated(period: int | None, smooth: bool, wanted: list[float]) -> None:
    track = Track({1: 1.0, 5: 3.0}, period, smooth)
    assert [track.number(number) for number in range(8)] == pytest.approx(wanted)
    pan = Track({1: [0, 8], 5: [4, 0]}, period, smooth)
    assert pan.number(3) == [2, 4]


def test_each_key_is_applied_at_its_frame() -> None:
    keys = {"zoom": {0: 1.0, 4: 1.2}, "blend": {0: 0.5}, "steps": {0: 1, 2: 4}, "step_size": {0: 0.1, 2: 0.3}}
    timeline = Timeline(dreamer(), film(frames=5, keys=keys), lambda: photo(40, 50))
    assert [round(timeline.film(number).zoom, 6) for number in range(5)] == [1.0, 1.05, 1.1, 1.15, 1.2]
    assert [timeline.dreamer(number).config.steps for number in range(4)] == [1, 2, 4, 4]
    assert timeline.dreamer(1, on_dream=True).config.step_size == pytest.approx(0.2 * 0.5)
    assert timeline.dreamer(3) is timeline.dreamer(4)


def test_layers_fade_from_one_keyframe_to_the_next_and_a_loop_fades_back() -> None:
    start = photo(40, 50)
    keys = {"layers": {"0": ["1"], "2": "3"}}  # as a film's provenance has them, too
    dreams = []
    for loop in (False, True):
        timeline = Timeline(dreamer(("1",)), film(frames=4, keys=keys, loop=loop), lambda: start)
        dreams.append([timeline.dreamer(number)(start) for number in range(5)])
    once, looped = dreams
    alone = [dreamer((layer,))(start) for layer in ("1", "3")]
    for found, wanted in [(once[0], alone[0]), (once[2], alone[1]), (once[3], alone[1]), (looped[4], alone[0])]:
        torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)
    assert min((once[1] - each).abs().mean() for each in alone) > 1e-3
    torch.testing.assert_close(looped[1], looped[3], atol=1e-6, rtol=0)


def test_a_morph_that_loops_dreams_its_first_frame_after_its_last() -> None:
    start = photo(40, 50)
    make = morph(dreamer(("1", "3")), start, film(kind="morph", frames=4, loop=True), seed=0)
    frames = [make(number, None) for number in range(5)]
    torch.testing.assert_close(frames[4], frames[0], atol=0, rtol=0)
    changes = [(frames[number + 1] - frames[number]).abs().mean() for number in range(4)]
    assert changes[3] < 1.5 * max(changes[:3])


def test_a_killed_film_with_keyframes_and_music_goes_on_with_the_same_result(tmp_path) -> None:
    keys = {"layers": {0: ["1"], 3: ["3"]}, "zoom": {0: 1.02, 3: 1.2}}
    start = photo(40, 50).float()

    def frames(folder, count):
        asked = film(frames=5, keys=keys, loop=True, blend=0.3)
        make = zoom(dreamer(), start, asked, seed=0, levels=lambda number: (number % 2, 0.1 * number))
        return list(write_frames(make, range(count), folder, write_png))

    whole = frames(tmp_path / "whole", 5)
    frames(tmp_path / "killed", 3)
    for one, other in zip(whole, frames(tmp_path / "killed", 5), strict=True):
        assert np.array_equal(np.asarray(read_image(one)), np.asarray(read_image(other)))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["film.keys={zoom: {0: 1.1}}"], "film.keys belongs to a film"),
        (["film=zoom", "film.keys={zom: {0: 1.1}}"], "film.keys has 'zom'. Did you mean `zoom`?"),
        (["film=morph", "film.keys={layers: {0: [layer2]}}"], "film.keys has 'layers'; choose one of"),
        (["film=zoom", "film.keys=3"], "film.keys is 3; write values by key and frame"),
        (["film=zoom", "film.keys={zoom: 1.1}"], "film.keys.zoom is 1.1; write values by frame: {zoom: {0: 1.1}}"),
        (["film=zoom", "film.keys={zoom: {0: a}}"], "a value of film.keys.zoom is 'a'; it must be a number"),
        (["film=zoom", "film.keys={layers: {0: 3}}"], "a value of film.keys.layers is 3; it must be a list of layers"),
        (["film=zoom", "film.keys={steps: {0: 1.5}}"], "a value of film.keys.steps is 1.5; it must be a whole number"),
        (["film=zoom", "film.keys={zoom: {-1: 1.1}}"], "film.keys.zoom has frame -1; it must be a whole number"),
        (["film=zoom", "film.keys={zoom: {30: 1.1}}"], "film.keys.zoom has frame 30, and the film has frames 0 to 29"),
        (["film=zoom", "film.keys={zoom: {0: -1}}"], "film.zoom is -1"),
        (["film=zoom", "film.keys={step_size: {0: 0}}"], "dream.step_size is 0"),
        (["film=zoom", "film.keys={target: {0: bedroom}}"], "film.keys.target is the class of the objective logit"),
        (["film=video", "image=clip.mp4", "film.loop=true"], "film.loop=true closes film=zoom and film=morph"),
    ],
)
def test_keyframes_that_cannot_be_applied_are_refused_in_one_line(overrides: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        compose("dream", overrides)
    assert "\n" not in str(error.value)
