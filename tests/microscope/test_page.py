"""The page in headless Chromium, from disk: search, sort, channel, class, image, back; no request leaves the folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def page(browser: Any, site: Path) -> Iterator[Any]:
    """The first page; afterwards there was no error, no missing file, and no request outside of the folder."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("requestfailed", lambda request: faults.append(request.url))
    page.on("request", lambda request: request.url.startswith((site.as_uri(), "data:")) or faults.append(request.url))
    page.goto((site / "index.html").as_uri())
    page.wait_for_selector("h1")
    yield page
    assert faults == []
    assert "unescaped" not in page.title()
    assert page.locator("main b, main i, main script, main img[src=x]").filter(has_text="test").count() == 0
    context.close()


def shown(page: Any, address: str) -> None:
    page.wait_for_function("address => document.documentElement.dataset.shown === address", arg=address)


def test_from_the_wall_to_a_channel_and_back(page: Any) -> None:
    assert page.locator("h1").inner_text() == "<b>test</b>"
    assert page.get_by_text("a <i>note</i>").count() == 1
    page.click(".layer >> nth=1")
    shown(page, "#/layer/1")
    tiles = page.locator(".wall .tile")
    assert tiles.count() == 64
    for sort in ("number", "fires", "specific", "similar"):
        page.select_option("#wall-sort", sort)
        order = tiles.evaluate_all("tiles => tiles.map(tile => Number(tile.dataset.channel))")
        assert sorted(order) == list(range(64)), sort
        assert (order == list(range(64))) == (sort == "number")
    page.select_option("#wall-sort", "class")
    page.select_option("#wall-class", label="kitchen")
    strongest = tiles.first.get_attribute("data-channel")
    tiles.first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    shown(page, f"#/channel/1/{strongest}")
    assert page.locator(".trust").count() == 2  # the seed, and the dream on a photo
    assert page.locator("#examples .crop").count() == 27
    page.click("text=Whole images")
    assert page.locator("#examples .frame > .box").count() == 27
    images = "Array.from(document.images).every(image => image.complete && image.naturalWidth)"
    page.evaluate("document.querySelectorAll('img').forEach(image => image.loading = 'eager')")
    page.wait_for_function(images)
    page.go_back()
    shown(page, "#/layer/1")
    assert page.locator("#wall-sort").input_value() == "class"
    page.go_back()
    shown(page, "#/")


def test_search_by_class_number_and_file_name(page: Any) -> None:
    page.keyboard.press("/")
    page.keyboard.type("13")
    page.wait_for_selector("#results [role=option]")
    assert "layer3, channel 13" in page.locator("#results").inner_text()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    shown(page, "#/channel/1/13")
    page.keyboard.press("ArrowRight")
    shown(page, "#/channel/1/14")
    page.fill("#search", "bath")
    page.wait_for_selector("#results [role=option]")
    page.keyboard.press("Enter")
    shown(page, "#/class/0")
    page.fill("#search", "script")  # the file name that is markup
    page.wait_for_selector("#results [role=option]")
    page.keyboard.press("Enter")
    page.wait_for_selector(".viewer")
    assert "<script>" in page.locator(".lead").inner_text()
    page.fill("#search", "there is no such thing")
    page.wait_for_selector("#results .none")
    page.keyboard.press("Escape")


def test_from_a_class_over_its_confusions_to_an_image(page: Any) -> None:
    page.click("#places >> text=Classes")
    shown(page, "#/classes")
    assert page.locator("#main").get_by_text("onerror").count() == 1
    wrong = page.locator(".index li").filter(has_text="0 of 8 correct").first.locator("a")
    wrong.click()
    page.wait_for_selector("h2 >> text=Confused with")
    page.locator(".bars a").first.click()
    page.wait_for_selector("h1 >> text=predicted as")
    page.locator(".photo").first.click()
    page.wait_for_selector(".viewer canvas")
    assert page.locator("h2").all_inner_texts() == ["Predictions", "Why", "Strongest channels", "Most similar images"]
    page.click("text=Grad-CAM")
    assert not page.locator("canvas").is_visible()
    page.locator(".mini").first.click()
    page.wait_for_selector("h2 >> text=Speaks for")


def test_every_link_leads_to_a_page_and_every_element_has_a_name(page: Any) -> None:
    waiting, known = ["#/"], {"#/"}
    kinds: dict[str, int] = {}
    while waiting:
        here = waiting.pop()
        kind = here.split("/")[1]
        kinds[kind] = kinds.get(kind, 0) + 1
        if kinds[kind] > 6:  # of each kind of page
            continue
        page.evaluate("address => { location.hash = address }", here)
        shown(page, here)
        assert page.locator("h1").inner_text() != "Not here", here
        nameless = """Array.from(document.querySelectorAll('a, button, img, input, select')).filter(each =>
            !(each.ariaLabel || each.textContent.trim() || each.alt || each.labels?.length
              || each.closest('[aria-hidden]'))).map(each => each.outerHTML)"""
        assert page.evaluate(nameless) == [], here
        links = page.locator("a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
        for link in links:
            assert link.startswith("#"), link
            if link not in known and link != "#main":
                known.add(link)
                waiting.append(link)
    assert len(kinds) >= 7
    page.evaluate("location.hash = '#/channel/9/9'")
    shown(page, "#/channel/9/9")
    assert page.locator("h1").inner_text() == "Not here"


def test_a_narrow_window_does_not_scroll_sideways(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    for address in ("#/", "#/layer/0", "#/channel/1/3", "#/class/2", "#/image/20", "#/images"):
        page.evaluate("address => { location.hash = address }", address)
        shown(page, address)
        assert page.evaluate("document.documentElement.scrollWidth") == 390, address
