"""The page Dream in headless Chromium."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.hostile import pictures
from tests.studio.conftest import Open, Served, command_of, downloaded, drop, photo


def set_knob(page: Any, knob: str, value: float) -> None:
    field = page.locator(f"#knob-{knob} input[type=number]")
    field.fill(str(value))
    field.blur()


def set_width(page: Any, width: int) -> None:
    """0 keeps the photo's, which is far quicker than the preset's 640 pixels."""
    page.click("#knobs >> text=Size and seed")
    field = page.locator("#knobs").get_by_label("Width")
    field.fill(str(width))
    field.blur()


def dream(page: Any) -> None:
    page.click("#dream")
    page.wait_for_selector("#stop", state="visible")
    page.wait_for_selector("#dream", state="visible")
    assert page.locator("#note .error").count() == 0, page.locator("#note").inner_text()


@pytest.mark.slow
def test_a_download_is_what_the_printed_command_makes_and_restores_the_knobs(
    open_page: Open, served: Served, tmp_path: Path
) -> None:
    (tmp_path / "user").mkdir()
    photo().save(tmp_path / "user" / "my photo.png")
    page = open_page()
    drop(page, tmp_path / "user" / "my photo.png")
    page.wait_for_function("document.querySelector('#stage img')?.src.includes('shown')")
    set_width(page, 0)
    set_knob(page, "strength", 1.35)
    set_knob(page, "octaves", 3)
    dream(page)
    page.wait_for_selector("#slider img", state="visible")
    arguments = command_of(page)
    assert "image=my photo.png" in arguments
    made = downloaded(page).read_bytes()

    run = [sys.executable, "-m", "deepdream", "dream", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(run, cwd=tmp_path / "user", env=environment, check=True, capture_output=True, timeout=240)
    (name,) = (argument.partition("=")[2] for argument in arguments if argument.startswith("output="))
    assert (tmp_path / "user" / name).read_bytes() == made

    page.reload()
    page.wait_for_selector("#stage img")
    drop(page, tmp_path / "user" / name)
    page.wait_for_selector("#note >> text=Drop its photo my photo.png, too")
    assert page.locator("#knob-strength input[type=number]").input_value() == "1.35"
    assert page.locator("#knob-octaves input[type=number]").input_value() == "3"
    drop(page, tmp_path / "user" / "my photo.png")
    page.wait_for_selector("#note >> text=Drop its photo", state="detached")
    dream(page)
    assert downloaded(page).read_bytes() == made


@pytest.mark.slow
def test_variations_one_is_chosen_and_a_dream_is_stopped(open_page: Open) -> None:
    page = open_page()
    page.click("#vary")
    page.wait_for_function("document.querySelectorAll('#variations img').length == 12")
    page.wait_for_selector("#dream", state="visible")
    page.locator("#variations img").nth(6).click()
    page.wait_for_selector("#note >> text=gordic with layer3 is set")
    assert page.locator("#layers").inner_text().split()[-1] != "layer4"
    set_width(page, 1600)
    page.click("#dream")
    page.wait_for_selector("#live img")
    page.click("#stop")  # within half a second, says test_worker.py, which has no busy browser in between
    page.wait_for_selector("#note >> text=Stopped.")
    assert page.locator("#dream").is_visible()
    assert not page.locator("#result").is_visible()


@pytest.mark.slow
def test_a_painted_mask_keeps_the_rest_of_the_photo(open_page: Open, tmp_path: Path) -> None:
    page = open_page()
    set_width(page, 0)
    page.click("#knobs >> text=Where to dream")
    page.click("#where >> text=Where I paint")
    canvas = page.locator("#brush canvas").first
    canvas.wait_for(state="visible")
    canvas.scroll_into_view_if_needed()
    page.wait_for_timeout(1500)  # the editor draws the photo
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.30, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.36, box["y"] + box["height"] * 0.5, steps=6)
    page.mouse.up()
    page.wait_for_timeout(500)
    dream(page)
    assert any(argument.startswith("mask=mask") for argument in command_of(page))
    changed = np.abs(np.asarray(Image.open(downloaded(page)), int) - np.asarray(photo(), int)).max(axis=2) > 0
    assert changed[:, : changed.shape[1] // 2].any()
    assert not changed[:, changed.shape[1] * 3 // 4 :].any()


def film_of(page: Any) -> list[np.ndarray]:
    """Make the film that the panel asks for: the frames of the downloaded file."""
    page.click("#make-film")
    page.wait_for_selector("#stop", state="visible")
    page.wait_for_selector("#dream", state="visible")
    assert page.locator("#note .error").count() == 0, page.locator("#note").inner_text()
    with av.open(str(downloaded(page))) as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


@pytest.mark.slow
def test_a_zoom_a_morph_and_a_dreamed_video_play_and_download(open_page: Open, tmp_path: Path) -> None:
    page = open_page()
    set_width(page, 0)
    page.click("#film >> text=Film")
    field = page.locator("#film").get_by_label("Frames").first
    field.fill("3")
    field.blur()
    frames = film_of(page)
    assert len(frames) == 3
    assert frames[0].shape == np.asarray(photo()).shape
    assert not np.array_equal(frames[0], frames[2])
    assert {"film=zoom", "film.frames=3"} <= set(command_of(page))
    assert page.locator("#stage video").evaluate("video => video.readyState") > 0

    page.click("#film >> text=Morph through the layers")
    assert len(film_of(page)) == 3
    assert "film=morph" in command_of(page)

    page.click("#film >> text=Dream a video")
    page.click("#make-film")
    page.wait_for_selector("#note >> text=Drop the video to dream on first.")
    clip = [photo().rotate(angle) for angle in (0, 90, 180)]
    clip[0].save(tmp_path / "my clip.gif", save_all=True, append_images=clip[1:], duration=100)
    drop(page, tmp_path / "my clip.gif", "#clip")
    page.wait_for_selector("#clip >> text=my clip")
    assert len(film_of(page)) == 3
    assert "film=video" in command_of(page)


@pytest.mark.slow
def test_the_stage_stays_in_view_beside_the_last_knob_and_shows_the_photo_until_the_dream(open_page: Open) -> None:
    page = open_page()
    page.click("#film >> text=Film")
    page.locator("#make-film").scroll_into_view_if_needed()
    assert page.evaluate("scrollY") > 0
    box = page.locator("#stage img").first.bounding_box()
    assert box["y"] >= 0
    page.click("#make-film")
    page.locator("#live img[alt='the photo']").wait_for(state="attached")
    page.click("#stop")
    page.wait_for_selector("#dream", state="visible")


HOSTILE = {
    "cut_8.jpg": "damaged, truncated",
    "png_65535.png": "too large to open",
    "png_4294967295.png": "",
    "program.eps": "not an image",
}


@pytest.mark.slow
def test_a_hostile_upload_gets_one_line(open_page: Open, served: Served, tmp_path: Path) -> None:
    faults = pictures.all_faults()
    page = open_page()
    before = {path for path in served.folder.rglob("*")}
    some = [name for name in faults if name in HOSTILE or name.startswith(("bomb", "evil"))]
    for name in [*some, *list(faults)[:: len(faults) // 8]]:
        (tmp_path / name).write_bytes(faults[name]())
        before_it = page.locator("#stage img").first.get_attribute("src")
        drop(page, tmp_path / name)
        answered = """([name, before]) => document.querySelector('#note').innerText.includes(name)
            || document.querySelector('#stage img')?.src.includes('shown.jpg')
            && !document.querySelector('#stage img').src.endsWith(before)"""
        page.wait_for_function(answered, arg=[name, before_it])
        text = "".join(page.locator("#note .note").all_inner_texts())
        assert "Traceback" not in text
        assert str(served.studio.workspace.folder) not in text, text
        assert "\n" not in text.strip()
        assert page.locator("#dream").is_visible()
    assert {path for path in served.folder.rglob("*")} == before


@pytest.mark.parametrize("path", ["/etc/passwd", "{root}/pyproject.toml", "{folder}/tiny.ckpt"])
def test_a_path_on_the_server_cannot_be_asked_for(served: Served, path: str) -> None:
    path = path.format(root=ROOT, folder=served.folder)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{served.address}/gradio_api/file={path}")
    assert refused.value.code in (403, 404)
    handlers = json.loads(urllib.request.urlopen(f"{served.address}/config").read())["dependencies"]
    taking = [each["id"] for each in handlers if ("upload" in str(each["targets"]))]
    assert taking
    for handler in taking:
        said = joined(served, handler, [{"path": path, "meta": {"_type": "gradio.FileData"}}, None])
        assert "root:" not in said
        assert "[project]" not in said
        assert "not an uploaded file" in said or '"success":false' in said.replace(" ", "")


def joined(served: Served, handler: int, data: list[Any]) -> str:
    """What a handler answers to data that no browser would send."""
    body = json.dumps({"fn_index": handler, "data": data, "session_hash": "hostile"}).encode()
    request = urllib.request.Request(
        f"{served.address}/gradio_api/queue/join", body, {"Content-Type": "application/json"}
    )
    try:
        urllib.request.urlopen(request).read()
    except urllib.error.HTTPError as refused:
        return f'{{"success":false}} {refused.read().decode()}'
    stream = urllib.request.urlopen(f"{served.address}/gradio_api/queue/data?session_hash=hostile", timeout=60)
    said = ""
    for line in stream:
        said += line.decode()
        if "process_completed" in said or "close_stream" in said:
            break
    return said


@pytest.mark.parametrize("scheme", [pytest.param("light", marks=pytest.mark.slow), "dark"])
def test_a_narrow_window_does_not_scroll_sideways(open_page: Open, scheme: str) -> None:
    page = open_page(390, scheme)
    for name in ("Understand", "Network", "Dream"):
        page.click(f"[role=tab] >> text={name}")
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
    set_width(page, 0)
    dream(page)
    page.wait_for_selector("#slider img", state="visible")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_folder_of_a_tab_goes_with_it(open_page: Open, served: Served) -> None:
    page = open_page()
    sessions = set(served.studio.workspace._sessions)
    newest = [session for session in served.studio.workspace._sessions.values()][-1]
    assert newest.folder.is_dir()
    page.close()
    for _ in range(100):
        if not newest.folder.exists():
            break
        time.sleep(0.2)
    assert not newest.folder.exists()
    assert sessions > set(served.studio.workspace._sessions)
